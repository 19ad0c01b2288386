/** The npm package httpxy: `node httpxy.mjs CONFIG`. */
import { createProxyServer } from "httpxy";
import { agent, serveWith, settings, target } from "./settings.mjs";

const proxy = createProxyServer({ agent: agent(), xfwd: true, proxyTimeout: settings.responseTimeoutMs });
serveWith(proxy, (request, socket, head) => proxy.ws(request, socket, target, head));

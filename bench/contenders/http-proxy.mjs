/** The npm package http-proxy: `node http-proxy.mjs CONFIG`. */
import httpProxy from "http-proxy";
import { agent, serveWith, settings, target } from "./settings.mjs";

const proxy = httpProxy.createProxyServer({ agent: agent(), xfwd: true, proxyTimeout: settings.responseTimeoutMs });
serveWith(proxy, (request, socket, head) => proxy.ws(request, socket, head, target));

/** The npm package httpxy: `node httpxy.mjs CONFIG`. */
import { createProxyServer } from "httpxy";
import { agent, serveWith, settings } from "./settings.mjs";

serveWith(createProxyServer({ agent: agent(), xfwd: true, proxyTimeout: settings.responseTimeoutMs }));

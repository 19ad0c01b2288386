/** The npm package http-proxy: `node http-proxy.mjs CONFIG`. */
import httpProxy from "http-proxy";
import { agent, serveWith, settings } from "./settings.mjs";

serveWith(httpProxy.createProxyServer({ agent: agent(), xfwd: true, proxyTimeout: settings.responseTimeoutMs }));

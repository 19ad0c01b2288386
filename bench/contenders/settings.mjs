/** What the contenders on Node share: the config they are given, and the forwarded fields all proxies write. */
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

/** The bench's own file, filled in from bench/configs/node.json.template. */
export const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const upstream = { host: "127.0.0.1", port: settings.origin };
export const target = { target: upstream };

/** Prefixes in the order in which a person would list them: all of the bench lead to the one app. */
export const prefixes = ["/api/", ...Array.from({ length: settings.routes }, (_, i) => `/route-${i + 1}/`), "/"];

/** The fields written besides X-Forwarded-For. */
export function extraFields() {
  const fields = {};
  if (settings.sameFields) {
    fields["x-forwarded-proto"] = "http";
    fields.via = "1.1 node";
    fields["x-request-id"] = crypto.randomUUID();
  }
  for (let n = 1; n <= settings.filters; n++) fields[`x-filter-${n}`] = String(n);
  return fields;
}

export function routed(path) {
  return prefixes.some((prefix) => path.startsWith(prefix));
}

/** Time limits as all contenders have them. */
export function limited(server) {
  server.headersTimeout = settings.headTimeoutMs;
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = settings.keepAliveMs;
  server.maxRequestsPerSocket = 0;
  return server;
}

/** The two proxies with http-proxy's interface behind one server: its own route, the others, and `tunnel` for upgrades. */
export function serveWith(proxy, tunnel) {
  const answer = (request, response) => {
    if (request.url === "/healthz") return response.writeHead(204).end();
    if (!routed(request.url)) return response.writeHead(404).end();
    proxy.web(request, response, target);
  };
  const server = settings.cert
    ? https.createServer(
        { cert: readFileSync(settings.cert), key: readFileSync(settings.key), minVersion: "TLSv1.3" },
        answer,
      )
    : http.createServer(answer);
  proxy.on("proxyReq", (outgoing) => {
    for (const [name, value] of Object.entries(extraFields())) outgoing.setHeader(name, value);
  });
  proxy.on("error", (_error, _request, response) => {
    if (response?.writeHead && !response.headersSent) response.writeHead(502).end();
    else response?.destroy?.();
  });
  if (settings.websocket) server.on("upgrade", tunnel);
  limited(server).listen(settings.port, "127.0.0.1", 4096);
}

/** Connections to the app, kept. */
export function agent() {
  return new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 1024 });
}

/** The npm package @fastify/http-proxy: `node fastify.mjs CONFIG`. */
import proxy from "@fastify/http-proxy";
import Fastify from "fastify";
import { extraFields, prefixes, settings, upstream } from "./settings.mjs";

const server = Fastify({
  logger: false,
  connectionTimeout: 300_000,
  requestTimeout: 60_000,
  keepAliveTimeout: settings.keepAliveMs,
  http: { headersTimeout: settings.headTimeoutMs },
  bodyLimit: 8 << 20,
});

const rewriteRequestHeaders = (request, headers) => ({
  ...headers,
  host: request.headers.host,
  "x-forwarded-for": request.ip,
  ...extraFields(),
});

server.get("/healthz", (_request, reply) => reply.code(204).send());
for (const prefix of prefixes) {
  server.register(proxy, {
    upstream: `http://${upstream.host}:${upstream.port}`,
    prefix,
    rewritePrefix: prefix,
    replyOptions: { rewriteRequestHeaders },
    undici: {
      connections: 1024,
      pipelining: 1,
      keepAliveTimeout: settings.keepAliveMs,
      headersTimeout: settings.responseTimeoutMs,
    },
    ...(settings.websocket && prefix === "/" ? { websocket: true } : {}),
  });
}
await server.listen({ port: settings.port, host: "127.0.0.1", backlog: 4096 });

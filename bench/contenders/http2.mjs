/**
 * A minimal HTTP/2 proxy on node:http2, by prior knowledge on both sides: `node http2.mjs CONFIG`, or the same on Bun.
 * What the sidecar's own HTTP/2 is measured against: no routes beyond the bench's own, one session to the app for each
 * client's.
 */
import http2 from "node:http2";
import { extraFields, routed, settings, upstream } from "./settings.mjs";

const { HTTP2_HEADER_METHOD, HTTP2_HEADER_PATH, HTTP2_HEADER_STATUS, NGHTTP2_CANCEL } = http2.constants;
const connectionFields = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

function forwarded(headers, peer) {
  const sent = {};
  for (const name in headers) if (!connectionFields.has(name)) sent[name] = headers[name];
  sent["x-forwarded-for"] = headers["x-forwarded-for"] ? `${headers["x-forwarded-for"]}, ${peer}` : peer;
  return Object.assign(sent, extraFields());
}

function open() {
  const session = http2.connect(`http://${upstream.host}:${upstream.port}`);
  session.on("error", () => session.destroy());
  return session;
}

const server = http2.createServer();
server.on("session", (client) => {
  const peer = client.socket.remoteAddress;
  let session;
  client.on("close", () => session?.close());
  client.on("error", () => {});
  client.on("stream", (stream, headers, flags) => {
    stream.on("error", () => {});
    if (headers[HTTP2_HEADER_PATH] === "/healthz")
      return stream.respond({ [HTTP2_HEADER_STATUS]: 204 }, { endStream: true });
    if (!routed(headers[HTTP2_HEADER_PATH])) return stream.respond({ [HTTP2_HEADER_STATUS]: 404 }, { endStream: true });
    if (!session || session.closed || session.destroyed) session = open();
    const endStream = (flags & 1) !== 0;
    const request = session.request(forwarded(headers, peer), { endStream });
    request.setTimeout(settings.responseTimeoutMs, () => request.close(NGHTTP2_CANCEL));
    request.on("response", (answer, answerFlags) => {
      if (stream.destroyed) return;
      const ends = (answerFlags & 1) !== 0 || headers[HTTP2_HEADER_METHOD] === "HEAD";
      stream.respond(answer, { endStream: ends });
      if (!ends) request.pipe(stream);
    });
    request.on("error", () => {
      if (!stream.destroyed && !stream.headersSent) stream.respond({ [HTTP2_HEADER_STATUS]: 502 }, { endStream: true });
      else stream.close(NGHTTP2_CANCEL);
    });
    stream.on("aborted", () => request.close(NGHTTP2_CANCEL));
    if (!endStream) stream.pipe(request);
  });
});
server.listen(settings.port, "127.0.0.1", 4096);

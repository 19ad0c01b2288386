import { expect, test } from "bun:test";
import type { UpstreamPolicy } from "../config/schema.ts";
import { UserError } from "../errors.ts";
import { protocolFor } from "./openings.ts";

const to = (scheme: "http" | "https" | "h2c" | "unix") =>
  ({ scheme, host: "a", port: 1, authority: "a:1", text: `${scheme}://a:1` }) as const;
const policy = (more: Partial<UpstreamPolicy>): UpstreamPolicy => ({
  protocol: undefined,
  tls: undefined,
  proxyProtocol: undefined,
  ...more,
});

test("what is spoken follows the scheme, unless the policy says it", () => {
  expect((["http", "unix", "https", "h2c"] as const).map((scheme) => protocolFor(to(scheme), undefined))).toEqual([
    "http1",
    "http1",
    "auto",
    "http2",
  ]);
  expect(protocolFor(to("https"), policy({ protocol: "http1" }))).toBe("http1");
  expect(protocolFor(to("unix"), policy({ protocol: "http2" }))).toBe("http2");
});

test("a connection that names its client speaks HTTP/1, as HTTP/2 would share it", () => {
  expect(protocolFor(to("https"), policy({ proxyProtocol: 1 }))).toBe("http1");
  expect(() => protocolFor(to("h2c"), policy({ proxyProtocol: 1 }))).toThrow(UserError);
  expect(() => protocolFor(to("http"), policy({ proxyProtocol: 2, protocol: "auto" }))).toThrow(
    "share its connections",
  );
});

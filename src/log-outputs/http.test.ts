import { afterEach, describe, expect, test } from "bun:test";
import { HttpOutputRun, sourceOf } from "../../test/kit/http-output-run.ts";
import { batchOf, blockOf, recordBlock } from "../../test/kit/output-run.ts";
import http from "./http.ts";

const run = new HttpOutputRun(http);
afterEach(() => run.stop());

describe("the output http", () => {
  test("sends lines as they were written, one request a batch", async () => {
    const output = await run.open();
    const batch = batchOf("one\ntwo\n", "three\r\n");
    expect(await output.deliver(batch)).toEqual({ outcome: "delivered" });
    expect(await output.deliver(batchOf("\u00ff\u0000\n"))).toEqual({ outcome: "delivered" });
    expect(run.sink.requests.map(({ body }) => body.toString("latin1"))).toEqual([
      "one\ntwo\nthree\r\n",
      "\u00ff\u0000\n",
    ]);
    expect(run.sink.requests[0]).toMatchObject({ method: "POST", target: "/" });
    expect(run.sink.requests[0]!.headers).toEqual({
      host: `127.0.0.1:${run.sink.port}`,
      "user-agent": expect.stringMatching(/^outrigger\//),
      "content-type": "text/plain",
      "content-length": "15",
    });
    expect(run.sink.connections).toBe(1);
  });

  test("sends what it is told to beside them", async () => {
    const output = await run.open({
      method: "PUT",
      contentType: "text/x-log",
      headers: { "X-Tenant": "shop", "user-agent": "mine" },
      auth: { basic: { user: "a", password: "b" } },
    });
    await output.deliver(batchOf("x\n"));
    expect(run.sink.requests[0]!.method).toBe("PUT");
    expect(run.sink.requests[0]!.headers).toMatchObject({
      "x-tenant": "shop",
      "user-agent": "mine",
      "content-type": "text/x-log",
      authorization: "Basic YTpi",
    });
  });

  test.each(["gzip", "zstd"] as const)("compresses with %s, and a retry is the same byte by byte", async (compress) => {
    run.sink.answer = (_, index) => ({ status: index === 0 ? 503 : 204 });
    const output = await run.open({ compress });
    const batch = batchOf("line of a log\n".repeat(1000), "and more\n");
    expect((await output.deliver(batch)).outcome).toBe("retry");
    expect((await output.deliver(batch)).outcome).toBe("delivered");
    const [first, second] = run.sink.requests;
    expect(first!.raw.equals(second!.raw)).toBe(true);
    expect(first!.headers["content-encoding"]).toBe(compress);
    expect(first!.raw.length).toBeLessThan(1000);
    expect(second!.body.toString()).toBe(`${"line of a log\n".repeat(1000)}and more\n`);
  });

  test("compresses a large body beside the turn", async () => {
    const output = await run.open({ compress: "gzip" });
    const text = `${"0123456789abcdef".repeat(64)}\n`.repeat(6 * 1024);
    expect(await output.deliver(batchOf(text))).toEqual({ outcome: "delivered" });
    expect(run.sink.requests[0]!.body.toString() === text).toBe(true);
  });

  test.each([
    [200, {}, { outcome: "delivered" }],
    [299, {}, { outcome: "delivered" }],
    [408, {}, { outcome: "retry", reason: "408 Status: what it says" }],
    [429, { "Retry-After": "7" }, { outcome: "retry", afterMs: 7_000, cause: "throttled" }],
    [429, { "Retry-After": "Thu, 01 Jan 1970 00:00:09 GMT" }, { outcome: "retry", afterMs: 9_000 }],
    [503, { "Retry-After": "86400" }, { outcome: "retry", afterMs: 300_000 }],
    [500, {}, { outcome: "retry", reason: "500 Status: what it says", cause: "unavailable" }],
    [413, {}, { outcome: "tooLarge", reason: "413 Status: what it says" }],
    [401, {}, { outcome: "retry", reason: expect.stringContaining("check auth"), cause: "forbidden" }],
    [403, {}, { outcome: "retry", reason: expect.stringContaining("check auth") }],
    [404, {}, { outcome: "retry", reason: expect.stringContaining("check url") }],
    [302, { Location: "https://b.test/" }, { outcome: "retry", reason: expect.stringContaining("https://b.test/") }],
    [400, {}, { outcome: "refused", reason: "400 Status: what it says" }],
    [422, {}, { outcome: "refused", reason: "422 Status: what it says" }],
  ])("takes %i %j for %j", async (status, headers, delivery) => {
    run.sink.answer = () => ({ status, headers, body: "what\n  it says" });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\n"))).toMatchObject(delivery);
    expect(run.count("outrigger_log_output_answers_total", { status: String(status) })).toBe(1);
  });

  test.each(["reset", "half", "hang"] as const)("tries again after %s", async (answer) => {
    run.sink.answer = (_, index) => (index === 0 ? answer : { status: 204 });
    const output = await run.open({ timeouts: { request: "300ms" } });
    const batch = batchOf("x\n");
    expect(await output.deliver(batch)).toMatchObject({
      outcome: "retry",
      reason: expect.stringContaining("127.0.0.1"),
    });
    expect(run.count("outrigger_log_output_answers_total", { status: "none" })).toBe(1);
    expect(await output.deliver(batch)).toEqual({ outcome: "delivered" });
  });

  test("gives up at once when the time for draining is over", async () => {
    run.sink.answer = () => "hang";
    const output = await run.open();
    const delivery = output.deliver(batchOf("x\n"));
    while (run.sink.requests.length === 0) await Bun.sleep(2);
    run.end.abort();
    expect(await delivery).toMatchObject({ outcome: "retry" });
  });

  test("asks nobody when nothing is left to send", async () => {
    const output = await run.open();
    expect(await output.deliver({ blocks: [], bytes: 0, count: 0 })).toEqual({ outcome: "delivered" });
    expect(run.sink.requests).toEqual([]);
  });

  test("says at once when a certificate cannot be used", async () => {
    const failed = run.open({ url: "https://logs.test/", tls: { ca: import.meta.path } });
    expect(await failed.catch(String)).toContain("UserError: logs: output test:");
  });

  test.each(["ndjson", "json"] as const)("sends documents as %s", async (format) => {
    run.wall = Date.parse("2026-01-01T00:00:00Z");
    const output = await run.open({ format, pathField: "path" });
    const source = sourceOf({ fields: { app: "shop" } });
    const records = recordBlock([{ fields: { a: [1] }, severity: "error" }, { text: "x\ny" }], source);
    await output.deliver(batchOf(blockOf('one\n{"two":2}\n', 0, source), records));
    const [{ headers, body }] = run.sink.requests as [(typeof run.sink.requests)[number]];
    const text = body.toString();
    const documents =
      format === "json"
        ? JSON.parse(text)
        : text
            .split("\n")
            .slice(0, -1)
            .map((line) => JSON.parse(line));
    const shared = { "@timestamp": "2026-01-01T00:00:00.000Z", app: "shop", path: "/logs/app.log" };
    expect(documents).toEqual([
      { ...shared, message: "one" },
      { ...shared, two: 2 },
      { ...shared, a: [1], level: "error" },
      { ...shared, message: "x\ny" },
    ]);
    expect(headers["content-type"]).toBe(format === "json" ? "application/json" : "application/x-ndjson");
  });

  test("takes no options that contradict each other", () => {
    const fault = (options: object) => {
      const result = http.config.safeParse({ url: "http://a/", ...options });
      return result.success ? undefined : result.error.issues[0]!.message;
    };
    expect(fault({})).toBeUndefined();
    expect(fault({ auth: {} })).toBe("nothing says who we are");
    expect(fault({ auth: { bearer: "a", apiKey: "b" } })).toBe("bearer and apiKey exclude each other");
    expect(fault({ url: "ftp://a/" })).toContain("not a URL");
    expect(fault({ proxy: "https://a/" })).toContain("proxy");
    expect(fault({ contentType: "a\nb" })).toBe("must be a media type");
  });
});

import { describe, expect, test } from "bun:test";
import { asked, readLog, readSummary } from "./h2load.ts";
import { readStatus } from "./origins.ts";

const SAID = `starting benchmark...
spawning thread #0: 32 total client(s). 2000 total requests
Application protocol: h2c
progress: 100% done

finished in 123.45ms, 16200.89 req/s, 1.33MB/s
requests: 2000 total, 2000 started, 2000 done, 1990 succeeded, 10 failed, 3 errored, 0 timeout
status codes: 1990 2xx, 0 3xx, 0 4xx, 7 5xx
traffic: 160.42KB (164272) total, 3.21KB (3288) headers (space savings 98.56%), 125.00KB (128000) data
                     min         max         mean         sd        +/- sd
time for request:      120us      9.81ms      1.92ms       801us    81.35%
`;

describe("h2load", () => {
  test("its summary is read", () => {
    expect(readSummary(SAID)).toEqual({
      total: 2000,
      succeeded: 1990,
      failed: 10,
      status2xx: 1990,
      dataBytes: 128_000,
      seconds: 0.12345,
    });
    expect(readSummary(SAID.replace("123.45ms", "1.50s")).seconds).toBe(1.5);
  });

  test("what is no summary is an error that shows it", () => {
    expect(() => readSummary("client could not connect to host")).toThrow("client could not connect to host");
  });

  test("its log is read by request", () => {
    expect(readLog("1700000000000000\t200\t1500\n1700000000001000\t503\t20\n")).toEqual([
      { status: 200, ms: 1.5 },
      { status: 503, ms: 0.02 },
    ]);
  });

  test("a request becomes a path and fields that HTTP/2 may carry", () => {
    const head = 'GET /a?b=1 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nSec-CH-UA: "Q: 1"\r\n\r\n';
    expect(asked({ requests: () => [Buffer.from(head)] })).toEqual({
      paths: ["/a?b=1"],
      fields: ['sec-ch-ua: "Q: 1"'],
    });
  });
});

test("nginx's status gives connections and requests", () => {
  const text =
    "Active connections: 3 \nserver accepts handled requests\n 12 12 3456 \nReading: 0 Writing: 1 Waiting: 2 \n";
  expect(readStatus(text)).toEqual({ connections: 12, requests: 3456 });
  expect(() => readStatus("404")).toThrow("404");
});

import { describe, expect, test } from "bun:test";
import { pageRefusal } from "./rebinding.ts";

function refusal(fields: Record<string, string>): string | undefined {
  return pageRefusal(new Request("http://127.0.0.1:7410/logs/files", { headers: fields }), 7410);
}

describe("a request to a listener on loopback is", () => {
  test.each(["127.0.0.1:7410", "localhost:7410", "LOCALHOST:7410", "[::1]:7410", "127.0.0.2:7410"])(
    "answered when it names the host %s",
    (host) => expect(refusal({ host })).toBeUndefined(),
  );

  // A page of evil.test whose name was made to point here: the browser takes it for the page's own origin.
  test.each([
    "evil.test:7410",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1:7410.evil.test",
    "localhost.evil.test:7410",
    "",
  ])("refused when it names the host %p", (host) => expect(refusal({ host })).toContain("host"));

  test("refused when a page of another origin sent it", () => {
    const host = "127.0.0.1:7410";
    expect(refusal({ host, origin: "http://127.0.0.1:7410" })).toBeUndefined();
    for (const origin of ["http://evil.test", "null", "https://127.0.0.1:7410", "http://127.0.0.1:8080"]) {
      expect(refusal({ host, origin })).toContain("origin");
    }
  });

  test("refused when a page of another site loads it, and not when a link is followed", () => {
    const site = { host: "127.0.0.1:7410", "sec-fetch-site": "cross-site" };
    expect(refusal({ ...site, "sec-fetch-mode": "no-cors" })).toContain("another site");
    expect(refusal({ ...site, "sec-fetch-mode": "navigate" })).toBeUndefined();
  });
});

import { describe, expect, test } from "bun:test";
import { addressesOverlap, isIpv6, parseAddress, parseUpstream } from "./address.ts";

function address(input: string | number) {
  const result = parseAddress(input);
  if ("problem" in result) throw new Error(result.problem);
  return result.value;
}

describe("an address to listen on", () => {
  const right: [string | number, string | undefined, number, string][] = [
    [8080, undefined, 8080, "8080"],
    ["8080", undefined, 8080, "8080"],
    [":8080", undefined, 8080, "8080"],
    [0, undefined, 0, "0"],
    ["127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"],
    ["localhost:80", "127.0.0.1", 80, "127.0.0.1:80"],
    ["[::1]:443", "::1", 443, "[::1]:443"],
    ["[FD00::A]:443", "fd00::a", 443, "[fd00::a]:443"],
  ];
  for (const [input, host, port, text] of right) {
    test(`reads ${JSON.stringify(input)}`, () => expect(address(input)).toEqual({ host, port, text }));
  }

  for (const input of [
    -1,
    65536,
    80.5,
    "",
    "a",
    "127.0.0.1",
    "127.0.0.256:80",
    "example.com:80",
    "::1:80",
    "[::1]",
    "[1:2]:80",
    "1:2:3",
  ]) {
    test(`refuses ${JSON.stringify(input)}`, () => expect(parseAddress(input)).toHaveProperty("problem"));
  }
});

describe("two addresses collide", () => {
  const pairs: [string, string, boolean][] = [
    ["8080", "8080", true],
    ["8080", "8081", false],
    ["8080", "127.0.0.1:8080", true],
    ["[::1]:8080", "8080", true],
    ["0.0.0.0:8080", "127.0.0.1:8080", true],
    ["0.0.0.0:8080", "[::1]:8080", false],
    ["0.0.0.0:8080", "[::]:8080", true],
    ["[::]:8080", "127.0.0.1:8080", true],
    ["127.0.0.1:8080", "127.0.0.2:8080", false],
    ["127.0.0.1:0", "127.0.0.1:0", false],
  ];
  for (const [a, b, collide] of pairs) {
    test(`${a} and ${b}: ${collide}`, () => {
      expect(addressesOverlap(address(a), address(b))).toBe(collide);
      expect(addressesOverlap(address(b), address(a))).toBe(collide);
    });
  }
});

describe("an upstream", () => {
  test("has a host, a port and an authority", () => {
    expect(parseUpstream("http://127.0.0.1:7878")).toEqual({
      value: {
        scheme: "http",
        host: "127.0.0.1",
        port: 7878,
        authority: "127.0.0.1:7878",
        text: "http://127.0.0.1:7878",
      },
    });
    expect(parseUpstream("HTTP://Payments.Shop/")).toEqual({
      value: {
        scheme: "http",
        host: "payments.shop",
        port: 80,
        authority: "payments.shop",
        text: "http://payments.shop:80",
      },
    });
    expect(parseUpstream("http://[::1]:90")).toMatchObject({ value: { host: "::1", port: 90, authority: "[::1]:90" } });
  });

  test("may be https, and a socket of this machine", () => {
    expect(parseUpstream("https://Payments.Shop")).toEqual({
      value: {
        scheme: "https",
        host: "payments.shop",
        port: 443,
        authority: "payments.shop",
        text: "https://payments.shop:443",
      },
    });
    const socket = {
      scheme: "unix",
      host: "/run/app.sock",
      port: 0,
      authority: "localhost",
      text: "unix:/run/app.sock",
    };
    for (const text of ["unix:/run/app.sock", "unix:///run/app.sock"])
      expect(parseUpstream(text)).toEqual({ value: socket } as unknown as ReturnType<typeof parseUpstream>);
  });

  test("reads h2c, whose port is that of http", () => {
    expect(parseUpstream("H2C://Payments.Shop")).toEqual({
      value: {
        scheme: "h2c",
        host: "payments.shop",
        port: 80,
        authority: "payments.shop",
        text: "h2c://payments.shop:80",
      },
    });
    expect(parseUpstream("h2c://[::1]:90")).toMatchObject({ value: { scheme: "h2c", host: "::1", port: 90 } });
    expect(parseUpstream("h2c://a/b")).toMatchObject({ remedy: "write h2c://a" });
    expect(parseUpstream("h3c://a")).toMatchObject({ remedy: "did you mean h2c://…?" });
  });

  test("a scheme that is nearly right is named", () => {
    expect(parseUpstream("htps://a")).toMatchObject({ remedy: "did you mean https://…?" });
    expect(parseUpstream("unx:///a")).toMatchObject({ remedy: "did you mean unix:/path…?" });
  });

  for (const text of [
    "127.0.0.1:7878",
    "https://a/b",
    "htps://a",
    "service://a",
    "unix:run/app.sock",
    "unix://run/app.sock",
    "unix:/",
    "unix:",
    `unix:/${"a".repeat(107)}`,
    "http://",
    "http://a/b",
    "http://a?b",
    "http://a#b",
    "http://u@a",
    "http://a:99999",
    "http:a",
  ]) {
    test(`is not ${text}`, () => expect(parseUpstream(text)).toHaveProperty("problem"));
  }
});

describe("IPv6 text", () => {
  for (const text of ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "1:2:3:4:5:6:1.2.3.4", "fe80::1"]) {
    test(`is ${text}`, () => expect(isIpv6(text)).toBe(true));
  }
  for (const text of [
    "",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "12345::",
    "::1.2.3",
    "g::",
    "fe80::1%eth0",
    "1.2.3.4::",
  ]) {
    test(`is not ${JSON.stringify(text)}`, () => expect(isIpv6(text)).toBe(false));
  }
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, canMakeCertificates } from "../../test/kit/certificates.ts";
import { CertificateFault, NameChoice, readAuthorities, readKeyPair } from "./certificates.ts";
import { ClientTls } from "./client-tls.ts";
import { alternativeNames } from "./peer.ts";

describe("the choice by name", () => {
  const choice = new NameChoice([
    { names: ["a.test", "*.b.test"], value: "first" },
    { names: ["x.b.test", "a.test", "*.c.b.test"], value: "second" },
  ]);
  test.each([
    ["a.test", "first"],
    ["y.b.test", "first"],
    ["x.b.test", "second"], // the exact name wins
    ["x.c.b.test", "second"],
    ["x.y.b.test", "first"], // a star is one label: nothing fits
    ["b.test", "first"],
    ["c.b.test", "first"],
    ["other", "first"],
    ["", "first"],
    [undefined, "first"],
  ])("of %p is %s", (name, value) => {
    expect(choice.for(name)).toBe(value);
  });
});

describe("alternative names", () => {
  test("are told apart by kind", () => {
    expect(alternativeNames("DNS:a.test, URI:spiffe://a/b, IP Address:10.0.0.1, email:a@b.c")).toEqual([
      "DNS:a.test",
      "URI:spiffe://a/b",
      "IP:10.0.0.1",
      "email:a@b.c",
    ]);
    expect(alternativeNames(undefined)).toEqual([]);
  });

  test("with a comma in them do not look like two", () => {
    expect(alternativeNames('DNS:a.test, URI:"http://e/\\u002c DNS:evil.test"')).toEqual([
      "DNS:a.test",
      "URI:http://e/, DNS:evil.test",
    ]);
  });
});

describe.skipIf(!canMakeCertificates)("files", () => {
  let authority: Authority;
  let folder: string;
  beforeAll(() => {
    authority = new Authority();
    folder = mkdtempSync(join(tmpdir(), "pem-"));
  });
  afterAll(() => {
    authority.remove();
    rmSync(folder, { recursive: true });
  });

  function file(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }

  function fault(read: () => unknown): CertificateFault {
    try {
      read();
    } catch (error) {
      if (error instanceof CertificateFault) return error;
      throw error;
    }
    throw new Error("it could be read");
  }

  test("a pair tells its names and its time", () => {
    const { cert, key } = authority.issue({
      subject: "/CN=common",
      names: "DNS:A.test,DNS:*.b.test,IP:10.0.0.1",
      days: 2,
    });
    const pair = readKeyPair(cert, key);
    expect(pair.names).toEqual(["a.test", "*.b.test"]);
    expect(pair.notAfter - pair.notBefore).toBe(2 * 24 * 3600 * 1000);
    expect(Math.abs(pair.notBefore - Date.now())).toBeLessThan(60_000);
  });

  test("a common name counts only without alternative names", () => {
    const { cert, key } = authority.issue({ subject: "/O=x/CN=Common.test" });
    expect(readKeyPair(cert, key).names).toEqual(["common.test"]);
  });

  test("a chain is kept whole, and its first certificate is the one", () => {
    const { cert, key, pem } = authority.issue({ names: "DNS:a.test" });
    const chain = file("chain.pem", `subject=a\n${pem.cert}${authority.pem}`);
    expect(readKeyPair(chain, key)).toMatchObject({ names: ["a.test"], cert: expect.stringContaining(authority.pem) });
    const wrong = fault(() => readKeyPair(file("reversed.pem", authority.pem + pem.cert), key));
    expect(wrong.message).toContain("is not the key of the certificate in");
    expect(readKeyPair(cert, key).key).toBe(pem.key);
  });

  test("what is wrong is said with the file, and never with a key's text", () => {
    const { cert, key, pem } = authority.issue();
    const other = authority.issue();
    const cases: [string, () => unknown, "cert" | "key", RegExp][] = [
      ["absent", () => readKeyPair(join(folder, "none.pem"), key), "cert", /none\.pem cannot be read \(ENOENT\)/],
      ["empty", () => readKeyPair(file("empty.pem", "\n"), key), "cert", /empty\.pem is empty/],
      ["DER", () => readKeyPair(file("a.der", "\x30\x82\x01"), key), "cert", /holds no certificate in PEM/],
      ["swapped", () => readKeyPair(key, cert), "cert", /holds a key and no certificate/],
      ["cut", () => readKeyPair(file("cut.pem", pem.cert.slice(0, 300)), key), "cert", /is cut off/],
      [
        "damaged",
        () => readKeyPair(file("bad.pem", pem.cert.replace(/\n.{20}/, "\nAAAA")), key),
        "cert",
        /is damaged: its certificate 1/,
      ],
      ["no key", () => readKeyPair(cert, file("no.key", "hello")), "key", /no\.key holds no private key in PEM/],
      ["empty key", () => readKeyPair(cert, file("empty.key", "")), "key", /empty\.key is empty/],
      [
        "cut key",
        () => readKeyPair(cert, file("cut.key", pem.key.slice(0, 80))),
        "key",
        /holds a key that is damaged or cut off/,
      ],
      ["other key", () => readKeyPair(cert, other.key), "key", /is not the key of the certificate in/],
      ["no CA", () => readAuthorities(key), "cert", /holds a key and no certificate/],
      [
        "second",
        () => readAuthorities(file("two.pem", `${pem.cert}${pem.cert.replace(/\n.{20}/, "\nAAAA")}`)),
        "cert",
        /its certificate 2/,
      ],
    ];
    for (const [, read, of, words] of cases) {
      const found = fault(read);
      expect(found.message).toMatch(words);
      expect(found.of).toBe(of);
      expect(found.remedy).not.toBe("");
      expect(found.message + found.remedy).not.toContain(pem.key.split("\n")[1]!);
    }
  });

  test("an encrypted key is named so", () => {
    const { cert, key } = authority.issue();
    const { stdout } = Bun.spawnSync(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x"]);
    expect(fault(() => readKeyPair(cert, file("secret.key", stdout.toString()))).message).toContain(
      "secret.key is encrypted",
    );
  });

  test("equal client options share a key, different ones do not", () => {
    const { cert, key } = authority.issue();
    const base = { ca: authority.ca, serverName: undefined, identity: undefined, insecure: false };
    const keyOf = (more: object, host = "a.test") => ClientTls.read({ ...base, ...more }, host, ["http/1.1"]).key;
    const variants = [
      keyOf({}),
      keyOf({}, "b.test"),
      keyOf({ ca: undefined }),
      keyOf({ insecure: true }),
      keyOf({ identity: { cert, key } }),
      ClientTls.read(base, "a.test", ["h2", "http/1.1"]).key,
    ];
    expect(new Set(variants).size).toBe(variants.length);
    expect(keyOf({ serverName: "a.test" }, "10.0.0.1")).toBe(variants[0]!);
  });
});

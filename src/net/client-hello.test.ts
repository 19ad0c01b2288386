import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { helloMessage, inRecords } from "../../test/kit/tls-hello.ts";
import { type ClientHello, readClientHello } from "./client-hello.ts";
import { Malformed } from "./malformed.ts";

function read(bytes: Uint8Array): ClientHello | string | undefined {
  const hello = readClientHello(bytes);
  return hello instanceof Malformed ? hello.problem : hello;
}

const asked = { serverName: "a.example.com", alpn: ["h2", "http/1.1"] };
const message = helloMessage(asked);

describe("what is asked for", () => {
  test("the server's name and the protocols, cut anywhere", () => {
    const bytes = inRecords(message);
    for (let cut = 0; cut < bytes.length; cut++) expect(read(bytes.subarray(0, cut))).toBeUndefined();
    expect(read(bytes)).toEqual(asked);
    expect(read(Buffer.concat([bytes, Buffer.from("more")]))).toEqual(asked);
  });

  test.each([1, 2, 3, 4, 5, 50, 100])("a message in records of %p bytes", (most) => {
    const bytes = inRecords(message, most);
    for (let cut = 0; cut < bytes.length; cut += 7) expect(read(bytes.subarray(0, cut))).toBeUndefined();
    expect(read(bytes)).toEqual(asked);
  });

  test("names are compared without case and final dot", () => {
    expect(read(inRecords(helloMessage({ serverName: "A.Example.COM." })))).toEqual({
      serverName: "a.example.com",
      alpn: [],
    });
  });

  test("nothing is asked for", () => {
    expect(read(inRecords(helloMessage({})))).toEqual({ serverName: undefined, alpn: [] });
    const bare = Buffer.concat([
      Uint8Array.of(1, 0, 0, 41, 3, 3),
      Buffer.alloc(32),
      Uint8Array.of(0, 0, 2, 0x13, 0x01, 1, 0),
    ]);
    expect(read(inRecords(bare))).toEqual({ serverName: undefined, alpn: [] });
  });

  test("other extensions are passed over", () => {
    const hello = helloMessage({
      ...asked,
      extensions: [
        [0xfe0d, Buffer.alloc(900)],
        [21, Buffer.alloc(0)],
      ],
    });
    expect(read(inRecords(hello))).toEqual(asked);
  });
});

describe("refusals", () => {
  const list = (...bytes: number[]) => Uint8Array.from(bytes);
  test.each([
    ["another record", Buffer.from("15030100020228", "hex")],
    ["another version of records", Buffer.from("1602", "hex")],
    ["an empty record", Buffer.from("1603010000", "hex")],
    ["a record that is too long", Buffer.from("1603014001", "hex")],
    ["another message", inRecords(Buffer.concat([list(2), message.subarray(1)]))],
    ["a message that is too long", inRecords(list(1, 0, 0x40, 0))],
    ["an alert between its records", Buffer.concat([inRecords(message.subarray(0, 50)), list(21, 3, 3, 0, 2, 1, 0)])],
    ["an extension twice", inRecords(helloMessage({ ...asked, extensions: [[0, list(0, 4, 0, 0, 1, 97)]] }))],
    ["an empty list of names", inRecords(helloMessage({ extensions: [[0, list(0, 0)]] }))],
    ["an empty name", inRecords(helloMessage({ serverName: "" }))],
    ["a name of another type", inRecords(helloMessage({ extensions: [[0, list(0, 4, 1, 0, 1, 97)]] }))],
    ["two names", inRecords(helloMessage({ extensions: [[0, list(0, 8, 0, 0, 1, 97, 0, 0, 1, 98)]] }))],
    ["bytes behind the list of names", inRecords(helloMessage({ extensions: [[0, list(0, 4, 0, 0, 1, 97, 0)]] }))],
    ["a name with a NUL", inRecords(helloMessage({ serverName: "a\0.example.com" }))],
    ["a name with a space", inRecords(helloMessage({ serverName: "a b" }))],
    ["a name with other letters", inRecords(helloMessage({ serverName: "b\xfccher.example" }))],
    ["a name of 256 characters", inRecords(helloMessage({ serverName: "a".repeat(256) }))],
    ["an empty protocol", inRecords(helloMessage({ alpn: ["h2", ""] }))],
    ["an empty list of protocols", inRecords(helloMessage({ alpn: [] }))],
    [
      "extensions cut off",
      inRecords(Buffer.concat([list(1, 0, 0, 43, 3, 3), Buffer.alloc(32), list(0, 0, 2, 1, 1, 1, 0, 0, 9)])),
    ],
  ])("%s", (_, bytes) => {
    expect(typeof read(bytes)).toBe("string");
  });

  test("a ClientHello that never ends is given up", () => {
    const endless = inRecords(Buffer.concat([list(1, 0, 0x3f, 0xf0), Buffer.alloc(20_000)]), 1);
    expect(read(endless.subarray(0, 16 * 1024))).toBeUndefined();
    expect(read(endless.subarray(0, 16 * 1024 + 1))).toBe("the ClientHello is longer than 16384 bytes");
  });
});

test("no bytes make it throw, and a verdict does not change with what follows", () => {
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 5 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), edits, fc.nat(400), (most, changes, cut) => {
      const bytes = inRecords(message, most);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const early = read(bytes.subarray(0, cut));
      if (early !== undefined) expect(read(bytes)).toEqual(early);
    }),
    { numRuns: 3000 },
  );
});

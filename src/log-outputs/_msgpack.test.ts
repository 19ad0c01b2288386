import { expect, test } from "bun:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { MsgpackWriter, unpack } from "./_msgpack.ts";

function packed(value: unknown): Uint8Array {
  const out = new MsgpackWriter(1);
  out.value(value);
  return out.bytes;
}

test("whatever JSON has is read back by another library as it was", () => {
  const safe = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll('"__proto__"', '"proto"'));
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const value = safe(json);
      expect(decode(packed(value))).toEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  0,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  -1,
  -32,
  -33,
  -128,
  -129,
  -32_769,
  -(2 ** 31),
  -(2 ** 31) - 1,
  -(2 ** 53) + 1,
  0.5,
  1e300,
])("the number %p", (number) => {
  expect(decode(packed(number))).toBe(number);
});

test.each([0, 31, 32, 255, 256, 65_535, 65_536])("a text, a list, a map and bytes of %p", (length) => {
  const list = new Array<number>(length).fill(1);
  const map = Object.fromEntries(list.map((_, at) => [`k${at}`, at]));
  for (const value of ["x".repeat(length), list, map]) expect(decode(packed(value))).toEqual(value);
  expect(decode(packed(new Uint8Array(length)))).toEqual(new Uint8Array(length));
});

test("a line is text where it is UTF-8, and binary where not", () => {
  for (const [line, expected] of [
    [Buffer.from("grüße"), "grüße"],
    [Buffer.from([0xff, 0x0a]), new Uint8Array([0xff, 0x0a])],
  ] as const) {
    const out = new MsgpackWriter(1);
    out.line(line);
    expect(decode(out.bytes)).toEqual(expected);
  }
});

test("an answer is read at every length it may arrive in, and not before it is whole", () => {
  const answer = ["PONG", true, "", "host", "x".repeat(300), { ack: "a", n: 70_000, none: null }];
  const bytes = Buffer.from(encode(answer));
  for (let length = 0; length < bytes.length; length++) expect(unpack(bytes.subarray(0, length))).toBeUndefined();
  const found = unpack(Buffer.concat([bytes, Buffer.from("more")]));
  expect(found?.end).toBe(bytes.length);
  expect(found?.value).toEqual([
    Buffer.from("PONG"),
    true,
    Buffer.from(""),
    Buffer.from("host"),
    Buffer.from("x".repeat(300)),
    new Map<string, Buffer | number | null>([
      ["ack", Buffer.from("a")],
      ["n", 70_000],
      ["none", null],
    ]),
  ]);
});

test("no bytes make the reader fail but by saying so", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        unpack(Buffer.from(bytes));
      } catch (error) {
        expect((error as Error).message).toMatch(/no place in an answer|too long|too deeply/);
      }
    }),
    { numRuns: 5_000 },
  );
});

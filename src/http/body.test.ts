import { describe, expect, test } from "bun:test";
import { malformed } from "../../test/http/malformed.ts";
import { cut, seeded, seedOf } from "../../test/kit/random.ts";
import { bytesOf } from "../../test/kit/raw.ts";
import {
  type BodyForm,
  type BodyReader,
  ChunkedReader,
  CloseReader,
  encodeChunk,
  endChunks,
  LengthReader,
  noBody,
} from "./body.ts";

interface Fed {
  readonly out: string;
  readonly taken: number;
  readonly fault: string | undefined;
  readonly done: boolean;
  readonly content: number;
}

/** Feeds the pieces one after the other, as far as the reader takes them. */
function feed(reader: BodyReader, pieces: readonly (string | Buffer)[], form: BodyForm = "wire"): Fed {
  const out: Uint8Array[] = [];
  let taken = 0;
  for (const piece of pieces) {
    if (reader.done || reader.fault !== undefined) break;
    taken += reader.feed(bytesOf(piece), form, out);
  }
  return {
    out: Buffer.concat(out).toString("latin1"),
    taken,
    fault: reader.fault,
    done: reader.done,
    content: reader.contentBytes,
  };
}

describe("no body", () => {
  test("takes nothing and is over", () => {
    expect(feed(noBody, ["x"])).toEqual({ out: "", taken: 0, fault: undefined, done: true, content: 0 });
    expect([noBody.completes(0), noBody.completes(1)]).toEqual([true, false]);
  });
});

describe("a body of declared length", () => {
  test.each([[["hello"]], [["he", "llo"]], [["hello", "more"]], [["hellomore"]], [["he", "llomore"]]])(
    "%p",
    (pieces) => {
      expect(feed(new LengthReader(5), pieces)).toEqual({
        out: "hello",
        taken: 5,
        fault: undefined,
        done: true,
        content: 5,
      });
    },
  );

  test("waits for the rest", () => {
    expect(feed(new LengthReader(5), ["hell"])).toMatchObject({ out: "hell", done: false, content: 4 });
  });

  test("knows what completes it", () => {
    const reader = new LengthReader(5);
    feed(reader, ["he"]);
    expect([reader.completes(2), reader.completes(4), reader.done, reader.completes(3), reader.done]).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
  });
});

test("a body that ends with its connection takes everything", () => {
  const reader: BodyReader = new CloseReader();
  expect(feed(reader, ["a", "b"])).toMatchObject({ out: "ab", taken: 2, done: false, content: 2 });
  expect(reader.completes(0)).toBe(false);
});

const bodies: Record<string, [wire: string, kept: string, content: string]> = {
  nothing: ["0\r\n\r\n", "0\r\n\r\n", ""],
  "a chunk": ["5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"],
  "sizes of any case, with zeros": [
    "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
    "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
    "01234567890123456789",
  ],
  extensions: ['5;a=b;c="d"\r\nhello\r\n1;\r\n!\r\n0;x\r\n\r\n', "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"],
  trailers: ["1\r\na\r\n0\r\nX: 1\r\ny:\r\nZ: \xe9\t\r\n\r\n", "1\r\na\r\n0\r\nX: 1\r\ny:\r\nZ: \xe9\t\r\n\r\n", "a"],
  "content that looks like framing": ["5\r\n0\r\n\r\n\r\n0\r\n\r\n", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"],
};

describe("a chunked body", () => {
  describe.each(Object.entries(bodies))("of %s", (_, [wire, kept, content]) => {
    test.each<[string, (wire: string) => string[]]>([
      ["whole", (text) => [text]],
      ["byte by byte", (text) => [...text]],
      ["in two, cut anywhere", (text) => [text]],
      ["with the next message behind it", (text) => [`${text}GET / HTTP/1.1`]],
    ])("%s", (how, pieces) => {
      const cuts = how.startsWith("in two")
        ? Array.from({ length: wire.length - 1 }, (_, at) => [wire.slice(0, at + 1), wire.slice(at + 1)])
        : [pieces(wire)];
      for (const parts of cuts) {
        expect(feed(new ChunkedReader(), parts)).toEqual({
          out: kept,
          taken: wire.length,
          fault: undefined,
          done: true,
          content: content.length,
        });
        expect(feed(new ChunkedReader(), parts, "content")).toEqual({
          out: content,
          taken: wire.length,
          fault: undefined,
          done: true,
          content: content.length,
        });
      }
    });

    test("is not over before its last byte", () => {
      for (let end = 0; end < wire.length; end++)
        expect(feed(new ChunkedReader(), [wire.slice(0, end)])).toMatchObject({ done: false, fault: undefined });
    });
  });

  const rows = malformed.filter(({ code }) => code === "bad_chunk");

  test.each(rows.map((row) => [row.name, row] as const))(
    "is refused at the same byte however it comes, and nothing faulty goes on: %s",
    (_, row) => {
      const text = row.bytes.slice(row.bytes.indexOf("\r\n\r\n") + 4);
      const whole = feed(new ChunkedReader(), [text]);
      expect(whole.fault).toBeDefined();
      for (const form of ["wire", "content"] as const) {
        const bytewise = feed(new ChunkedReader(), [...text], form);
        expect([bytewise.fault, bytewise.taken]).toEqual([whole.fault, whole.taken]);
        expect(bytewise.out).not.toContain("smuggled");
        const good = feed(new ChunkedReader(), [text.slice(0, whole.taken - 1)], form);
        expect({ fault: good.fault, done: good.done }).toEqual({ fault: undefined, done: false });
      }
    },
  );

  test("may have extensions and trailers up to a limit", () => {
    const extension = (size: number) => feed(new ChunkedReader(), [`1;${"x".repeat(size)}\r\na\r\n0\r\n\r\n`]).done;
    expect([extension(1024), extension(1025)]).toEqual([true, false]);
    const trailer = (size: number) => feed(new ChunkedReader(), [`0\r\n${"X: y\r\n".repeat(size / 6)}\r\n`]).done;
    expect([trailer(16_380), trailer(16_386)]).toEqual([true, false]);
  });

  test("may be larger than 32 bits can say", () => {
    const reader = new ChunkedReader();
    expect(feed(reader, ["ffffffffffff\r\n", "abc"])).toMatchObject({ fault: undefined, done: false, content: 3 });
    expect(feed(new ChunkedReader(), ["100000005\r\nhello\r\n0\r\n\r\n"])).toMatchObject({ done: false, content: 12 });
  });

  test("cut at random gives the same, whatever its chunks", () => {
    const random = seeded(seedOf("body"));
    for (let i = 0; i < 500; i++) {
      const chunks = Array.from({ length: random.whole(6) }, () =>
        Buffer.alloc(1 + random.whole(300), random.whole(256)),
      );
      const wire = Buffer.concat([...chunks.flatMap(encodeChunk), endChunks("")]);
      const pieces = cut(wire, random);
      expect(feed(new ChunkedReader(), pieces).out).toBe(wire.toString("latin1"));
      expect(feed(new ChunkedReader(), pieces, "content").out).toBe(Buffer.concat(chunks).toString("latin1"));
    }
  });
});

test("an empty piece is no chunk, as that would end the body", () => {
  expect(encodeChunk(new Uint8Array(0))).toEqual([]);
  expect(Buffer.concat(encodeChunk(Buffer.alloc(26, "x"))).toString()).toBe(`1a\r\n${"x".repeat(26)}\r\n`);
  expect(Buffer.from(endChunks("")).toString()).toBe("0\r\n\r\n");
});

test.each(["X: y\r+", "X: y\0", "\r\r", "X: y\x7f"])(
  "a trailer line that cannot end well is refused at once: %p",
  (line) => {
    expect(feed(new ChunkedReader(), [`0\r\n${line}`]).fault).toBeDefined();
  },
);

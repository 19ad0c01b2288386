import { describe, expect, test } from "bun:test";
import { malformed } from "../../test/http/malformed.ts";
import { goodRequest, mutated } from "../../test/http/messages.ts";
import { seeded, seedOf } from "../../test/kit/random.ts";
import { fieldLines, findField, isCut, keptFields, orderedCuts } from "./field-lines.ts";
import { type HeadLimits, Refusal } from "./head.ts";
import { RequestHead, readRequestHead } from "./request-head.ts";
import { readResponseHead } from "./response-head.ts";

const limits: HeadLimits = { headBytes: 65_536, headFields: 200 };

function read(text: string, own = limits): RequestHead | Refusal | undefined {
  return readRequestHead(Buffer.from(text, "latin1"), own);
}

function good(fields: string): RequestHead {
  const head = read(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  if (!(head instanceof RequestHead)) throw new Error(`refused: ${JSON.stringify(head)}`);
  return head;
}

/** What becomes of a head: its length, the code of its refusal, or undefined while more bytes are needed. */
function verdict(text: string, own = limits): number | string | undefined {
  const head = read(text, own);
  return head instanceof Refusal ? head.code : head?.length;
}

/** Looks at every beginning of the bytes, and returns the first verdict; all later ones must be the same. */
function steadyVerdict(bytes: string): number | string | undefined {
  let first: number | string | undefined;
  for (let end = 1; end <= Math.min(bytes.length, 900); end++) {
    const now = verdict(bytes.slice(0, end));
    first ??= now;
    if (now !== first) throw new Error(`${first} became ${now} after ${JSON.stringify(bytes.slice(0, end))}`);
  }
  return first;
}

describe("the verdict on a head", () => {
  // A body's framing, and that there is no HTTP at all, are others' to judge.
  const others = ["bad_chunk", "tls_on_plain_port"];
  const heads = malformed.filter(({ code, bytes }) => !others.includes(code) && bytes.length < 2000);

  test.each(heads.map((row) => [`${row.code}: ${row.name}`, row] as const))(
    "does not change with further bytes: %s",
    (_, row) => {
      expect(steadyVerdict(row.bytes)).toBe(row.code);
    },
  );

  test("does not change with further bytes, whatever they are", () => {
    const random = seeded(seedOf("head"));
    for (let i = 0; i < 3000; i++) {
      const { bytes } = random.chance(0.5) ? goodRequest(random) : mutated(random);
      expect(() => steadyVerdict(bytes)).not.toThrow();
    }
  });

  test("is the same from the first 4 KiB on", () => {
    for (const size of [4000, 4050, 4060, 4070, 4080, 4090, 4095, 4096, 4097, 5000]) {
      const head = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(size)}\r\nContent-Length: 5\r\n\r\n`;
      expect(verdict(head)).toBe(head.length);
      expect(verdict(head.slice(0, -1))).toBeUndefined();
      expect(verdict(head.replace("5", "x"))).toBe("bad_framing");
    }
  });
});

describe("limits", () => {
  const base = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".length;
  const sized = (bytes: number) => `GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(bytes - base)}\r\n\r\n`;

  test.each([100, 4096, 65_536])("of %p bytes are exact, and what follows the head does not count", (headBytes) => {
    const own = { ...limits, headBytes };
    expect(verdict(sized(headBytes), own)).toBe(headBytes);
    expect(verdict(`${sized(headBytes)}body`, own)).toBe(headBytes);
    expect(verdict(sized(headBytes + 1), own)).toBe("head_too_large");
    expect(verdict(sized(headBytes + 1).slice(0, headBytes), own)).toBe("head_too_large");
    expect(verdict(sized(headBytes + 1).slice(0, headBytes - 1), own)).toBeUndefined();
  });

  test("of fields are exact", () => {
    const own = { ...limits, headFields: 3 };
    const fields = (count: number) => `GET / HTTP/1.1\r\nHost: a\r\n${"X: y\r\n".repeat(count - 1)}\r\n`;
    expect(verdict(fields(3), own)).toBe(fields(3).length);
    expect(verdict(fields(4), own)).toBe("head_too_large");
  });

  test("come after faults that stand before them", () => {
    expect(verdict(`GET / HTTP/1.1\r\nX : y\r\n${"y".repeat(200)}`, { ...limits, headBytes: 100 })).toBe("bad_header");
    expect(verdict(`GET / HTTP/1.1\r\nX: ${"y".repeat(100)}\r\nX : y\r\n`, { ...limits, headBytes: 100 })).toBe(
      "head_too_large",
    );
  });

  test("hold for answers too", () => {
    const answer = readResponseHead(Buffer.from(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(200)}\r\n\r\n`), {
      ...limits,
      headBytes: 100,
    });
    expect(answer).toMatchObject({ code: "upstream_head_too_large" });
  });
});

describe("framing", () => {
  test.each<[string, number, boolean]>([
    ["", -1, false],
    ["Content-Length: 0\r\n", 0, false],
    ["content-length:\t 005 \t\r\n", 5, false],
    ["Content-Length: 999999999999999\r\n", 999_999_999_999_999, false],
    ["Transfer-Encoding: chunked\r\n", -1, true],
    ["TRANSFER-ENCODING:CHUNKED\r\n", -1, true],
  ])("%p", (fields, contentLength, chunked) => {
    expect(good(fields)).toMatchObject({ contentLength, chunked });
  });
});

describe("what Connection says", () => {
  test.each<[string, boolean, boolean]>([
    ["close", true, false],
    ["CLOSE", true, false],
    ["keep-alive", false, true],
    ["Keep-Alive , close", true, true],
    ["x,close,y", true, false],
    ["\tclose\t", true, false],
    ["closed", false, false],
    ["\xa0close", false, false],
    ["", false, false],
    [",,", false, false],
  ])("%p", (value, saysClose, saysKeepAlive) => {
    expect(good(`Connection: ${value}\r\n`)).toMatchObject({ saysClose, saysKeepAlive });
  });

  test("in several lines counts together", () => {
    expect(good("Connection: x\r\nConnection: close\r\n")).toMatchObject({ saysClose: true });
  });
});

describe("fields that go on", () => {
  test.each<[string, string]>([
    ["A: 1\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n"],
    ["TE: x\r\nA: 1\r\nUpgrade: x\r\n", "A: 1\r\n"],
    ["A: 1\r\nKeep-Alive: x\r\nProxy-Connection: x\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n"],
    ["Connection: a, c\r\nA: 1\r\nB: 2\r\nC: 3\r\na: 4\r\n", "B: 2\r\n"],
    ["A: 1\r\nB: 2\r\nConnection: a\r\n", "B: 2\r\n"],
    ["Connection: te, keep-alive, connection\r\nTE: x\r\nA: 1\r\n", "A: 1\r\n"],
    ["Connection: host, content-length\r\nContent-Length: 0\r\n", "Content-Length: 0\r\n"],
    ["Tee: 1\r\nT: 2\r\nConnections: 3\r\nUpgrades: 4\r\n", "Tee: 1\r\nT: 2\r\nConnections: 3\r\nUpgrades: 4\r\n"],
  ])("of %p", (fields, kept) => {
    const head = good(fields);
    expect(keptFields(head)).toBe(`Host: a\r\n${kept}`);
    const lines = [...fieldLines(head)].filter((line) => !isCut(head, line.start));
    expect(lines.map((line) => head.text.slice(line.start, line.end)).join("")).toBe(keptFields(head));
  });

  test("are found by their lower-case name", () => {
    const head = good("X:  1\t\r\nx: 2\r\nConnection: y\r\nY: 3\r\n\r\nZ: 4\r\n");
    expect(["x", "y", "z", "host"].map((name) => findField(head, name))).toEqual(["1, 2", undefined, undefined, "a"]);
  });

  test("are counted to the empty line, whatever follows", () => {
    const head = good("X: 1\r\n");
    const longer = read(`GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\nY: 2\r\n\r\n`) as RequestHead;
    expect([longer.length, keptFields(longer)]).toEqual([head.length, keptFields(head)]);
  });
});

test("cuts come in order, each once", () => {
  expect(orderedCuts(null)).toBeNull();
  expect(orderedCuts([30, 40, 10, 20, 30, 40])).toEqual([10, 20, 30, 40]);
});

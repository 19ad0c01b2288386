import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ConnectionFault } from "./error-codes.ts";
import { FieldSection, type SectionRole } from "./field-section.ts";
import { HeaderDecoder } from "./header-decoder.ts";
import { HeaderEncoder } from "./header-encoder.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

const limits = { headBytes: 65_536, headFields: 200 };

function decoded(decoder: HeaderDecoder, hex: string, role: SectionRole): FieldSection {
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const section = new FieldSection(limits);
  section.begin(role);
  decoder.decode(bytes, 0, bytes.length, section);
  section.end();
  return section;
}

const request = { method: "GET", scheme: "http", path: "/", authority: "www.example.com", fault: "" };

describe("the examples of RFC 7541 appendix C", () => {
  test("C.2.1: a literal that is indexed", () => {
    const section = decoded(
      new HeaderDecoder(4096),
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      "trailers",
    );
    expect(section.lines).toBe("custom-key: custom-header\r\n");
  });

  test("C.2.2 to C.2.4: a literal that is not, one that never is, and an indexed field", () => {
    const decoder = new HeaderDecoder(4096);
    expect(decoded(decoder, "040c 2f73 616d 706c 652f 7061 7468", "request").path).toBe("/sample/path");
    expect(decoded(decoder, "1008 7061 7373 776f 7264 0673 6563 7265 74", "trailers").lines).toBe(
      "password: secret\r\n",
    );
    expect(decoded(decoder, "82", "request").method).toBe("GET");
  });

  for (const [title, blocks] of [
    [
      "C.3: requests without the Huffman code",
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
    ],
    [
      "C.4: requests with the Huffman code",
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
    ],
  ] as const) {
    test(title, () => {
      const decoder = new HeaderDecoder(4096);
      const [first, second, third] = blocks.map((block) => ({ ...decoded(decoder, block, "request") }));
      expect(first).toMatchObject({ ...request, lines: "" });
      expect(second).toMatchObject({ ...request, lines: "cache-control: no-cache\r\n" });
      expect(third).toMatchObject({
        ...request,
        scheme: "https",
        path: "/index.html",
        lines: "custom-key: custom-value\r\n",
      });
    });
  }

  const cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\r\n";
  for (const [title, blocks] of [
    [
      "C.5: answers without the Huffman code, in a table of 256 bytes",
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
      ],
    ],
    [
      "C.6: answers with the Huffman code, in a table of 256 bytes",
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
      ],
    ],
  ] as const) {
    test(title, () => {
      const decoder = new HeaderDecoder(256);
      const [first, second, third] = blocks.map((block) => ({ ...decoded(decoder, block, "response") }));
      const common = (second: string) =>
        `cache-control: private\r\ndate: Mon, 21 Oct 2013 20:13:${second} GMT\r\nlocation: https://www.example.com\r\n`;
      expect(first).toMatchObject({ status: 302, lines: common("21"), fault: "" });
      expect(second).toMatchObject({ status: 307, lines: common("21"), fault: "" });
      expect(third).toMatchObject({
        status: 200,
        lines: `${common("22")}content-encoding: gzip\r\n${cookie}`,
        fault: "",
      });
    });
  }
});

describe("the Huffman code", () => {
  test("every string of octets comes back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        const text = Buffer.from(octets).toString("latin1");
        const coded = Buffer.alloc(octets.length * 4 + 8);
        const length = encodeHuffman(text, coded, 0);
        expect(length).toBe(huffmanLength(text));
        const back = Buffer.alloc(length * 2 + 8);
        expect(decodeHuffman(coded, 0, length, back)).toBe(octets.length);
        expect(back.subarray(0, octets.length).equals(Buffer.from(octets))).toBe(true);
      }),
    );
  });

  test("padding of zeros, padding of a whole octet, and the end-of-string symbol are refused", () => {
    const out = Buffer.alloc(64);
    expect(decodeHuffman(Buffer.from([0x00]), 0, 1, out)).toBe(-1); // 0 is 00000, and 000 pads it
    expect(decodeHuffman(Buffer.from([0x07, 0xff]), 0, 2, out)).toBe(-1);
    expect(decodeHuffman(Buffer.from([0xff, 0xff, 0xff, 0xff]), 0, 4, out)).toBe(-1);
    expect(decodeHuffman(Buffer.from([0x07]), 0, 1, out)).toBe(1);
  });
});

describe("what is not HPACK is refused", () => {
  for (const [title, hex] of [
    ["index 0", "80"],
    ["an index beyond the tables", "be"],
    ["a number of more than 32 bits", "ff ffffffffff0f"],
    ["a number that ends early", "ff"],
    ["a string that ends early", "0003 61"],
    ["a name without a value", "0001 61"],
    ["a table larger than was allowed", "3fe2 1f"],
    ["a size update after a field", "82 20"],
    ["Huffman bits that are no string", "0081 00 00"],
  ] as const)
    test(title, () => expect(() => decoded(new HeaderDecoder(4096), hex, "trailers")).toThrow(ConnectionFault));
});

const names = fc.constantFrom(
  "x-a",
  "X-B",
  "Content-Type",
  "date",
  "authorization",
  "Set-Cookie",
  "x-long-name-of-a-field",
);
const values = fc.oneof(
  fc.constantFrom("", "a", "text/plain", "v".repeat(3000), "\u00e9\u00ff"),
  fc.stringMatching(/^[!-~]{0,40}$/),
);
const fieldLists = fc.array(fc.tuple(names, values), { maxLength: 12 });

test("heads come back, however the tables are resized meanwhile", () => {
  const step = fc.record({ fields: fieldLists, resize: fc.option(fc.constantFrom(0, 64, 200, 4096, 65_536)) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const encoder = new HeaderEncoder();
      const decoder = new HeaderDecoder(65_536);
      for (const { fields, resize } of steps) {
        if (resize !== null) encoder.setTableSize(resize);
        const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
        const block = encoder.response(`HTTP/1.1 200 OK\r\n${lines}\r\n`);
        const section = new FieldSection({ headBytes: 1e9, headFields: 1e9 });
        section.begin("response");
        decoder.decode(block, 0, block.length, section);
        section.end();
        expect(section.fault).toBe("");
        expect(section.status).toBe(200);
        expect(section.lines).toBe(fields.map(([name, value]) => `${name.toLowerCase()}: ${value}\r\n`).join(""));
      }
    }),
    { numRuns: 300 },
  );
});

test("what repeats costs a byte or two from the third time on", () => {
  const encoder = new HeaderEncoder();
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nServer: nginx/1.22.1\r\n\r\n";
  const sizes = [1, 2, 3].map(() => encoder.response(head).length);
  expect(sizes[0]).toBeGreaterThan(25);
  expect(sizes[2]).toBe(3);
});

test("a request's Host becomes :authority, and what belongs to an HTTP/1 connection stays behind", () => {
  const head =
    "POST /a?b HTTP/1.1\r\nAccept: */*\r\nhost: example.com:81\r\nConnection: x\r\nTE: gzip\r\ntransfer-encoding: chunked\r\nX-Y: z\r\n\r\n";
  const block = new HeaderEncoder().request(head, "http");
  const section = new FieldSection(limits);
  section.begin("request");
  new HeaderDecoder(4096).decode(block, 0, block.length, section);
  section.end();
  expect({ ...section }).toMatchObject({
    method: "POST",
    path: "/a?b",
    authority: "example.com:81",
    lines: "accept: */*\r\nx-y: z\r\n",
    fault: "",
  });
});

test("authorization and short cookies are never indexed, nor is what a peer has marked so", () => {
  const encoder = new HeaderEncoder();
  const head = "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nauthorization: secret\r\nx-marked-by-test: 1\r\n\r\n";
  const marking = Buffer.from(`1010${Buffer.from("x-marked-by-test").toString("hex")}0131`, "hex");
  const section = new FieldSection(limits);
  section.begin("trailers");
  new HeaderDecoder(4096).decode(marking, 0, marking.length, section);
  expect(section.lines).toBe("x-marked-by-test: 1\r\n");
  const sizes = [1, 2, 3].map(() => encoder.response(head).length);
  expect(new Set(sizes).size).toBe(1);
  const block = encoder.response(head);
  expect(block[1]).toBe(0x1f); // never indexed, index 55: set-cookie
});

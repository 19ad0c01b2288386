import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";
import { Malformed } from "./malformed.ts";
import { type ProxyHeader, proxyHeader, readProxyHeader } from "./proxy-protocol.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");

function v2(verCmd: number, family: number, body: Uint8Array, length = body.length): Buffer {
  return Buffer.concat([signature, Uint8Array.of(verCmd, family, length >> 8, length & 255), body]);
}

function tlv(type: number, value: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(type, value.length >> 8, value.length & 255), value]);
}

const ipv4 = Uint8Array.of(192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb);
const ends4 = { source: { address: "192.0.2.1", port: 56324 }, destination: { address: "198.51.100.2", port: 443 } };

function read(bytes: Uint8Array | string): ProxyHeader | string | undefined {
  const header = readProxyHeader(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  return header instanceof Malformed ? header.problem : header;
}

/** Every proper beginning needs more, and the whole gives the header whatever follows. */
function expectWhole(bytes: Buffer, ends: ProxyHeader["ends"], version: 1 | 2): void {
  for (let cut = 0; cut < bytes.length; cut++) expect(read(bytes.subarray(0, cut))).toBeUndefined();
  for (const more of ["", "GET / HTTP/1.1\r\n", "\0".repeat(5000)])
    expect(read(Buffer.concat([bytes, Buffer.from(more)]))).toEqual({ version, length: bytes.length, ends });
}

describe("version 1", () => {
  test("IPv4 and IPv6, cut anywhere", () => {
    expectWhole(Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), ends4, 1);
    const ends6 = { source: { address: "2001:db8::1", port: 1 }, destination: { address: "::1", port: 65535 } };
    expectWhole(Buffer.from("PROXY TCP6 2001:0DB8:0:0:0:0:0:1 ::1 1 65535\r\n"), ends6, 1);
  });

  test("a mapped IPv4 address is written as sockets report it", () => {
    const header = read("PROXY TCP6 ::ffff:10.0.0.1 ::ffff:10.0.0.2 1 2\r\n") as ProxyHeader;
    expect(header.ends?.source.address).toBe("10.0.0.1");
  });

  test("UNKNOWN keeps the real peer, whatever the rest of the line says", () => {
    expectWhole(Buffer.from("PROXY UNKNOWN\r\n"), undefined, 1);
    expectWhole(Buffer.from("PROXY UNKNOWN ffff:f...f:ffff is what it says 65535\r\n"), undefined, 1);
  });

  test("the longest line is taken, one byte more is not", () => {
    const line = (size: number) => `PROXY UNKNOWN ${"x".repeat(size - 16)}\r\n`;
    expect(read(line(107))).toMatchObject({ length: 107 });
    expect(read(line(108))).toBe("the PROXY line is longer than 107 bytes");
    expect(read(line(500).slice(0, 106))).toBeUndefined();
    expect(read(line(500).slice(0, 107))).toBe("the PROXY line is longer than 107 bytes");
  });

  test.each([
    "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
    "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 56324 0443\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
    "PROXY TCP4 192.0.2.01 198.51.100.2 56324 443\r\n",
    "PROXY TCP4 192.0.2.256 198.51.100.2 56324 443\r\n",
    "PROXY TCP4 ::1 ::1 56324 443\r\n",
    "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 56324 443\r\n",
    "PROXY TCP6 1::2::3 ::1 56324 443\r\n",
    "PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "PROXY \r\n",
    "PROXY tcp4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "PROXY UNKNOWN\n",
    "PROXY UNKNOWN\rX",
    "PROXY UNKNOWN\n\r\n",
    "proxy UNKNOWN\r\n",
    "PROXZ",
    "GET / HTTP/1.1\r\n",
    "P\0",
    "\r\n\r\nGET",
  ])("refuses %j", (line) => {
    expect(typeof read(line)).toBe("string");
  });
});

describe("version 2", () => {
  test("IPv4 and IPv6, cut anywhere", () => {
    expectWhole(v2(0x21, 0x11, ipv4), ends4, 2);
    const ipv6 = new Uint8Array(36);
    ipv6.set([0x20, 0x01, 0x0d, 0xb8], 0);
    ipv6.set([1, 2, 3, 4], 32);
    const ends = { source: { address: "2001:db8::", port: 258 }, destination: { address: "::", port: 772 } };
    expectWhole(v2(0x21, 0x21, ipv6), ends, 2);
  });

  test("TLVs are skipped", () => {
    expectWhole(
      v2(0x21, 0x11, Buffer.concat([ipv4, tlv(0x02, Buffer.from("x.test")), tlv(0x04, Buffer.alloc(300))])),
      ends4,
      2,
    );
  });

  test("LOCAL, UNSPEC and UNIX keep the real peer", () => {
    expectWhole(v2(0x20, 0x00, new Uint8Array(0)), undefined, 2);
    expectWhole(v2(0x20, 0xff, Buffer.from("anything")), undefined, 2);
    expectWhole(v2(0x21, 0x00, new Uint8Array(0)), undefined, 2);
    expectWhole(v2(0x21, 0x31, new Uint8Array(216)), undefined, 2);
  });

  test("a right checksum is taken, a wrong one refused", () => {
    const block = v2(0x21, 0x11, Buffer.concat([ipv4, tlv(3, new Uint8Array(4)), tlv(4, Buffer.from("noop"))]));
    const at = 16 + 12 + 3;
    block.writeUInt32BE(crc32c(block), at);
    expectWhole(block, ends4, 2);
    for (const flipped of [12, 16, 27, at, at + 3, block.length - 1]) {
      const other = Buffer.from(block);
      other[flipped]! ^= 1;
      if (flipped === 12) continue; // the command: another header, not a wrong one
      expect(read(other)).toBe("the checksum of the PROXY header is wrong");
    }
    expect(read(v2(0x21, 0x11, Buffer.concat([ipv4, tlv(3, new Uint8Array(3))])))).toContain("checksum");
  });

  test("the checksum is the Castagnoli one", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  test.each([
    ["version 1 in the binary form", v2(0x11, 0x11, ipv4)],
    ["version 3", v2(0x31, 0x11, ipv4)],
    ["an unknown command", v2(0x22, 0x11, ipv4)],
    ["an unknown family", v2(0x21, 0x41, ipv4)],
    ["an unknown transport", v2(0x21, 0x13, ipv4)],
    ["addresses cut off", v2(0x21, 0x11, ipv4.subarray(0, 11))],
    ["a TLV head cut off", v2(0x21, 0x11, Buffer.concat([ipv4, Uint8Array.of(4, 0)]))],
    ["a TLV cut off", v2(0x21, 0x11, Buffer.concat([ipv4, Uint8Array.of(4, 0, 9, 1)]))],
    ["a wrong signature", Buffer.from("0d0a0d0a000d0a515549540b", "hex")],
  ])("refuses %s", (_, bytes) => {
    expect(typeof read(bytes)).toBe("string");
  });

  test("a header that announces too much is refused before it is waited for", () => {
    expect(read(v2(0x21, 0x11, ipv4, 4096))).toBe("the PROXY header is longer than 4096 bytes");
    expect(read(v2(0x21, 0x11, ipv4, 4080))).toBeUndefined();
  });
});

describe("writing", () => {
  const port = fc.integer({ min: 0, max: 65535 });
  const group = fc.nat(65535).map((value) => value.toString(16));
  const ipv6 = fc.array(fc.oneof(fc.constant("0"), group), { minLength: 8, maxLength: 8 }).map((all) => all.join(":"));
  const address = fc.oneof(fc.ipV4(), ipv6, fc.constantFrom("::1", "fe80::1", "::ffff:10.0.0.1"));
  const endpoint = fc.record({ address, port });

  test("what is written is read back as the same addresses", () => {
    fc.assert(
      fc.property(fc.constantFrom(1 as const, 2 as const), endpoint, endpoint, (version, source, destination) => {
        const bytes = proxyHeader(version, source, destination);
        const header = read(bytes) as ProxyHeader;
        expect(header).toMatchObject({ version, length: bytes.length });
        expect(header.ends?.source.port).toBe(source.port);
        expect(header.ends?.destination.port).toBe(destination.port);
        expect(canonical(header.ends!.source.address)).toBe(canonical(source.address));
        expect(canonical(header.ends!.destination.address)).toBe(canonical(destination.address));
      }),
    );
  });

  test("a connection of our own is UNKNOWN or LOCAL", () => {
    expect(Buffer.from(proxyHeader(1, undefined, ends4.destination)).toString()).toBe("PROXY UNKNOWN\r\n");
    expect(read(proxyHeader(2, undefined, ends4.destination))).toEqual({ version: 2, length: 16, ends: undefined });
  });

  test("a destination that is a name says nothing of addresses", () => {
    expect(read(proxyHeader(1, ends4.source, { address: "app.local", port: 1 }))).toMatchObject({ ends: undefined });
  });
});

function canonical(address: string): string {
  const text = new URL(`http://${address.includes(":") ? `[${address}]` : address}`).hostname;
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(text);
  if (mapped === null) return text;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

test("no bytes at all make it throw, and a verdict does not change with what follows", () => {
  const start = fc.constantFrom(
    Buffer.from("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"),
    v2(0x21, 0x11, ipv4),
    v2(0x20, 0, ipv4),
  );
  fc.assert(
    fc.property(
      start,
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
      fc.nat(60),
      (base, edits, cut) => {
        const bytes = Buffer.from(base);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        const early = read(bytes.subarray(0, Math.min(cut, bytes.length)));
        if (early !== undefined) expect(read(bytes)).toEqual(early);
      },
    ),
    { numRuns: 2000 },
  );
});

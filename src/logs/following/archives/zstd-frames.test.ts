import { expect, test } from "bun:test";
import { constants, zstdCompressSync } from "node:zlib";
import { seeded, seedOf } from "../../../../test/kit/random.ts";
import { ZstdFrames } from "./zstd-frames.ts";

const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

test("a stream is whole where a frame ends and nowhere else, in any pieces", () => {
  const { next: random } = seeded(seedOf("zstd frames"));
  for (let round = 0; round < 40; round++) {
    const content = Buffer.from(
      Array.from({ length: random() ** 3 * 400_000 }, () => random() * (round % 2 ? 4 : 256)),
    );
    const frames = [
      zstdCompressSync(content, random() < 0.5 ? checksum : {}),
      // A frame of no content that decompressors pass over.
      Buffer.from([0x50 + (round % 16), 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]),
      zstdCompressSync(Buffer.alloc(random() * 300_000), checksum),
    ];
    const bytes = Buffer.concat(frames);
    const ends = new Set([0, frames[0]!.length, frames[0]!.length + frames[1]!.length, bytes.length]);
    const walk = new ZstdFrames();
    for (let at = 0; at < bytes.length; ) {
      expect([at, walk.isWhole]).toEqual([at, ends.has(at)]);
      const step = random() < 0.5 ? 1 : Math.ceil(random() * 50_000);
      walk.take(bytes.subarray(at, at + step));
      at += step;
    }
    expect(walk.isWhole).toBe(true);
  }
});

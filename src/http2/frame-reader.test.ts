import { expect, test } from "bun:test";
import fc from "fast-check";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { Flag, FrameType, frameHeadBytes, preface, writeFrameHead } from "./frames.ts";

/** Writes down what it is told, with the pieces of DATA joined. */
class Notes implements FrameSink {
  readonly events: string[] = [];
  private content = "";

  begins(type: number, flags: number, streamId: number, length: number): void {
    this.events.push(`begins ${type} ${flags} ${streamId} ${length}`);
  }
  frame(type: number, _flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    this.events.push(`frame ${type} ${streamId} ${bytes.toString("hex", start, end)}`);
  }
  dataBegins(_flags: number, streamId: number, length: number, content: number): void {
    this.events.push(`data ${streamId} ${length} ${content}`);
  }
  data(bytes: Buffer, last: boolean): void {
    this.content += bytes.toString("hex");
    if (last) this.events.push(`content ${this.content}`);
    if (last) this.content = "";
  }
}

function encoded(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes + payload.length);
  writeFrameHead(bytes, 0, payload.length, type, flags, streamId);
  bytes.set(payload, frameHeadBytes);
  return bytes;
}

const plain = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0x7fff_ffff }), fc.uint8Array({ maxLength: 60 }))
  .map(([type, streamId, payload]) => encoded(type, 0, streamId, payload));
const padded = fc
  .tuple(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 40 }))
  .map(([content, padding]) =>
    encoded(FrameType.DATA, Flag.PADDED, 1, Uint8Array.from([padding, ...content, ...new Uint8Array(padding)])),
  );

test("frames are the same however they are cut into packets", () => {
  const sessions = fc.array(fc.oneof(plain, padded), { maxLength: 8 });
  fc.assert(
    fc.property(sessions, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 60 }), (frames, cuts) => {
      const bytes = Buffer.concat([preface, ...frames]);
      const whole = new Notes();
      new FrameReader(whole, true).read(bytes);
      const cut = new Notes();
      const reader = new FrameReader(cut, true);
      let at = 0;
      for (const size of [...cuts, bytes.length]) {
        reader.read(bytes.subarray(at, at + size));
        at += size;
      }
      expect(cut.events).toEqual(whole.events);
      expect(whole.events.filter((event) => event.startsWith("begins"))).toHaveLength(frames.length);
    }),
    { numRuns: 500 },
  );
});

test("what is no preface, a frame that is too large and too much padding end the reading", () => {
  const read = (bytes: Uint8Array, expectsPreface = false) =>
    new FrameReader(new Notes(), expectsPreface).read(Buffer.from(bytes));
  expect(() => read(Buffer.from("GET / HTTP/1.1\r\n"), true)).toThrow("preface");
  expect(() => read(Buffer.from("PRJ"), true)).toThrow("preface");
  expect(() => read(encoded(FrameType.DATA, 0, 1, new Uint8Array(16_385)))).toThrow("16385");
  expect(() => read(encoded(FrameType.DATA, Flag.PADDED, 1, Uint8Array.of(3, 0, 0)))).toThrow("padding");
  expect(() => read(encoded(FrameType.DATA, Flag.PADDED, 1, new Uint8Array(0)))).toThrow("padding");
  expect(() => read(encoded(FrameType.DATA, Flag.PADDED, 1, Uint8Array.of(2, 0, 0)))).not.toThrow();
});

import { expect, setDefaultTimeout, test } from "bun:test";
import { RecordRing } from "./record-ring.ts";

// Other work may share these cores.
setDefaultTimeout(60_000);

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

test("lines come out in order, whole, across the end of the ring and in any script", () => {
  const memory = RecordRing.allocate(64);
  const writer = new RecordRing(memory);
  const reader = new RecordRing(memory);
  expect(reader.take()).toBeUndefined();
  let sent = "";
  let got = "";
  for (let i = 0; i < 500; i++) {
    const line = `${i} ${[..."日é😀x"].slice(0, i % 5).join("")}`;
    expect(writer.append(line)).toBe(true);
    sent += `${line}\n`;
    if (i % 2 === 1) got += text(reader.take());
  }
  expect(got).toBe(sent);
});

test("a line that does not fit is refused, and nothing of it is left", () => {
  const ring = new RecordRing(RecordRing.allocate(16));
  expect(ring.append("12345678901234567")).toBe(false);
  expect(ring.append("123456789012345")).toBe(true);
  expect(ring.append("")).toBe(false);
  expect(text(ring.take())).toBe("123456789012345\n");
  expect(ring.append("")).toBe(true);
  expect(text(ring.take())).toBe("\n");
});

test("positions go on beyond 2^32", () => {
  const memory = RecordRing.allocate(16);
  new Uint32Array(memory, 0, 2).fill(2 ** 32 - 5);
  const ring = new RecordRing(memory);
  for (const line of ["abc", "defgh", "i"]) {
    expect(ring.append(line)).toBe(true);
    expect(text(ring.take())).toBe(`${line}\n`);
  }
});

test("one thread appends while another takes", async () => {
  const memory = RecordRing.allocate(1024);
  const code = `
    import { RecordRing } from ${JSON.stringify(`${import.meta.dir}/record-ring.ts`)};
    self.onmessage = ({ data }) => {
      const ring = new RecordRing(data);
      for (let i = 0; i < 20_000; ) if (ring.append("record " + i)) i++;
    };`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "application/typescript" })));
  worker.postMessage(memory);
  const ring = new RecordRing(memory);
  let next = 0;
  const end = performance.now() + 10_000;
  while (next < 20_000 && performance.now() < end) {
    for (const line of (text(ring.take()) ?? "").split("\n").slice(0, -1)) expect(line).toBe(`record ${next++}`);
    await Bun.sleep(0);
  }
  worker.terminate();
  expect(next).toBe(20_000);
});

test("what waits can be thrown away, and is counted by lines", () => {
  const ring = new RecordRing(RecordRing.allocate(16));
  expect(ring.discard()).toBe(0);
  for (let round = 0; round < 10; round++) {
    for (const line of ["one", "", "é"]) expect(ring.append(line)).toBe(true);
    expect(ring.discard()).toBe(3);
  }
  expect(ring.waiting).toBe(0);
});

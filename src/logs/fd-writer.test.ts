import { afterEach, beforeEach, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { systemClock } from "../clock.ts";
import { FdWriter } from "./fd-writer.ts";

let folder: string;
let open: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fd-writer-"));
  open = [];
});

afterEach(() => {
  for (const fd of open) closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

/** A named pipe: the read end never blocks, the write end is a blocking one like a container's stdout. */
function pipe(): { reader: number; writer: number } {
  const path = join(folder, "pipe");
  const made = Bun.spawnSync(["mkfifo", path]);
  expect(made.exitCode).toBe(0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  open.push(reader, writer);
  return { reader, writer };
}

function readSome(fd: number, most = 1 << 20): Buffer {
  const buffer = Buffer.alloc(most);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch {
    return Buffer.alloc(0);
  }
}

/** Bytes that differ at every place, so that a lost or repeated piece shows. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) * 13) & 0xff;
  return bytes;
}

test("writes go out whole and in order through a full pipe, and the promise waits for the last byte", async () => {
  const { reader, writer } = pipe();
  const out = new FdWriter(writer, systemClock);
  const bytes = pattern(500_000);
  let done = false;
  const first = out.write(bytes).then(() => {
    done = true;
  });
  const second = out.write(new TextEncoder().encode("the end\n"));
  await Bun.sleep(20);
  expect(done).toBe(false);
  expect(out.pending).toBeGreaterThan(400_000);

  const got: Buffer[] = [];
  const end = Date.now() + 10_000;
  while (Buffer.concat(got).length < bytes.length + 8 && Date.now() < end) {
    got.push(readSome(reader, 30_000));
    await Bun.sleep(1);
  }
  await Promise.all([first, second]);
  const all = Buffer.concat(got);
  expect(all.subarray(0, bytes.length).equals(Buffer.from(bytes))).toBe(true);
  expect(all.subarray(bytes.length).toString()).toBe("the end\n");
  expect(out.pending).toBe(0);
  out.close();
});

test("a reader that stalls never blocks the thread, and the shared descriptor stays blocking", async () => {
  const { writer } = pipe();
  const out = new FdWriter(writer, systemClock);
  void out.write(pattern(1 << 20));
  const start = performance.now();
  for (let i = 0; i < 20; i++) await Bun.sleep(1);
  expect(performance.now() - start).toBeLessThan(2_000);
  expect(out.pending).toBeGreaterThan(0);
  const flags = Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${writer}`, "latin1"))![1]!, 8);
  expect(flags & constants.O_NONBLOCK).toBe(0);
  out.close();
});

test("a reader that left is reported once, the bytes wait, and a new reader gets them", async () => {
  const path = join(folder, "pipe");
  const { reader, writer } = pipe();
  const codes: string[] = [];
  const out = new FdWriter(writer, systemClock, { onBroken: (code) => codes.push(code) });
  closeSync(open.splice(open.indexOf(reader), 1)[0]!);
  const written = out.write(new TextEncoder().encode("kept\n"));
  await Bun.sleep(5);
  expect(codes).toEqual(["EPIPE"]);
  expect(out.broken).toBe(true);
  expect(out.pending).toBe(5);

  const again = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  open.push(again);
  await written;
  expect(readSome(again).toString()).toBe("kept\n");
  expect(codes).toEqual(["EPIPE"]);
  out.close();
}, 10_000);

test("a regular file keeps its shared offset", async () => {
  const path = join(folder, "out");
  writeFileSync(path, "before\n");
  const fd = openSync(path, "r+");
  open.push(fd);
  readSome(fd);
  const out = new FdWriter(fd, systemClock);
  await out.write(new TextEncoder().encode("after\n"));
  expect(readFileSync(path, "utf8")).toBe("before\nafter\n");
  out.close();
});

test("flushSync gives up at its deadline and says so", () => {
  const { reader, writer } = pipe();
  const out = new FdWriter(writer, systemClock);
  void out.write(pattern(100_000));
  const start = performance.now();
  expect(out.flushSync(30)).toBe(false);
  expect(performance.now() - start).toBeGreaterThanOrEqual(30);
  readSome(reader);
  expect(out.flushSync(1_000)).toBe(true);
  expect(out.pending).toBe(0);
  out.close();
});

test("a socket cannot be opened again and is written without blocking all the same", async () => {
  // Bun gives its children sockets for stdio; nobody reads this one for a while.
  const code = `
    import { fstatSync } from "node:fs";
    import { FdWriter } from ${JSON.stringify(join(import.meta.dir, "fd-writer.ts"))};
    const out = new FdWriter(1, { now: () => performance.now(), wall: () => Date.now() });
    let ticks = 0;
    setInterval(() => ticks++, 5);
    await out.write(new Uint8Array(3_000_000).fill(120));
    process.stderr.write(fstatSync(1).isSocket() + " " + ticks);
    process.exit(0);`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "pipe"] });
  await Bun.sleep(400);
  let total = 0;
  for await (const piece of child.stdout) total += piece.length;
  const [socket, ticks] = (await text(child.stderr)).split(" ");
  expect(total).toBe(3_000_000);
  expect(socket).toBe("true");
  expect(Number(ticks)).toBeGreaterThan(10);
});

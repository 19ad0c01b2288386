/** What the image is given to run its programs with. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { needsOf } from "./elf.ts";
import { librariesOf } from "./libraries.ts";
import { outputOf } from "./programs.ts";

/** Any program of this machine that links several libraries which link others in turn. */
const programs = [process.execPath, Bun.which("curl") ?? process.execPath];

describe.each([...new Set(programs)])("%s", (program) => {
  test("needs what ldd says", () => {
    const told = outputOf(["ldd", program]).matchAll(/^\t(?:\S+ => )?(\/\S+) \(0x/gm);
    const names = [...told].map(([, path]) => basename(path!)).sort();
    const found = librariesOf([program], "/").map(({ path }) => basename(path));
    expect(found.sort()).toEqual(names);
  });

  test("names its loader by the path that the kernel will take", () => {
    const { interpreter } = needsOf(readFileSync(program));
    expect(interpreter).toStartWith("/lib");
    expect(librariesOf([program], "/").map(({ path }) => path)).toContain(interpreter!);
  });
});

test("a library that is nowhere is named, with who needs it", () => {
  const empty = mkdtempSync(join(tmpdir(), "outrigger-root-"));
  try {
    expect(() => librariesOf([process.execPath], empty)).toThrow(
      /bun(\.exe)? needs libc\.so\.6, which is not below .*outrigger-root-/,
    );
  } finally {
    rmSync(empty, { recursive: true });
  }
});

describe("what is no program", () => {
  const header = readFileSync(process.execPath).subarray(0, 64);
  const changed = (at: number, value: number) => Buffer.from(header).fill(value, at, at + 1);
  test.each([
    ["a script", Buffer.from("#!/bin/sh\n".padEnd(80)), "not an ELF file of 64 bits, little-endian"],
    ["nothing", Buffer.alloc(0), "not an ELF file of 64 bits, little-endian"],
    ["one of 32 bits", changed(4, 1), "not an ELF file of 64 bits, little-endian"],
    ["one for RISC-V", changed(18, 243), "built for machine 243, not amd64 or arm64"],
  ])("%s is refused", (_, bytes, reason) => {
    expect(() => needsOf(bytes)).toThrow(reason);
  });

  test("a linker script among the libraries says so", () => {
    const folder = mkdtempSync(join(tmpdir(), "outrigger-elf-"));
    const file = join(folder, "libc.so");
    writeFileSync(file, "GROUP ( /lib/x86_64-linux-gnu/libc.so.6 )\n".repeat(3));
    expect(() => librariesOf([file], "/")).toThrow("not an ELF file");
    rmSync(folder, { recursive: true });
  });
});

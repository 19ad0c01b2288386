/** Golden pairs: what goes in above a ruler, what comes out below it. `UPDATE_GOLDEN=1` rewrites what is below. */
import { expect } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ruler = `${"-".repeat(80)}\n`;

export interface GoldenPair {
  /** The file's name without its ending. */
  readonly name: string;
  readonly input: string;
  /** Compares what came out with what is below the ruler, or writes it there. */
  check(output: string): void;
}

/** The pairs of `test/golden/<folder>`. */
export function goldenPairs(folder: string): GoldenPair[] {
  const place = join(import.meta.dirname, "../golden", folder);
  const files = readdirSync(place).filter((file) => file.endsWith(".golden"));
  if (files.length === 0) throw new Error(`${place} holds no golden pairs`);
  return files.map((file) => pairOf(join(place, file), file.replace(/\.golden$/, "")));
}

function pairOf(path: string, name: string): GoldenPair {
  const text = readFileSync(path, "utf8");
  const at = text.indexOf(ruler);
  if (at < 0) throw new Error(`${path} has no ruler`);
  const input = text.slice(0, at);
  return {
    name,
    input,
    check(output) {
      if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, `${input}${ruler}${output}`);
      else expect(output).toBe(text.slice(at + ruler.length));
    },
  };
}

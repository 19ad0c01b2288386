/** `npm run check`: types, lint and format, generated files, the house's rules. Runs all of them, whatever fails. */
import { join } from "node:path";
import { generate } from "./gen.ts";
import { houseFaults } from "./house.ts";

const root = join(import.meta.dirname, "..");

async function program(name: string, ...words: string[]): Promise<boolean> {
  const child = Bun.spawn([join(root, "node_modules/.bin", name), ...words], {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.exited) === 0;
}

function told(sentences: readonly string[]): boolean {
  for (const sentence of sentences) process.stdout.write(`${sentence}\n`);
  return sentences.length === 0;
}

const steps: readonly [name: string, step: () => Promise<boolean>][] = [
  ["types", () => program("tsc", "-p", ".")],
  ["lint and format", () => program("biome", "check", "--error-on-warnings", ".")],
  [
    "generated files",
    async () => told((await generate(root, true)).map((path) => `${path} is stale: run \`npm run gen\`.`)),
  ],
  ["house rules", async () => told(await houseFaults(root))],
];

let failed = 0;
for (const [name, step] of steps) {
  const passed = await step();
  process.stdout.write(`${passed ? "ok    " : "FAILED"} ${name}\n`);
  if (!passed) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;

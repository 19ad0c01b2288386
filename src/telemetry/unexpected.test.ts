import { expect, test } from "bun:test";
import { join } from "node:path";

const module = join(import.meta.dirname, "unexpected.ts");

/** Runs a program in a process of its own, with every event as a line on stdout. */
async function run(body: string): Promise<{ code: number; lines: string[] }> {
  const program = `
    import { surviveUnexpected } from ${JSON.stringify(module)};
    const end = surviveUnexpected((event, fields) => process.stdout.write(JSON.stringify([event, fields]) + "\\n"));
    ${body}`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
  const text = await new Response(child.stdout).text();
  return { code: await child.exited, lines: text.split("\n").filter((line) => line !== "") };
}

test("errors nobody caught are said with their origin and survived", async () => {
  const { code, lines } = await run(`
    setTimeout(() => { throw new RangeError("too far"); }, 1);
    Promise.reject(new Error("nobody waits"));
    Promise.reject("a text");
    setTimeout(() => process.stdout.write('["alive",{}]\\n'), 50);
  `);
  expect(code).toBe(0);
  const events = lines.map((line) => JSON.parse(line));
  const told = events.filter(([event]) => event === "unexpected_error").map(([, fields]) => fields);
  expect(told.map(({ origin, error }) => `${origin}: ${error}`).sort()).toEqual([
    "uncaught exception: RangeError: too far",
    "unhandled rejection: Error: nobody waits",
    "unhandled rejection: a text",
  ]);
  expect(told.find(({ error }) => error.includes("too far")).stack).toContain("too far");
  expect(events.at(-1)).toEqual(["alive", {}]);
});

test("once it is ended, an error ends the process again", async () => {
  const { code } = await run('end(); setTimeout(() => { throw new Error("late"); }, 1); setTimeout(() => {}, 500);');
  expect(code).not.toBe(0);
});

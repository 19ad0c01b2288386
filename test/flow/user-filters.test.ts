/** Filters in a real sidecar: edited while traffic flows, standing still, wrong, mended. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";

let pod: Pod;
afterEach(async () => {
  await pod.remove();
});

const filter = (body: string, imports = "") =>
  `import { defineFilter } from "outrigger";\n${imports}export default defineFilter({ phase: "shape", ${body} });\n`;

const saying = (text: string) => filter(`request() { return { status: 200, body: ${JSON.stringify(text)} }; }`);

function config(entry: string): string {
  return `inbound:\n  - { listen: "127.0.0.1:0", filters: [${entry}], routes: [{ respond: { status: 204 } }] }\n`;
}

async function start(text?: string): Promise<SidecarProcess> {
  const sidecar = await pod.start(text);

  return sidecar;
}

async function ask(sidecar: SidecarProcess, path = "/"): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://${sidecar.address()}${path}`);
  return { status: answer.status, text: await answer.text() };
}

const answers = (sidecar: SidecarProcess, text: string) =>
  until(async () => (await ask(sidecar)).text === text, { what: `the answer ${text}` });

describe("a filter that is edited", () => {
  test("takes effect while traffic flows, and no request fails", async () => {
    pod = new Pod();
    pod.file("f.ts", saying("0"));
    const sidecar = await start(config("./f.ts"));
    let isOver = false;
    let asked = 0;
    const wrong: string[] = [];
    const clients = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const { status, text } = await ask(sidecar);
        asked++;
        if (status !== 200) wrong.push(text);
      }
    });
    const times: number[] = [];
    for (let n = 1; n <= 5; n++) {
      const editedAt = performance.now();
      pod.file("f.ts", saying(String(n)));
      await answers(sidecar, String(n));
      times.push(performance.now() - editedAt);
    }
    isOver = true;
    await Promise.all(clients);
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(100);
    process.stderr.write(`edits took effect after ${times.map(Math.round).join(", ")} ms\n`);
  }, 60_000);

  test("in a file it imports takes effect, too", async () => {
    pod = new Pod();
    pod.file("lib/text.ts", `export const text = "one";`);
    pod.file(
      "f.ts",
      filter("request() { return { status: 200, body: text }; }", `import { text } from "./lib/text.ts";\n`),
    );
    const sidecar = await start(config("./f.ts"));
    expect((await ask(sidecar)).text).toBe("one");
    pod.file("lib/text.ts", `export const text = "two";`);
    await answers(sidecar, "two");
  });

  test("and is wrong keeps the old one, says where, and is noticed when it is mended: also in a file that was missing", async () => {
    pod = new Pod();
    pod.file("f.ts", saying("old"));
    const sidecar = await start(config("./f.ts"));
    pod.file("f.ts", filter("request() { return { status: 200, body: text }; }", `import { text } from "./new.ts";\n`));
    const rejected = await sidecar.event("config_rejected");
    expect(String(rejected.faults)).toContain(`${pod.folder}/f.ts:2:22 Could not resolve: "./new.ts"`);
    expect((await ask(sidecar)).text).toBe("old");
    pod.file("new.ts", `export const text = "mended";`);
    await answers(sidecar, "mended");
  });

  test("in a ConfigMap takes effect when `..data` is swapped", async () => {
    pod = new Pod();
    const write = (version: string, text: string) => {
      mkdirSync(join(pod.folder, "map", version), { recursive: true });
      writeFileSync(
        join(pod.folder, "map", version, "f.ts"),
        filter("request() { return { status: 200, body: text }; }", `import { text } from "./part.ts";\n`),
      );
      writeFileSync(join(pod.folder, "map", version, "part.ts"), `export const text = "${text}";`);
    };
    const map = join(pod.folder, "map");
    write("..1", "first");
    symlinkSync("..1", join(map, "..data"));
    for (const file of ["f.ts", "part.ts"]) symlinkSync(`..data/${file}`, join(map, file));
    const sidecar = await start(config("./map/f.ts"));
    expect((await ask(sidecar)).text).toBe("first");
    for (const [version, text] of [
      ["..2", "second"],
      ["..3", "third"],
    ] as const) {
      write(version, text);
      symlinkSync(version, join(map, "..next"));
      renameSync(join(map, "..next"), join(map, "..data"));
      rmSync(join(map, version === "..2" ? "..1" : "..2"), { recursive: true });
      await answers(sidecar, text);
    }
  });
});

test("a filter runs in every thread that carries traffic, changes in all of them, and is named when one stands still", async () => {
  pod = new Pod();
  const counting = (text: string) =>
    filter(`metrics: { outrigger_seen_total: { kind: "counter", doc: "Requests seen." } },
      create(_, { metrics }) {
        const seen = metrics.counter("outrigger_seen_total");
        return { request(x) { if (x.path === "/loop") for (;;) {} seen.add(1); return { status: 200, body: "${text}" }; } };
      }`);
  pod.file("f.ts", counting("one"));
  const sidecar = await start(`concurrency: 2\n${config("./f.ts")}`);
  for (let i = 0; i < 20; i++) expect((await ask(sidecar)).text).toBe("one");
  expect(await sidecar.metric("outrigger_seen_total")).toBe(20);
  pod.file("f.ts", counting("two"));
  await sidecar.event("config_applied");
  for (let i = 0; i < 20; i++) expect((await ask(sidecar)).text).toBe("two");
  ask(sidecar, "/loop").catch(() => undefined);
  expect(await sidecar.event("filter_stalled")).toMatchObject({ filter: "f" });
  expect(await sidecar.exited).toBe(70);
}, 60_000);

test("a container that starts again with a wrong file runs the version it kept", async () => {
  pod = new Pod();
  pod.file("f.ts", saying("good"));
  const first = await start(config("./f.ts"));
  const versions = join(pod.folder, "state/filters");
  const kept = () => (existsSync(versions) ? readdirSync(versions).filter((name) => name.endsWith(".js")) : []);
  await until(() => kept().length === 1, { what: "a kept version" });
  pod.file("f.ts", saying("better"));
  await answers(first, "better");
  await first.stop();
  expect(kept()).toHaveLength(1);
  pod.file("f.ts", `${saying("broken")} }`);
  const second = await start();
  expect((await ask(second)).text).toBe("better");
  expect(String((await second.event("config_last_good_used")).faults)).toContain("f.ts:3:2");
  pod.file("f.ts", saying("mended"));
  await answers(second, "mended");
});

describe("a filter in which the thread stands still", () => {
  const looping = filter(`request(x) { if (x.path === "/loop") for (;;) {} return { status: 200, body: "fine" }; }`);

  test("is named, the process ends, and the next one answers 503 until the file changes", async () => {
    pod = new Pod();
    pod.file("f.ts", looping);
    const first = await start(config("./f.ts"));
    expect((await ask(first)).text).toBe("fine");
    ask(first, "/loop").catch(() => undefined);
    const stalled = await first.event("filter_stalled");
    expect(stalled).toMatchObject({ filter: "f", file: `${pod.folder}/f.ts`, level: "error" });
    expect(await first.exited).toBe(70);
    const kept = JSON.parse(readFileSync(join(pod.folder, "state/stalled-filters.json"), "utf8"));
    expect(kept).toMatchObject([{ name: "f" }]);
    const second = await start();
    expect((await ask(second)).status).toBe(503);
    expect(await second.metric('outrigger_filter_stopped{filter="f",listener="127.0.0.1:0"}')).toBe(1);
    pod.file("f.ts", saying("mended"));
    await answers(second, "mended");
  }, 60_000);

  test("for some seconds only is stopped at once; where it may be passed over, traffic goes on without it", async () => {
    pod = new Pod();
    pod.file(
      "f.ts",
      filter(
        `request(x) { const end = Date.now() + (x.path === "/slow" ? 3500 : 0); while (Date.now() < end); return { status: 200, body: "ran" }; }`,
      ),
    );
    const sidecar = await start(config("{ use: ./f.ts, onError: skip }"));
    expect((await ask(sidecar)).text).toBe("ran");
    await ask(sidecar, "/slow");
    await sidecar.event("filter_stopped");
    expect((await ask(sidecar)).status).toBe(204);
  }, 60_000);

  test("while it is loaded does not keep the next process from starting", async () => {
    pod = new Pod();
    pod.file("f.ts", `${saying("never")}for (;;) {}\n`);
    const first = pod.spawn(config("{ use: ./f.ts, onError: skip }"));
    expect(await first.exited).toBe(70);
    const second = await start();
    expect((await ask(second)).status).toBe(204);
  }, 60_000);
});

test("a sidecar without filters starts no watchdog", async () => {
  pod = new Pod();
  const threads = (sidecar: SidecarProcess) =>
    /Threads:\s+(\d+)/.exec(readFileSync(`/proc/${sidecar.pid}/status`, "utf8"))![1];
  const plain = await start(config(""));
  const count = threads(plain);
  await plain.stop();
  pod.file("f.ts", saying("x"));
  const filtered = await start(config("./f.ts"));
  expect(Number(threads(filtered))).toBeGreaterThan(Number(count));
});

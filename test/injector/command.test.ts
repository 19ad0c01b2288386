/** `outrigger inject` as a command: what it is given, what it refuses, and how it is run again with other words. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseManifest } from "../../src/injector/yaml-text.ts";
import { runInject } from "../kit/manifest-goldens.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "outrigger-inject-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec:\n  containers: [{ name: web, image: web }]\n";
const deployment = (name: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name} }\nspec:\n  selector: {}\n  template:\n    spec:\n      containers:\n        - name: web\n          image: web\n`;

describe("it is refused, with what would be right:", () => {
  const cases: [words: string[], code: number, said: RegExp][] = [
    [[], 2, /no manifests: name them with -f FILE, or give them to stdin with -f -/],
    [["-f", join(folder, "absent.yaml")], 1, /absent\.yaml: the file does not exist; name a manifest with -f/],
    [
      ["-f", file("a.yaml", pod), "--set", "log-pth=/x"],
      2,
      /there is no annotation "log-pth"; did you mean log-path\?/,
    ],
    [["-f", file("b.yaml", pod), "--set", "log-path"], 2, /it has no value; write NAME=VALUE/],
    [
      ["-f", file("c.yaml", pod), "--inbound", "all"],
      1,
      /pod\/web: outrigger\.dev\/inbound: "all" is not known; allowed are/,
    ],
    [
      ["-f", file("d.yaml", pod), "-c", file("wrong.yaml", "inbond: []\n")],
      1,
      /wrong\.yaml:1:1 inbond: unknown key "inbond"; did you mean "inbound"\?/,
    ],
    [["-f", file("e.yaml", pod), "--uninject", "--explain"], 2, /give one of them/],
  ];
  for (const [words, code, said] of cases)
    test(words.slice(1).join(" ") || "no words", async () => {
      const run = await runInject(words);
      expect([run.code, run.out]).toEqual([code, ""]);
      expect(run.err).toMatch(said);
    });
});

test("one wrong pod, and nothing is made of all the others", async () => {
  const wrong = file(
    "wrong-pod.yaml",
    pod.replace("{ name: web }", "{ name: web, annotations: { outrigger.dev/x: y } }"),
  );
  const run = await runInject(["-f", file("right.yaml", pod), "-f", wrong]);
  expect([run.code, run.out]).toEqual([1, ""]);
});

test("several files come out as one, in their order, each document once", async () => {
  const config = join(root, "samples/forward-requests/outrigger.yaml");
  const [a, b] = [file("1.yaml", deployment("a")), file("2.yaml", `---\n${deployment("b")}---\n${deployment("a")}`)];
  const { out } = await runInject(["-f", a, "-f", b, "-c", config]);
  const named = out.split(/^---$/m).filter((text) => text.trim() !== "");
  const objects = named.map((text) => parseManifest(text).toJS() as { kind: string; metadata: { name: string } });
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    "ConfigMap a-outrigger",
    "Deployment a",
    "ConfigMap b-outrigger",
    "Deployment b",
    "Deployment a",
  ]);
});

test("run again with other words, it changes what it made before", async () => {
  const once = await runInject(["-f", file("x.yaml", deployment("web")), "--image", "outrigger:old"]);
  const path = file("once.yaml", once.out);
  const again = await runInject(["-f", path, "--image", "outrigger:new", "--set", "log-path=/var/log/web"]);
  expect(again.err).toMatch(/deployment\/web: injected$/m);
  const direct = await runInject([
    "-f",
    file("y.yaml", deployment("web")),
    "--image",
    "outrigger:new",
    "--set",
    "log-path=/var/log/web",
  ]);
  expect(parseManifest(again.out).toJS()).toEqual(parseManifest(direct.out).toJS());
  const back = await runInject(["-f", file("again.yaml", again.out), "--uninject"]);
  expect(back.out).toBe(deployment("web"));
});

test("what comes by stdin goes to stdout, what is said to stderr", async () => {
  const child = Bun.spawn([process.execPath, join(root, "src/main.ts"), "inject", "-f", "-"], {
    stdin: new Blob([pod]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect([code, err.split("\n")[0]]).toEqual([0, "-:1 pod/web: injected"]);
  expect(out.startsWith("apiVersion: v1\nkind: Pod\n")).toBe(true);
  expect(out).toContain("- name: outrigger\n");
}, 30_000);

import { expect, test } from "bun:test";
import { formatFaults, inspectConfig } from "./load.ts";

async function faultsOf(entry: string): Promise<string> {
  const text = `state: /tmp\nlogs:\n  - ${entry}\n`;
  const result = await inspectConfig("/app/outrigger.yaml", { env: {}, text });
  return result.ok === false ? formatFaults(result.faults) : "";
}

test.each([
  ["itself", "files: [/logs/*.log]", "/logs/all.log", "/logs/all.log"],
  ["by a relative pattern", "files: [logs/**]", "logs/deep/all", "/app/logs/deep/all"],
  ["once it is rotated", "files: ['/logs/*.log*']", "/logs/x/../all.log, rotate: { size: 1MiB }", "/logs/all.log"],
  ["only once it is rotated", "files: ['/logs/*.1']", "/logs/all.log, rotate: { size: 1MiB }", "/logs/all.log.1"],
  ["with places filled in", "files: [/logs/*/*.log]", "'/logs/{fields.app}/{date}.log'", "/logs/0/0.log"],
])("an entry that would collect what it writes is a fault: %s", async (_, files, path, named) => {
  const said = await faultsOf(`{ ${files}, to: [stdout, { file: { path: ${path} } }] }`);
  expect(said).toContain(`would collect what it writes here: its patterns take ${named}`);
  expect(said).toContain("logs[0].to[1]");
});

test("an entry that would collect its own dead letters is a fault", async () => {
  const said = await faultsOf("{ files: ['/logs/*'], to: [{ stdout: {}, deadLetters: { file: /logs/dead.ndjson } }] }");
  expect(said).toContain("logs[0].to[0]: this entry would collect what it writes here: its patterns take /logs/dead");
});

test.each([
  ["another folder", "files: [/logs/*.log], to: [{ file: { path: /archive/all.log } }]"],
  ["a name left out", "files: { paths: [/logs/*.log], exclude: [all.log] }, to: [{ file: { path: /logs/all.log } }]"],
  ["a folder left out", "files: { paths: [/l/**], exclude: [/l/out/*] }, to: [{ file: { path: /l/out/a } }]"],
])("an entry that writes elsewhere is right: %s", async (_, entry) => {
  expect(await faultsOf(`{ ${entry} }`)).toBe("");
});

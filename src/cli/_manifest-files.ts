/** What `outrigger inject` is given: files of manifests, flags that stand for annotations, a configuration. */
import { readFileSync } from "node:fs";
import { formatFaults, inspectConfig } from "../config/load.ts";
import { nearest } from "../config/names.ts";
import { fileTrouble } from "../config/reading.ts";
import { UserError } from "../errors.ts";
import { type AnnotationName, annotations, isAnnotationName } from "../injector/annotations.ts";
import type { ManifestSource } from "../injector/manifests.ts";

/** Reads the files, in the order given. */
export async function readManifests(files: readonly string[]): Promise<ManifestSource[]> {
  if (files.length === 0)
    throw new UserError("no manifests: name them with -f FILE, or give them to stdin with -f -", 2);
  return await Promise.all(files.map(async (file) => ({ file, text: await readText(file) })));
}

async function readText(file: string): Promise<string> {
  if (file === "-") return await Bun.stdin.text();
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: the file ${fileTrouble(error)}; name a manifest with -f`, 1);
  }
}

interface SettingFlags {
  readonly image: string | undefined;
  readonly imagePullPolicy: string | undefined;
  readonly lifecycle: string | undefined;
  readonly inbound: string | undefined;
  readonly capture: string | undefined;
  readonly set: readonly string[];
}

/** The flags as annotations: whoever reads the manifest sees them, and the webhook does the same with it. */
export function readSettingFlags(flags: SettingFlags): Partial<Record<AnnotationName, string>> {
  const { image, imagePullPolicy, lifecycle, inbound, capture } = flags;
  const named = { image, "image-pull-policy": imagePullPolicy, lifecycle, inbound, capture };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), ...Object.fromEntries(flags.set.map(settingOf)) };
}

function settingOf(written: string): [AnnotationName, string] {
  const at = written.indexOf("=");
  const name = written.slice(0, at).replace(/^outrigger\.dev\//, "");
  if (at < 0) throw new UserError(`--set ${written}: it has no value; write NAME=VALUE`, 2);
  if (isAnnotationName(name)) return [name, written.slice(at + 1)];
  const near = nearest(name, Object.keys(annotations));
  const remedy = near === undefined ? `known are ${Object.keys(annotations).join(", ")}` : `did you mean ${near}?`;
  throw new UserError(`--set ${written}: there is no annotation "${name}"; ${remedy}`, 2);
}

/** The text of a configuration that is right as far as can be told here. */
export async function readConfigText(file: string, env: Readonly<Record<string, string | undefined>>): Promise<string> {
  const result = await inspectConfig(file, { env, keepReferences: true });
  if (result.ok === false) throw new UserError(formatFaults(result.faults), 1);
  return readFileSync(file, "utf8");
}

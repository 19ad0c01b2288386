/**
 * What no single option can know: names that stand twice, addresses that collide, keys that exclude each other,
 * routes no request reaches. Reads the document before its schemas made anything of it, so that these faults are
 * found beside all others.
 */

import { listenerFindings } from "./across-listeners.ts";
import type { Registry } from "./drop-ins.ts";
import { keyOf } from "./drop-ins.ts";
import type { Finding } from "./faults.ts";
import { isMap, itemsOf, memberOf, type Path, textOf } from "./raw.ts";
import { filterListFindings } from "./user-filters.ts";

/** All findings across options. */
export async function acrossFindings(document: unknown, registry: Registry): Promise<Finding[]> {
  return [
    ...listenerFindings(document, ["filters", ...Object.keys(registry.filters).map(keyOf)]),
    ...filterListFindings(document),
    ...logFindings(document, registry),
    ...(await scheduleFindings(document)),
  ];
}

/** One name and where it stands. */
export interface NamedPlace {
  readonly name: string | undefined;
  readonly path: Path;
}

/** A finding for each name that an earlier place has already. */
export function duplicateNames(places: readonly NamedPlace[], what: string): Finding[] {
  const first = new Map<string, Path>();
  return places.flatMap(({ name, path }) => {
    if (name === undefined) return [];
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, path);
    return earlier === undefined
      ? []
      : [{ path, problem: `the name "${name}" is that of another ${what}`, remedy: "give each a name of its own" }];
  });
}

/** The names given under a list. */
export function namesIn(items: readonly unknown[], under: Path): NamedPlace[] {
  return items.map((item, at) => ({ name: textOf(item, "name"), path: [...under, at, "name"] }));
}

function logFindings(document: unknown, registry: Registry): Finding[] {
  const logs = itemsOf(document, "logs");
  const inputs = Object.keys(registry.logInputs).map(keyOf);
  const transforms = Object.keys(registry.logTransforms).map(keyOf);
  const outputs = Object.keys(registry.logOutputs).map(keyOf);
  return [
    ...duplicateNames(namesIn(logs, ["logs"]), "entry of logs"),
    ...logs.flatMap((entry, at) => oneDropIn(entry, inputs, ["logs", at], "input")),
    ...logs.flatMap((entry, at) =>
      itemsOf(entry, "transform").flatMap((item, nth) =>
        oneDropIn(item, transforms, ["logs", at, "transform", nth], "transform"),
      ),
    ),
    ...logs.flatMap((entry, at) => outputFindings(itemsOf(entry, "to"), outputs, ["logs", at, "to"])),
  ];
}

function outputFindings(items: readonly unknown[], outputs: readonly string[], path: Path): Finding[] {
  const used = items.map((item, at): NamedPlace => {
    const kind = isMap(item) ? outputs.find((key) => key in item) : undefined;
    const name = textOf(item, "name");
    return name === undefined ? { name: kind, path: [...path, at] } : { name, path: [...path, at, "name"] };
  });
  const twice = duplicateNames(used, "output in this list").map((finding) => ({
    ...finding,
    remedy: "give each a name of its own: { name: second, … }",
  }));
  return [...twice, ...items.flatMap((item, at) => oneDropIn(item, outputs, [...path, at], "output"))];
}

/** Keys of an entry, of an output or of a transform that are no drop-in. */
const besideDropIns = new Set(["name", "fields", "pod", "transform", "to", "batch", "retry", "deadLetters"]);

function oneDropIn(entry: unknown, keys: readonly string[], path: Path, what: string): Finding[] {
  if (!isMap(entry)) return [];
  const given = keys.filter((key) => key in entry);
  if (given.length === 1) return [];
  const others = Object.keys(entry).filter((key) => !besideDropIns.has(key));
  // An unknown key is told about already, with the name it could have been.
  if (given.length === 0 && others.length > 0) return [];
  const problem = given.length === 0 ? `there is no ${what} here` : `${given.join(" and ")} are two ${what}s in one`;
  return [{ path, problem, remedy: given.length === 0 ? `add one of: ${keys.join(", ")}` : "write an entry for each" }];
}

async function scheduleFindings(document: unknown): Promise<Finding[]> {
  const schedules = itemsOf(document, "schedules");
  const each = await Promise.all(schedules.map((schedule, at) => clockFindings(schedule, ["schedules", at])));
  return [...duplicateNames(namesIn(schedules, ["schedules"]), "schedule"), ...each.flat()];
}

async function clockFindings(schedule: unknown, path: Path): Promise<Finding[]> {
  if (!isMap(schedule)) return [];
  const [every, cron] = [memberOf(schedule, "every"), memberOf(schedule, "cron")];
  const remedy = 'write either every: 15s or cron: "*/5 * * * *"';
  if (every === undefined && cron === undefined) return [{ path, problem: "the schedule has no time", remedy }];
  const wrong = typeof cron === "string" ? await cronFindings(cron, [...path, "cron"]) : [];
  if (every === undefined || cron === undefined) return wrong;
  return [{ path: [...path, "cron"], atKey: true, problem: "every and cron exclude each other", remedy }, ...wrong];
}

async function cronFindings(expression: string, path: Path): Promise<Finding[]> {
  if (expression.includes("${")) return [];
  const reason = await cronTrouble(expression);
  const remedy = 'write five fields such as "*/5 * * * *", or six with seconds first';
  return reason === undefined ? [] : [{ path, problem: `"${expression}" ${reason}`, remedy }];
}

/** Why an expression cannot be used, as the end of a sentence about it. The library is loaded only for documents that have one. */
async function cronTrouble(expression: string): Promise<string | undefined> {
  const fields = expression.trim().split(/\s+/).length;
  if (fields !== 5 && fields !== 6) return `has ${fields} ${fields === 1 ? "field" : "fields"}`;
  const { Cron } = await import("croner");
  try {
    // From a fixed day on, so that the same text is right or wrong on every day.
    return new Cron(expression, { paused: true }).nextRun(new Date(0)) === null ? "never comes" : undefined;
  } catch (error) {
    return `is not a cron expression: ${(error as Error).message.replace(/^CronPattern: /, "")}`;
  }
}

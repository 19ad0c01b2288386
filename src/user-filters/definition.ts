/** What a filter file exports, looked at: a definition that can be used, or what is wrong with it. */
import * as z from "zod";
import { nearest } from "../config/names.ts";
import { type Direction, type Phase, phases } from "../contracts.ts";
import type { Hooks, UserFilterDefinition } from "./author.ts";
import { isUserFilter } from "./modules.ts";

/** A definition with nothing left open. */
export interface SoundFilter extends UserFilterDefinition {
  readonly phase: Phase;
  readonly directions: readonly Direction[];
  readonly config: z.ZodType;
}

export interface Unsound {
  readonly problem: string;
  readonly remedy: string;
}

export const hookNames = ["request", "response", "requestBody", "responseBody", "attempt", "done"] as const;
export type HookName = (typeof hookNames)[number] & keyof Hooks<unknown>;

const directions: readonly Direction[] = ["inbound", "outbound"];
const texts = ["name", "doc"] as const;
const functions = [...hookNames, "create", "explain"] as const;
const members = [...texts, ...functions, "phase", "directions", "config", "events", "metrics"];

/** Reads a default export. The sentences continue "the filter …". */
export function soundFilter(exported: unknown): SoundFilter | Unsound {
  if (exported === undefined)
    return { problem: "has no default export", remedy: "write `export default defineFilter({ … })`" };
  if (!isUserFilter(exported))
    return { problem: "exports something else than a filter", remedy: "write `export default defineFilter({ … })`" };
  const wrong = wrongMember(exported) ?? wrongHooks(exported) ?? wrongPlace(exported);
  if (wrong !== undefined) return wrong;
  const { phase = "shape", config = z.strictObject({}) } = exported;
  return { ...exported, phase, config, directions: exported.directions ?? directions };
}

function wrongMember(definition: UserFilterDefinition): Unsound | undefined {
  for (const [key, value] of Object.entries(definition)) {
    if (key === "kind" || value === undefined) continue;
    if (!members.includes(key)) return unknownMember(key);
    if (functions.some((name) => name === key) && typeof value !== "function")
      return { problem: `has ${article(key)} that is no function`, remedy: `write ${key}(x, config) { … }` };
    if (texts.some((name) => name === key) && typeof value !== "string")
      return { problem: `has ${article(key)} that is no text`, remedy: `write ${key}: "…"` };
  }
  if (definition.name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(definition.name))
    return {
      problem: `has the name ${JSON.stringify(definition.name)}`,
      remedy: "write letters, digits, dots and dashes",
    };
  return typeof definition.config?.safeParse === "function" || definition.config === undefined
    ? undefined
    : { problem: "has a config that is no schema", remedy: 'write one with `import * as z from "outrigger/zod"`' };
}

function article(key: string): string {
  return `${/^[aeiou]/.test(key) ? "an" : "a"} ${key}`;
}

function unknownMember(key: string): Unsound {
  const near = nearest(key.replace(/^on(?=[A-Z])/, ""), members);
  const remedy = near === undefined ? `known here: ${members.join(", ")}` : `did you mean "${near}"?`;
  return { problem: `has an unknown member "${key}"`, remedy };
}

function wrongHooks(definition: UserFilterDefinition): Unsound | undefined {
  const hooks = hookNames.filter((name) => definition[name] !== undefined);
  if (definition.create !== undefined && hooks.length > 0)
    return { problem: `has create and ${hooks[0]}`, remedy: `return ${hooks[0]} from create, or remove create` };
  if (definition.create === undefined && hooks.length === 0)
    return { problem: "has no hook", remedy: `write one of ${hookNames.join(", ")}, or create` };
  if (definition.attempt !== undefined && definition.phase !== "attempt")
    return { problem: "has an attempt hook in another phase", remedy: 'write phase: "attempt"' };
  return undefined;
}

function wrongPlace({ phase, directions: given }: UserFilterDefinition): Unsound | undefined {
  if (phase === undefined) return { problem: "has no phase", remedy: `add phase: with ${phases.join(", ")}` };
  if (!phases.includes(phase)) {
    const near = nearest(String(phase), phases);
    const remedy = near === undefined ? `write ${phases.join(", ")}` : `did you mean "${near}"?`;
    return { problem: `has the unknown phase ${JSON.stringify(phase)}`, remedy };
  }
  const isRight = given === undefined || (Array.isArray(given) && given.length > 0 && given.every(isDirection));
  return isRight ? undefined : { problem: "has wrong directions", remedy: 'write ["inbound"], ["outbound"] or both' };
}

function isDirection(value: unknown): boolean {
  return directions.some((direction) => direction === value);
}

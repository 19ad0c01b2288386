/** Entries of `logs:` made real: inputs and outputs created together, so that a reload takes effect whole or not at all. */
import { join, resolve } from "node:path";
import type {
  LogFields,
  LogInput,
  LogInputDefinition,
  LogOutputDefinition,
  LogTransformDefinition,
  Thread,
} from "../contracts.ts";
import { UserError } from "../errors.ts";
import { OutputQueue, type OutputQueueOptions } from "./delivery/batch.ts";
import { DeadLetterFile, type DeadLetters, noDeadLetters } from "./delivery/dead-letters.ts";
import { defaultDeadLetterBytes, type OutputPolicy } from "./delivery/policy.ts";
import type { CheckpointFile } from "./keeping/checkpoint.ts";
import { Chain, type Link } from "./shaping/chain.ts";
import { ChainCounters } from "./shaping/chain-counters.ts";
import { Shaping } from "./shaping/shaping.ts";
import type { Taps } from "./tap.ts";

/** One entry of `logs:` as the config hands it over. */
export interface LogEntry {
  readonly name: string;
  readonly input: { readonly use: string; readonly options: unknown };
  /** Of every record. */
  readonly fields?: LogFields;
  /** In order; names are unique within the entry. */
  readonly transforms?: readonly NamedDropIn[];
  readonly outputs: readonly WantedOutput[];
}

interface NamedDropIn {
  readonly name: string;
  readonly use: string;
  readonly options: unknown;
}

export interface WantedOutput extends NamedDropIn {
  readonly policy?: OutputPolicy | undefined;
}

/** The drop-ins there are. */
export interface LogRegistry {
  readonly logInputs: Readonly<Record<string, () => Promise<{ default: LogInputDefinition }>>>;
  readonly logTransforms: Readonly<Record<string, () => Promise<{ default: LogTransformDefinition }>>>;
  readonly logOutputs: Readonly<Record<string, () => Promise<{ default: LogOutputDefinition }>>>;
}

export interface RouteParts {
  readonly thread: Thread;
  /** The folder relative paths start from. */
  readonly folder: string;
  /** The log worker's own folder. */
  readonly stateFolder: string;
  readonly registry: LogRegistry;
  /** Opened by the first entry that is made. */
  readonly checkpoint: () => CheckpointFile;
  readonly stdout: { write(bytes: Uint8Array): Promise<void> };
  readonly queue: OutputQueueOptions;
  /** Whoever watches lines on their way to outputs. */
  readonly taps: Taps;
}

/** An output with what waits for it. `same` tells whether it can go on under another config. */
export interface Output {
  readonly queue: OutputQueue;
  readonly same: string;
}

/** An input with its ways to outputs. */
export interface Route {
  readonly name: string;
  readonly input: LogInput;
  /** What lines go through on their way; undefined where they go as they are. */
  readonly shaping: Shaping | undefined;
  /** What its sources say of all records: a change of it alone is no reason to make anything anew. */
  readonly fields: { current: LogFields };
  readonly same: string;
}

export interface Routes {
  readonly routes: readonly Route[];
  /** By name. */
  readonly outputs: ReadonlyMap<string, Output>;
  /** Called when they become the ones that run: routes that stay get their new fields. */
  adopt(): void;
}

export const noRoutes: Routes = { routes: [], outputs: new Map(), adopt() {} };

/** The output that records go to, as they are. Its name is none that a configuration can give. */
export const recordOutput: WantedOutput = { name: "-", use: "stdout", options: {} };

/**
 * Makes what `entries` ask for, taking over from `before` what stays as it is. Rejects, and leaves everything as it
 * was, when one of them cannot be made.
 */
export async function makeRoutes(entries: readonly LogEntry[], before: Routes, parts: RouteParts): Promise<Routes> {
  const making = new Making(before, parts);
  try {
    await making.output(recordOutput);
    for (const entry of entries) await making.route(entry);
    return making;
  } catch (error) {
    await making.undo();
    throw error;
  }
}

class Making implements Routes {
  readonly routes: Route[] = [];
  readonly outputs = new Map<string, Output>();
  private readonly before: Routes;
  private readonly parts: RouteParts;
  private readonly made: { close(): unknown }[] = [];
  private readonly renewed = new Map<Route, LogFields>();

  constructor(before: Routes, parts: RouteParts) {
    this.before = before;
    this.parts = parts;
  }

  async undo(): Promise<void> {
    for (const one of this.made) await one.close();
  }

  /** Two entries that name the same output with the same options share it. */
  async output(wanted: WantedOutput): Promise<Output> {
    const same = textOf([wanted.use, wanted.options, wanted.policy]);
    const known = this.outputs.get(wanted.name) ?? this.kept(wanted.name, same) ?? (await this.newOutput(wanted, same));
    if (known.same !== same) throw new UserError(differs(wanted.name), 1);
    this.outputs.set(wanted.name, known);
    return known;
  }

  async route(entry: LogEntry): Promise<void> {
    const outputs: Output[] = [];
    for (const wanted of entry.outputs) outputs.push(await this.output(wanted));
    const { fields = {}, ...rest } = entry;
    const same = textOf(rest);
    const kept = this.before.routes.find((one) => one.same === same);
    const isKept = outputs.every((output) => this.before.outputs.get(output.queue.name) === output);
    const route = kept !== undefined && isKept ? kept : await this.newRoute(entry, outputs, same);
    this.routes.push(route);
    if (textOf(route.fields.current) !== textOf(fields)) this.renewed.set(route, fields);
  }

  adopt(): void {
    for (const [route, fields] of this.renewed) route.fields.current = fields;
  }

  private kept(name: string, same: string): Output | undefined {
    const output = this.before.outputs.get(name);
    return output?.same === same ? output : undefined;
  }

  private async newOutput(wanted: WantedOutput, same: string): Promise<Output> {
    const { name, use, options, policy } = wanted;
    const { thread, folder, registry, stdout, queue } = this.parts;
    const { create } = await dropIn(registry.logOutputs, use, "output");
    const end = new AbortController();
    const signal = AbortSignal.any([queue.signal, end.signal]);
    const output = await create(options, { ...thread, name, folder, signal, stdout });
    const queued = { name, output, policy, letters: this.lettersOf(wanted), end };
    const made = { queue: new OutputQueue(queued, { ...queue, signal }), same };
    this.made.push(made.queue);
    return made;
  }

  private lettersOf({ name: output, policy }: WantedOutput): DeadLetters {
    const { thread, folder, stateFolder } = this.parts;
    const wanted = policy?.deadLetters ?? {};
    if (wanted === "off") return noDeadLetters;
    const { file = join(stateFolder, "dead-letters", `${output}.ndjson`), bytes = defaultDeadLetterBytes } = wanted;
    return new DeadLetterFile({ output, file: resolve(folder, file), bytes, thread });
  }

  private async newRoute(entry: LogEntry, outputs: readonly Output[], same: string): Promise<Route> {
    const { thread, registry, checkpoint, folder, stateFolder, taps } = this.parts;
    const { create } = await dropIn(registry.logInputs, entry.input.use, "input");
    const shaping = await this.shaping(entry);
    const direct = outputs.map(({ queue }) => taps.through(queue.lane(() => input)));
    const lanes = shaping === undefined ? direct : direct.map((lane) => shaping.lane(lane));
    const fields = { current: entry.fields ?? {} };
    const context = {
      ...thread,
      name: entry.name,
      folder,
      stateFolder,
      get fields() {
        return fields.current;
      },
      lanes,
      checkpoint: checkpoint(),
    };
    const input: LogInput = await create(entry.input.options, context);
    this.made.push(input);
    return { name: entry.name, input, shaping, fields, same };
  }

  private async shaping({ name: input, transforms = [] }: LogEntry): Promise<Shaping | undefined> {
    if (transforms.length === 0) return undefined;
    const { thread, registry } = this.parts;
    const links: Link[] = [];
    for (const { name, use, options } of transforms) {
      const { create } = await dropIn(registry.logTransforms, use, "transform");
      links.push({ name, transform: await create(options, { ...thread, input, transform: name }) });
    }
    return new Shaping(new Chain(links, new ChainCounters(input, thread)), thread.clock);
  }
}

async function dropIn<T>(
  listed: Readonly<Record<string, () => Promise<{ default: T }>>>,
  use: string,
  kind: string,
): Promise<T> {
  const read = listed[use];
  if (read === undefined) throw new UserError(`logs: there is no ${kind} ${use}`, 1);
  return (await read()).default;
}

/** Options as one text; two texts are equal only where the options are. */
function textOf(options: unknown): string {
  return JSON.stringify(options, (_, value) => (value instanceof RegExp ? String(value) : value));
}

function differs(name: string): string {
  return `logs: two outputs are called ${name} but have different options; give each a \`name:\` of its own`;
}

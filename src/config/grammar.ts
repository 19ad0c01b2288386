/** The whole grammar: every section's schema put together, and the `Config` made of a document that fits it. */
import * as z from "zod";
import type { Direction } from "../contracts.ts";
import type { Parsed as Result } from "./address.ts";
import { admin } from "./admin.ts";
import type { DropIns, LoadedFilter } from "./drop-ins.ts";
import { type FilterOf, toListener, type UserFiltersOf } from "./listener.ts";
import { address, type ListenerOptions, listenerSchema, type PolicyShape } from "./listener-options.ts";
import { logPipelineSchema, toLogPipelines } from "./log-pipeline.ts";
import { readingFiles } from "./reading.ts";
import { filePath, option, parseSize, scalar, size } from "./scalars.ts";
import { scheduleSchema, toSchedules } from "./schedule.ts";
import type { Config, Limits } from "./schema.ts";
import { shutdownSchema, toShutdown } from "./shutdown.ts";
import { type FilterListSchema, type FiltersAt, filterListSchema, userFilters } from "./user-filters.ts";

/** `70%` of the container's memory, or a size. */
function memory() {
  const pattern = "^(\\d+%|\\d+(\\.\\d+)?\\s*(B|KiB|MiB|GiB)?)$";
  return scalar({ title: "share or size", example: "70%", type: ["string", "integer"], pattern }, parseMemory);
}

function parseMemory(value: string | number): Result<Limits["memory"]> {
  const percent = /^(\d{1,3})%$/.exec(String(value))?.[1];
  if (percent !== undefined) {
    if (Number(percent) >= 1 && Number(percent) <= 100) return { value: { share: Number(percent) / 100 } };
    return { problem: `"${value}" is not a share`, remedy: "write 1% to 100%" };
  }
  const bytes = parseSize(value);
  return "value" in bytes ? { value: { bytes: bytes.value } } : bytes;
}

/** More would be a slip of the pen: each one costs memory. */
const mostWorkers = 64;

function concurrency() {
  const doc = {
    title: "number or auto",
    example: "2",
    type: ["string", "integer"],
    pattern: "^(auto|\\d{1,2})$",
  } as const;
  return scalar(doc, parseConcurrency);
}

function parseConcurrency(value: string | number): Result<Config["concurrency"]> {
  if (value === "auto") return { value };
  const count = /^\d+$/.test(String(value)) ? Number(value) : 0;
  if (count >= 1 && count <= mostWorkers) return { value: count };
  return { problem: `"${value}" is not a number of threads`, remedy: `write 1 to ${mostWorkers}, or auto` };
}

function limitsSchema() {
  return z.strictObject({
    connections: option(z.int().min(1), "Connections at once, over all listeners; more are answered 503.", {
      default:
        "the descriptor limit less 128 and what the threads of `concurrency` need, halved when every connection needs an upstream",
    }).optional(),
    headBytes: option(size(), "Largest head of a request or an answer; a larger request gets 431.").prefault("64KiB"),
    headFields: option(z.int().min(1).max(10_000), "Most fields in one head; a request with more gets 431.").prefault(
      200,
    ),
    memory: option(
      memory(),
      "Above this share of the container's memory, or this size, new requests get 503.",
    ).prefault("70%"),
  });
}

/** The filters' keys that may stand on a listener or route of this direction. */
function policyShape(filters: DropIns["filters"], direction: Direction): PolicyShape {
  const fitting = [...filters].filter(([, filter]) => filter === undefined || filter.directions.includes(direction));
  return Object.fromEntries(fitting.map(([key, filter]) => [key, policySchema(filter)]));
}

function policySchema(filter: LoadedFilter | undefined): z.ZodType {
  if (filter === undefined) return z.unknown().optional();
  // `true` is written out as `{}` before parsing; here it is for the JSON Schema.
  const switched = z.union([filter.config, z.boolean()]);
  return option(switched, `${filter.doc} \`true\` is all defaults, \`false\` switches it off.`).optional();
}

/** The listeners' schema per direction: one for both as long as no filter tells them apart. */
function listenerSchemas(
  filters: DropIns["filters"],
  list: FilterListSchema,
): (direction: Direction) => ReturnType<typeof listenerSchema> {
  const alike = [...filters.values()].every((filter) => filter === undefined || filter.directions.length === 2);
  let both: ReturnType<typeof listenerSchema> | undefined;
  return (direction) => {
    const schema = (alike ? both : undefined) ?? listenerSchema(policyShape(filters, direction), list);
    both = schema;
    return schema;
  };
}

/** Every section, each made only when it is asked for: schemas are most of the cost of loading a configuration. */
function sections(dropIns: DropIns) {
  const filters = filterListSchema();
  const listeners = listenerSchemas(dropIns.filters, filters);
  return {
    version: () => option(z.literal(1), "The grammar's version.").optional(),
    state: () =>
      option(filePath("/var/lib/outrigger"), "The folder for checkpoints and the last good configuration.", {
        default:
          "`$OUTRIGGER_STATE_DIR`, `$XDG_STATE_HOME/outrigger`, `/var/lib/outrigger`, `~/.local/state/outrigger`",
      }).optional(),
    health: () =>
      option(address(), "Where `/startup`, `/ready`, `/live`, `/metrics` and `/drain` are served.").prefault(7411),
    admin: () =>
      option(
        admin(),
        "Where `outrigger logs` and whoever runs the sidecar ask what it does: `socket` is `admin.sock` in the state folder, for its user alone; an address of loopback such as `127.0.0.1:7410` is for everybody on this machine; `off` is nowhere. A change needs a restart.",
      ).prefault("socket"),
    shutdown: () => option(shutdownSchema(), "How the sidecar stops.").prefault({}),
    concurrency: () =>
      option(
        concurrency(),
        "Threads that carry requests and calls. 1 is the main thread alone; with more, each has its own listeners on the same addresses, its own connections to upstreams, and costs memory. `auto` is one for each core the container's CPU limit gives, rounded up. Connections that wait to be accepted when a reload removes their listener are reset. A change needs a restart.",
      ).prefault(1),
    limits: () => option(limitsSchema(), "What is too much.").prefault({}),
    logs: () => option(z.array(logPipelineSchema(dropIns)), "Logs to collect.").optional(),
    schedules: () => option(z.array(scheduleSchema()), "Requests to send by the clock.").optional(),
    inbound: () => option(z.array(listeners("inbound")), "Listeners for requests to the app.").optional(),
    outbound: () => option(z.array(listeners("outbound")), "Listeners for the app's calls to others.").optional(),
    filters: () => filters.optional(),
  };
}

type Sections = ReturnType<typeof sections>;
export type SectionName = keyof Sections;
/** A whole document, as its schemas parsed it. */
export type Parsed = { [N in Defaulted]: z.output<ReturnType<Sections[N]>> } & {
  [N in SectionName]?: z.output<ReturnType<Sections[N]>>;
};
/** Sections that are there even when the document does not have them. */
type Defaulted = "health" | "admin" | "shutdown" | "concurrency" | "limits";

/** The names of all sections. */
export function sectionNames(): SectionName[] {
  return [
    "version",
    "state",
    "health",
    "admin",
    "shutdown",
    "concurrency",
    "limits",
    "logs",
    "schedules",
    "inbound",
    "outbound",
    "filters",
  ];
}

/** The schema of a document; that of a section it does not have may be left out for speed. */
export function documentSchema(
  dropIns: DropIns,
  has: (section: SectionName) => boolean = () => true,
): z.ZodType<Parsed, unknown> {
  const all = sections(dropIns);
  const defaulted: readonly string[] = ["health", "admin", "shutdown", "concurrency", "limits"] satisfies Defaulted[];
  const absent = z.unknown().optional();
  const schemaOf = (name: SectionName) => (defaulted.includes(name) || has(name) ? all[name]() : absent);
  const shape = Object.fromEntries(sectionNames().map((name) => [name, schemaOf(name)]));
  return z.strictObject(shape) as unknown as z.ZodType<Parsed, unknown>;
}

/** The configuration made of a document without faults. */
export function toConfig(parsed: Parsed, file: string, dropIns: DropIns, loaded: FiltersAt): Config {
  const filterOf: FilterOf = (key) => dropIns.filters.get(key)?.name;
  const global = userFilters(parsed.filters, [], loaded);
  const listeners = (options: readonly ListenerOptions[] = [], direction: Direction) =>
    options.map((one, at) => {
      const own = userFilters(one.filters, [direction, at], loaded);
      const userFiltersOf: UserFiltersOf = (part, route) =>
        route === undefined
          ? [...global, ...own].filter(({ directions }) => directions.includes(direction))
          : userFilters(part.filters, [direction, at, "routes", route], loaded);
      return toListener(one, direction, filterOf, userFiltersOf);
    });
  return {
    file,
    state: parsed.state,
    health: parsed.health,
    admin: parsed.admin,
    shutdown: toShutdown(parsed.shutdown, readingFiles.environment()),
    concurrency: parsed.concurrency,
    limits: parsed.limits as Limits,
    logs: toLogPipelines(parsed.logs ?? [], dropIns),
    schedules: toSchedules(parsed.schedules ?? []),
    inbound: listeners(parsed.inbound, "inbound"),
    outbound: listeners(parsed.outbound, "outbound"),
  };
}

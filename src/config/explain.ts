/**
 * What a configuration will do, in sentences: to a request, a call, by the clock, and to a line.
 * Values of header fields and bodies are never printed: they may have come from secrets.
 */
import { type DropIns, keyOf, type LoadedDropIn } from "./drop-ins.ts";
import { explainListener, plural } from "./explain-listener.ts";
import { explainShutdown } from "./explain-shutdown.ts";
import { explainPolicy } from "./output-policy.ts";
import { formatDuration, formatSize } from "./scalars.ts";
import type { Config, Expectation, LogPipeline, Schedule, TextMatch } from "./schema.ts";

/** The explanation, lines ended by newlines. `stateDir` is where state will be kept, if that is known. */
export function explain(config: Config, dropIns: DropIns, stateDir?: string): string {
  const parts = [
    ...config.inbound.map((listener) => explainListener(listener, dropIns)),
    ...config.outbound.map((listener) => explainListener(listener, dropIns)),
    ...config.schedules.map(explainSchedule),
    ...config.logs.map((pipeline) => explainLogs(pipeline, dropIns)),
  ];
  if (parts.length === 0) parts.push(["Nothing is configured: no request, no call, no schedule, no line."]);
  parts.push(explainSidecar(config, stateDir));
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function explainSchedule(schedule: Schedule): string[] {
  const { when, jitterMs, request, timeoutMs, ready, print } = schedule;
  const clock = "cron" in when ? `By the clock ${when.cron}` : `Every ${formatDuration(when.everyMs)}`;
  const later = jitterMs === 0 ? "" : `, up to ${formatDuration(jitterMs)} later at random`;
  return [
    `${clock}${later}, ${request.method} ${withoutQuery(request.url)} is sent (schedule "${schedule.name}").`,
    `  The answer is right when ${expected(schedule.expect)} and all of it is here within ${formatDuration(timeoutMs)}.`,
    `  ${print === "body" ? "Its body is printed on stdout." : "Nothing is printed."} It is never sent while the one before is under way.`,
    `  A wrong or missing answer is an event and a metric${ready ? ", and /ready answers 503 until the next right one" : "; /ready does not depend on it"}.`,
  ];
}

/** A query may hold a token. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/, "?…");
}

function expected(expect: Expectation): string {
  const ranges = expect.status.map(({ from, to }) =>
    from === to ? String(from) : to === from + 99 ? `${from / 100}xx` : `${from} to ${to}`,
  );
  const status = `its status is ${ranges.join(" or ")}`;
  return expect.body === undefined ? status : `${status}, its body ${bodyCondition(expect.body)}`;
}

function bodyCondition(body: TextMatch): string {
  if ("contains" in body) return "has the text given";
  return "matches" in body ? `matches /${body.matches.source}/` : "is the text given";
}

function explainLogs(pipeline: LogPipeline, dropIns: DropIns): string[] {
  const input = said(dropIns.logInputs.get(keyOf(pipeline.input.use)), pipeline.input.options);
  const outputs = pipeline.outputs.flatMap(({ name, use, options, policy }) => {
    const label = name === use ? use : `${use} "${name}"`;
    const sentences = explainPolicy(policy).map((one) => `    ${one}`);
    return [`  to ${label}: ${said(dropIns.logOutputs.get(keyOf(use)), options)}`, ...sentences];
  });
  const transforms = (pipeline.transforms ?? []).map(({ name, use, options }, at) => {
    return `  ${at + 1}. ${name}: ${said(dropIns.logTransforms.get(keyOf(use)), options)}`;
  });
  return [
    `Lines (logs "${pipeline.name}") come from ${pipeline.input.use}: ${input}`,
    ...explainFields(pipeline.fields),
    ...(transforms.length === 0 ? [] : ["  On its way each line passes, in this order:", ...transforms]),
    `  Each goes to ${plural(pipeline.outputs.length, "output")}, and counts as done when that has it for good.`,
    ...outputs,
  ];
}

/** By name only: values may have come from secrets. */
function explainFields(fields: LogPipeline["fields"] = {}): string[] {
  const names = Object.keys(fields);
  return names.length === 0 ? [] : [`  Every record has the ${plural(names.length, "field")} ${names.join(", ")}.`];
}

function said(dropIn: LoadedDropIn | undefined, options: unknown): string {
  return (dropIn?.explain?.(options) ?? dropIn?.doc ?? "").trim();
}

function explainSidecar(config: Config, stateDir: string | undefined): string[] {
  const { connections, headBytes, headFields, memory } = config.limits;
  const memoryLimit =
    "share" in memory ? `${Math.round(memory.share * 100)}% of the container's memory` : formatSize(memory.bytes);
  return [
    `The sidecar serves /startup, /ready, /live, /metrics and /drain on ${config.health.host === undefined ? `port ${config.health.port} of every address` : config.health.text}.`,
    `  It takes ${connections === undefined ? "as many connections as its descriptors allow" : `${connections} connections at once`} and heads of up to ${formatSize(headBytes)} and ${plural(headFields, "field")}; above ${memoryLimit} new requests get 503.`,
    `  At SIGTERM it lets what is under way finish for up to ${formatDuration(config.shutdown.graceMs)}, then stops.`,
    ...explainShutdown(config),
    ...explainConcurrency(config.concurrency),
    ...explainAdmin(config.admin),
    ...(stateDir === undefined ? [] : [`  Its state is kept in ${stateDir}.`]),
  ];
}

function explainAdmin(admin: Config["admin"]): string[] {
  if (admin === "socket") return [];
  if (admin === "off") return ["  It cannot be asked or watched while it runs: `outrigger logs` finds nobody."];
  return [
    `  It is asked and watched (\`outrigger logs\`) on ${admin.text}: by everybody on this machine, and by no web page.`,
  ];
}

function explainConcurrency(concurrency: Config["concurrency"]): string[] {
  if (concurrency === 1) return [];
  const threads = concurrency === "auto" ? "as many threads as the container has cores" : `${concurrency} threads`;
  return [
    `  Requests and calls are carried by ${threads}: each has its own connections to upstreams, and connections to us are spread over them; the limit on connections is for all of them together.`,
  ];
}

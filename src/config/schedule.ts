/** `schedules:`: requests we send by the clock. */
import * as z from "zod";
import { method, requestUrl, sentFields, statusRange } from "./fields.ts";
import { exactlyOne } from "./match.ts";
import { distinctNames } from "./names.ts";
import { duration, name, option, regex, scalar, text } from "./scalars.ts";
import type { Expectation, Schedule, ScheduledRequest, TextMatch } from "./schema.ts";

function requestSchema() {
  const full = z.strictObject({
    url: option(requestUrl(), "`http://` or `https://`, with path and query.", { required: true }),
    method: option(method(), "The request's method.").prefault("GET"),
    headers: option(sentFields(), "Header fields of the request, as `name: value`.").optional(),
    body: option(text(), "The request's body.").optional(),
  });
  return z.union([requestUrl(), full]);
}

function bodySchema() {
  const keys = ["contains", "matches", "equals"] as const;
  return z
    .strictObject({
      contains: option(text(), "The body must have this text somewhere.").optional(),
      matches: option(regex(), "The body must match this.").optional(),
      equals: option(text(), "The body must be exactly this text.").optional(),
    })
    .check(exactlyOne(...keys));
}

function expectSchema() {
  return z.strictObject({
    status: option(
      z.union([statusRange(), z.array(statusRange()).min(1)]),
      "`200`, `2xx`, or a list of such; any of them is right.",
      {
        default: "any below 400",
      },
    ).optional(),
    body: option(bodySchema(), "What the answer's body must be: one of `contains`, `matches`, `equals`.").optional(),
  });
}

/** Five fields, or six with seconds first. Whether they make sense is asked of the cron library, when there is one to ask about. */
function cron() {
  return scalar({ title: "cron expression", example: '"*/5 * * * *"', type: "string" }, (value) => ({
    value: String(value),
  }));
}

/** The options of one schedule. Exactly one of `every` and `cron` is checked across keys. */
export function scheduleSchema() {
  return z.strictObject({
    name: option(name(), "Stands in metrics and logs; unique.", { default: "host, port and path" }).optional(),
    every: option(
      duration(10),
      "Time from one request to the next; the first is sent after one such time. Excludes `cron`.",
    ).optional(),
    cron: option(
      cron(),
      "Five fields, or six with seconds first, in the time zone of the process. Excludes `every`.",
    ).optional(),
    jitter: option(duration(), "Each request is sent later by a random part of this.").prefault("0s"),
    request: option(requestSchema(), "What to send: a URL, or its parts.", { required: true }),
    timeout: option(duration(1), "Until the whole answer is here; later it is a failure.").prefault("10s"),
    expect: option(
      expectSchema(),
      "What a right answer is; anything else is a failure: an event and a metric.",
    ).optional(),
    ready: option(z.boolean(), "True: `/ready` also needs the last answer to be right.").prefault(false),
    print: option(z.enum(["body", "none"]), "What becomes a record on stdout: the answer's body, or nothing.").prefault(
      "body",
    ),
  });
}

export type ScheduleOptions = z.output<ReturnType<typeof scheduleSchema>>;

function toRequest(options: ScheduleOptions["request"]): ScheduledRequest {
  if (typeof options === "string") return { url: options, method: "GET", headers: [], body: undefined };
  return { url: options.url, method: options.method, headers: options.headers ?? [], body: options.body };
}

function toBodyMatch(options: NonNullable<ScheduleOptions["expect"]>["body"]): TextMatch | undefined {
  if (options?.contains !== undefined) return { contains: options.contains };
  if (options?.matches !== undefined) return { matches: options.matches };
  return options?.equals === undefined ? undefined : { equals: options.equals };
}

function toExpectation(options: ScheduleOptions["expect"]): Expectation {
  const status = options?.status ?? { from: 200, to: 399 };
  return { status: Array.isArray(status) ? status : [status], body: toBodyMatch(options?.body) };
}

function toSchedule(options: ScheduleOptions, name: string): Schedule {
  return {
    name,
    when: options.cron === undefined ? { everyMs: options.every ?? 0 } : { cron: options.cron },
    jitterMs: options.jitter,
    request: toRequest(options.request),
    timeoutMs: options.timeout,
    expect: toExpectation(options.expect),
    ready: options.ready,
    print: options.print,
  };
}

/** The schedules made of their options, each with a name of its own. */
export function toSchedules(all: readonly ScheduleOptions[]): Schedule[] {
  const names = distinctNames(all.map((one) => ({ given: one.name, fallback: placeOf(toRequest(one.request).url) })));
  return all.map((one, at) => toSchedule(one, names[at]!));
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

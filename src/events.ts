/**
 * Everything the spine can say, declared once: level, sentence, and the counter it adds to. An event is the only way
 * to write the own log; drop-ins bring tables of their own. `telemetry/event-log.ts` turns events into lines and numbers.
 */
import type { EventDeclaration } from "./contracts.ts";
import { failures } from "./errors.ts";
import { logEvents } from "./logs/declarations.ts";

export type Level = EventDeclaration["level"];

/** A spine event; its level may depend on its fields. */
export interface SpineEvent extends EventDeclaration {
  levelOf?(fields: Record<string, unknown>): Level;
}

/** Declarations by event name. */
export type EventTable = Readonly<Record<string, SpineEvent>>;

/** A client's own fault is no news to who runs the sidecar; it is counted all the same. */
function levelOfFailure({ code }: Record<string, unknown>): Level {
  const fault = Object.hasOwn(failures, String(code)) ? failures[code as keyof typeof failures].fault : "us";
  return fault === "client" ? "debug" : "warn";
}

export const spineEvents = {
  // The life of the sidecar
  starting: { level: "info", text: "outrigger {version} starts with {config}" },
  ready: { level: "info", text: "ready after {durationMs} ms; health and metrics on {health}" },
  admin_unavailable: {
    level: "info",
    text: "there is no socket {path} to ask the sidecar on ({error}); `outrigger logs` finds nobody",
  },
  inbound_bypassable: {
    level: "warn",
    text: "the app listens at port {port} beyond loopback: who calls the pod there passes by what guards inbound {listener} ({guards}); let it listen on 127.0.0.1 alone",
  },
  announcing: { level: "info", text: "announces that it leaves ({reason}); still answers everything" },
  announcement_withdrawn: { level: "info", text: "no stop followed the announcement; ready again" },
  draining: { level: "info", text: "drains: {exchanges} exchanges are running, at most {remainingMs} ms are left" },
  grace_cut: {
    level: "warn",
    text: "shutdown.grace is {wantedMs} ms, but the pod is ended {podGraceMs} ms after it was asked to end: {graceMs} ms are used; raise terminationGracePeriodSeconds, or leave shutdown.grace out",
  },
  hurried: { level: "warn", text: "asked again to stop ({reason}): stops at once" },
  stopped: { level: "info", text: "stopped; it ran for {durationMs} ms" },
  part_not_stopped: { level: "error", text: "{part} could not be stopped cleanly: {error}" },
  unexpected_error: {
    level: "error",
    text: "an error nobody caught ({origin}): {error}; this is a bug of outrigger, please report it",
    metric: "outrigger_unexpected_errors_total",
  },

  // Config
  config_applied: { level: "info", text: "the config was reloaded ({reason})" },
  config_rejected: { level: "error", text: "the config was not reloaded ({reason}), the old one stays: {faults}" },
  config_restart_needed: { level: "warn", text: "changes of {keys} take effect only after a restart" },
  config_last_good_used: {
    level: "error",
    text: "{config} is wrong, so the last good text of it runs instead: {faults}",
  },
  config_last_good_unsaved: {
    level: "info",
    text: "this config could not be kept for a restart with a bad file: {folder} {trouble}",
  },

  // Listeners and exchanges
  listener_bound: { level: "info", text: "{direction} listener {listener} listens on {address}" },
  listener_closed: { level: "info", text: "listener {listener} closed" },
  // Counted by the engine itself, as the one below.
  http2_fault: {
    level: "info",
    text: "the HTTP/2 connection with {peer} was ended, {code}: {detail}",
  },
  // Counted by the engine itself, which knows its counters by code.
  request_failed: {
    level: "warn",
    levelOf: levelOfFailure,
    text: "{code} on {listener}, route {route}: {detail}",
  },
  filter_failed: {
    level: "error",
    text: "filter {filter} of {listener} failed ({fault}) in {hook}: {error}",
    metric: "outrigger_filter_faults_total",
  },
  filter_loaded: { level: "info", text: "filter {filter} of {listener} runs version {version} of {file}" },
  filter_stopped: {
    level: "error",
    text: "filter {filter} of {listener} is stopped, {why}: {instead} until it changes",
  },
  filter_stalled: {
    level: "error",
    text: "the thread stands still in filter {filter} ({file}) since {stalledMs} ms; after a restart it is not run until its file changes",
  },
  thread_stalled: { level: "error", text: "the thread stands still since {stalledMs} ms: {suspects}" },
  filters_need_restart: {
    level: "warn",
    text: "{loads} versions of filters were loaded, which takes memory; restart this container when it suits",
  },
  upstream_connect_failed: {
    level: "warn",
    text: "no connection to {upstream}: {code}",
    metric: "outrigger_upstream_connect_failures_total",
  },
  connections_over_limit: {
    level: "warn",
    text: "{listener} refuses connections: {limit} are open, which is the limit",
  },
  connection_refused: {
    level: "info",
    text: "{listener} turned a connection of {peer} away: {code}: {detail} ({count} since the last such line)",
  },
  certificate_expires: { level: "warn", text: "the certificate {file} expires on {expires}" },
  certificate_expired: { level: "error", text: "the certificate {file} expired on {expires}" },
  traffic_thread_failed: {
    level: "error",
    text: "{thread} ended unexpectedly, and its connections with it; the sidecar stops in good order: {error}",
    metric: "outrigger_traffic_thread_failures_total",
  },
  exchanges_cut: {
    level: "warn",
    text: "{count} exchanges were cut because the time for draining was over",
    metric: "outrigger_exchanges_cut_total",
  },

  stream_failed: {
    level: "warn",
    levelOf: levelOfFailure,
    text: "{code} on {listener}, route {route}: {detail}",
  },
  tunnel_cut: {
    level: "warn",
    text: "the tunnel of {peer} through {listener} to {upstream} was cut after {ageMs} ms: the time for draining was over; {bytesIn} bytes had come in and {bytesOut} bytes gone out",
  },

  // Schedules
  schedule_failed: { level: "warn", text: "schedule {schedule} failed: {detail}" },
  schedule_recovered: { level: "info", text: "schedule {schedule} succeeds again after {failures} failures" },
  schedule_skipped: { level: "warn", text: "schedule {schedule} skipped a run: the one before has not ended" },
  schedule_body_cut: {
    level: "warn",
    text: "the answer to schedule {schedule} is longer than the {bytes} bytes printed",
  },
  schedules_cut: {
    level: "warn",
    text: "{count} scheduled requests were cut because the time for draining was over",
    metric: "outrigger_schedules_cut_total",
  },

  // Records and our own log
  collector_failed: { level: "error", text: "the log worker could not be started, records are dropped: {error}" },
  collector_cut: {
    level: "warn",
    text: "the time for draining was over: {unreadBytes} bytes of log files unread, {unsentBytes} bytes unsent",
  },
  log_lines_dropped: {
    level: "warn",
    text: "{count} lines of this log were dropped: stderr was not read fast enough",
  },
  ...logEvents,
  metric_full: { level: "warn", text: "{metric} has too many label sets; further ones are counted as `other`" },
} as const satisfies EventTable;

/** Name of an event of the spine. */
export type SpineEventName = keyof typeof spineEvents;

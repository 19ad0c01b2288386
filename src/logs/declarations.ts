/** What the log engine says and counts. `events.ts` and `metrics.ts` take these tables in with their own. */
import type { EventDeclaration, MetricDeclaration } from "../contracts.ts";
import { deliveryMetrics } from "./delivery/delivery-metrics.ts";

export const logEvents = {
  log_pattern_matches_nothing: {
    level: "info",
    text: "{input}: nothing matches {pattern} yet; it is looked for every second",
  },
  log_path_unreadable: {
    level: "warn",
    text: "{input}: {path} cannot be read ({error}); it is tried again every second",
  },
  log_path_not_a_file: {
    level: "warn",
    text: "{input}: {path} is not a regular file, so there are no lines to collect",
  },
  log_file_taken: {
    level: "warn",
    text: "{input}: {path} is collected by an earlier entry for the same outputs already",
  },
  log_file_rotated: { level: "debug", text: "{input}: {path} was {kind}; what is unread is read from {now}" },
  log_file_truncated: {
    level: "debug",
    text: "{input}: {path} was truncated or written anew; it is read from its beginning",
  },
  log_file_rewritten_often: {
    level: "warn",
    text: "{input}: the beginning of {path} changes again and again; only what is appended to it is read",
  },
  log_bytes_lost: { level: "error", text: "{input}: {bytes} bytes of {path} are lost ({reason})" },
  log_archive_left_out: {
    level: "info",
    text: "{input}: {path} is compressed ({compression}) and left out; `archives: true` reads gzip and zstd",
  },
  log_archive_broken: {
    level: "error",
    text: "{input}: {path} cannot be unpacked to its end ({error}); what comes before that was read",
  },
  log_pipe_unreadable: {
    level: "error",
    text: "{input}: nothing is read from {path} ({error}); it is tried again every second",
  },
  log_spool_full: {
    level: "warn",
    text: "{input}: {bytes} bytes of lines from {path} are not delivered yet; until they are, those who write to it wait",
  },
  log_spool_has_room: { level: "info", text: "{input}: {path} is read again" },
  log_input_failed: { level: "error", text: "{input}: reading failed unexpectedly: {error}; it is tried again" },
  log_transform_failed: {
    level: "error",
    text: "{input}: {transform} failed unexpectedly: {error}; the record goes on as it is",
  },
  log_output_failing: { level: "warn", text: "output {output} takes no lines: {reason}; reading waits for it" },
  log_output_recovered: { level: "info", text: "output {output} takes lines again" },
  log_output_close_failed: { level: "warn", text: "output {output} did not end in good order: {error}" },
  log_lines_rejected: {
    level: "error",
    text: "output {output} will never have {lines} lines of {bytes} bytes ({cause}: {reason}); {fate}",
  },
  log_dead_letters_failed: {
    level: "error",
    text: "output {output} waits: what it cannot deliver cannot be written to {file} either ({error})",
  },
  log_dead_letters_overwritten: {
    level: "warn",
    text: "dead letters of output {output} are full: {bytes} bytes of the oldest in {file} are gone",
  },
  log_lines_ignored: {
    level: "error",
    text: "output {output}: {lines} of {of} lines were not stored, the others were: {reason}",
  },
  log_destination_warns: { level: "warn", text: "output {output}: the destination warns: {warning}" },
  log_checkpoint_corrupt: { level: "error", text: "{file} is not usable, {problem}: kept as {aside}; {instead}" },
  log_checkpoint_failed: {
    level: "error",
    text: "positions of log files cannot be written to {folder} ({error}); after a restart lines may come twice",
  },
  log_checkpoint_written_again: { level: "info", text: "positions of log files are written to {folder} again" },
  log_worker_failed: { level: "error", text: "the log worker failed: {error}; it is started again" },
  stdout_broken: { level: "error", text: "nobody reads stdout any more ({error}); lines wait until somebody does" },
} as const satisfies Record<string, EventDeclaration>;

const byInput = ["input"] as const;
const byOutput = ["output"] as const;
const byTransform = ["input", "transform"] as const;
const byBoth = ["input", "output"] as const;

export const logMetrics = {
  outrigger_log_read_bytes_total: {
    kind: "counter",
    doc: "Bytes of whole lines read from log files.",
    labels: byInput,
  },
  outrigger_log_read_lines_total: { kind: "counter", doc: "Lines read from log files.", labels: byInput },
  ...deliveryMetrics,
  outrigger_log_unread_bytes: {
    kind: "gauge",
    doc: "Bytes in log files that were not offered to the output yet, as of about a second ago; an unfinished last line is among them.",
    labels: byBoth,
  },
  outrigger_log_unacknowledged_bytes: {
    kind: "gauge",
    doc: "Bytes of log files that were offered to the output, and that it does not have for good yet.",
    labels: byBoth,
  },
  outrigger_log_lag_seconds: {
    kind: "gauge",
    doc: "How long ago the oldest byte was read that the output does not have for good; 0 where it has all that was read.",
    labels: byBoth,
  },
  outrigger_log_files: {
    kind: "gauge",
    doc: "Log files by state: live, rotated, deleted (and not read to the end or not acknowledged yet), idle (closed until they grow), unreadable.",
    labels: ["input", "state"],
  },
  outrigger_log_lost_bytes_total: {
    kind: "counter",
    doc: "Bytes that were not delivered and no longer can be: truncated before they were read, vanished while nobody looked, held_too_long in deleted files, line_too_long.",
    labels: ["input", "reason"],
  },
  outrigger_log_truncated_lines_total: {
    kind: "counter",
    doc: "Lines longer than `maxLine`, cut there; what was left out of them is line_too_long among the lost bytes.",
    labels: byInput,
  },
  outrigger_log_skipped_bytes_total: {
    kind: "counter",
    doc: "Bytes at the beginning of a file that belong to no line: nulls, left by a truncation under a writer that does not append, and the byte order mark.",
    labels: ["input", "reason"],
  },
  outrigger_log_undecodable_characters_total: {
    kind: "counter",
    doc: "Characters U+FFFD that stand for bytes which mean nothing in the encoding of their file. Files in UTF-8 go out byte for byte and count nothing.",
    labels: byInput,
  },
  outrigger_log_invalid_utf8_lines_total: {
    kind: "counter",
    doc: "Lines that are no UTF-8, where transforms look into them. A transform that changes such a line puts U+FFFD in place of what cannot be read; all other lines go on byte by byte.",
    labels: byInput,
  },
  outrigger_log_dropped_records_total: {
    kind: "counter",
    doc: "Records a transform left out, by the rule of the configuration it stands for.",
    labels: byTransform,
  },
  outrigger_log_dropped_record_bytes_total: {
    kind: "counter",
    doc: "Bytes of the source in records a transform left out.",
    labels: byTransform,
  },
  outrigger_log_transform_failures_total: {
    kind: "counter",
    doc: "Records at which a transform failed unexpectedly; they go on as they are. Each one is a bug: please report it.",
    labels: byTransform,
  },
  outrigger_log_unparsed_records_total: {
    kind: "counter",
    doc: "Records that did not have the form a transform is to read, and went on as text (or were dropped, where the configuration says so).",
    labels: byTransform,
  },
  outrigger_log_join_cuts_total: {
    kind: "counter",
    doc: "Joined records that were ended because they had reached the most lines or bytes; what follows is a record of its own.",
    labels: byTransform,
  },
  outrigger_log_repeatable_bytes_total: {
    kind: "counter",
    doc: "Bytes read again after a stop that could not say how far outputs had them: at most so many came twice.",
    labels: byInput,
  },
  outrigger_log_broken_archives_total: {
    kind: "counter",
    doc: "Archives that could not be unpacked to their end: what would follow is lost, and nobody knows how much that is.",
    labels: byInput,
  },
  outrigger_log_spool_bytes: {
    kind: "gauge",
    doc: "Disk taken by lines that were read from a pipe and not deleted yet.",
    labels: byInput,
  },
  outrigger_log_rotations_total: {
    kind: "counter",
    doc: "Rotations noticed: renamed, deleted, truncated, or missed (found only afterwards, by name and time).",
    labels: ["input", "kind"],
  },
  outrigger_log_checkpoints_total: {
    kind: "counter",
    doc: "Writes of the checkpoint, by result: written or failed.",
    labels: ["result"],
  },
  outrigger_log_checkpoint_unsaved_seconds: {
    kind: "gauge",
    doc: "Age of the oldest acknowledgement that is not in the checkpoint yet: about 1 at most, unless it cannot be written.",
  },
  outrigger_log_checkpoint_timestamp_seconds: { kind: "gauge", doc: "Unix time of the last checkpoint written." },
  outrigger_log_output_answers_total: {
    kind: "counter",
    doc: "Answers of destinations over HTTP, by status; `none` where no answer came.",
    labels: ["output", "status"],
  },
  outrigger_log_output_sent_bytes_total: {
    kind: "counter",
    doc: "Bytes of bodies sent over HTTP, compressed, whatever was answered.",
    labels: byOutput,
  },
  outrigger_log_output_ignored_lines_total: {
    kind: "counter",
    doc: "Lines a destination did not store of a batch it took, without saying which, by reason.",
    labels: ["output", "reason"],
  },
  outrigger_log_output_mended_lines_total: {
    kind: "counter",
    doc: "Lines that are no UTF-8, sent with U+FFFD in place of what is not, where the format allows nothing else.",
    labels: byOutput,
  },
  outrigger_log_output_split_lines_total: {
    kind: "counter",
    doc: "Lines longer than the destination takes, sent as several.",
    labels: byOutput,
  },
  outrigger_log_output_known_lines_total: {
    kind: "counter",
    doc: "Lines the destination had already: sent more than once, and stored once.",
    labels: ["output"],
  },
} as const satisfies Record<string, MetricDeclaration>;

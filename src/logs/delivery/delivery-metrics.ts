/** What is counted of each output. All bytes are those of the source: of the file as it lies there. */
import type { MetricDeclaration } from "../../contracts.ts";

const byOutput = ["output"] as const;
const byCause = ["output", "cause"] as const;
const causes =
  "refused or rejected by the destination, too_large for it, or gave_up after the retries that are allowed";

export const deliveryMetrics = {
  outrigger_log_offered_bytes_total: {
    kind: "counter",
    doc: "Bytes of files and of records that were read for an output. They are acknowledged, dropped, dead-lettered or discarded in the end.",
    labels: byOutput,
  },
  outrigger_log_acknowledged_bytes_total: {
    kind: "counter",
    doc: "Bytes an output has for good, of files and of records.",
    labels: byOutput,
  },
  outrigger_log_dropped_bytes_total: {
    kind: "counter",
    doc: "Bytes left out by a rule of `transform:`.",
    labels: byOutput,
  },
  outrigger_log_dead_lettered_bytes_total: {
    kind: "counter",
    doc: `Bytes that went to the dead letters: ${causes}.`,
    labels: byCause,
  },
  outrigger_log_discarded_bytes_total: {
    kind: "counter",
    doc: `Bytes that are lost because the output keeps no dead letters: ${causes}.`,
    labels: byCause,
  },
  outrigger_log_dead_letter_failures_total: {
    kind: "counter",
    doc: "Writes of dead letters that failed, as on a full disk. The output waits until they succeed.",
    labels: byOutput,
  },
  outrigger_log_dead_letters_overwritten_bytes_total: {
    kind: "counter",
    doc: "Bytes of the oldest dead letters that made room for newer ones.",
    labels: byOutput,
  },
  outrigger_log_waiting_bytes: {
    kind: "gauge",
    doc: "Bytes read for an output of which nothing is settled yet.",
    labels: byOutput,
  },
  outrigger_log_ledger_imbalance_bytes: {
    kind: "gauge",
    doc: "Offered less acknowledged, dropped, dead-lettered, discarded and waiting bytes: 0, or lines went astray, which is a bug.",
    labels: byOutput,
  },
  outrigger_log_held_bytes: {
    kind: "gauge",
    doc: "Memory taken by lines an output has not acknowledged.",
    labels: byOutput,
  },
  outrigger_log_deliveries_total: {
    kind: "counter",
    doc: "Batches an output was given, retries included.",
    labels: byOutput,
  },
  outrigger_log_delivered_items_total: { kind: "counter", doc: "Lines and records an output has.", labels: byOutput },
  outrigger_log_delivery_duration_seconds: {
    kind: "histogram",
    doc: "Time an output took for a batch, failures included.",
    labels: byOutput,
  },
  outrigger_log_output_retries_total: {
    kind: "counter",
    doc: "Deliveries that are tried again, by cause: throttled, unavailable, unreachable, timeout, forbidden (no valid credentials), or other.",
    labels: byCause,
  },
} as const satisfies Record<string, MetricDeclaration>;

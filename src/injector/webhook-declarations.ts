/** What the webhook says and counts: its events and metrics, beside those of the spine. */
import type { EventDeclaration, MetricDeclaration } from "../contracts.ts";

export const webhookMetrics = {
  outrigger_webhook_requests_total: {
    kind: "counter",
    doc: "Requests to the webhook, by what became of them: injected, unchanged, skipped, refused (the pod), ignored (not the creation of a pod), error (a fault of ours), turned_away (not a review). `reason` says why it was not injected.",
    labels: ["outcome", "reason"],
  },
  outrigger_webhook_request_duration_seconds: {
    kind: "histogram",
    doc: "Time from the head of a review to its answer.",
  },
  outrigger_webhook_connections: { kind: "gauge", doc: "Open connections to the webhook." },
  outrigger_webhook_connections_failed_total: {
    kind: "counter",
    doc: "Connections to the webhook that ended before a request: tls_failed is also how an API server that does not trust the certificate leaves.",
    labels: ["reason"],
  },
  outrigger_webhook_certificate_expiry_timestamp_seconds: {
    kind: "gauge",
    doc: "Unix time at which the certificate that the webhook serves expires; 0 while there is none.",
    isFact: true,
  },
  outrigger_webhook_certificates_issued_total: {
    kind: "counter",
    doc: "Certificates that the webhook made and kept in its Secret, by kind: authority or leaf.",
    labels: ["kind"],
  },
  outrigger_webhook_ca_bundle_patches_total: {
    kind: "counter",
    doc: "Patches of the webhook configuration's caBundle, by result: patched, conflict (somebody else was first; tried again), failed.",
    labels: ["result"],
  },
  outrigger_webhook_kubernetes_failures_total: {
    kind: "counter",
    doc: "Calls to the Kubernetes API that failed, by what was asked for and the status of the answer; 0 is none.",
    labels: ["call", "status"],
  },
  outrigger_webhook_events_total: {
    kind: "counter",
    doc: "Kubernetes events to be written, by result: written, known (it was there), failed, dropped (too many waited).",
    labels: ["result"],
  },
  outrigger_webhook_missed_pods: {
    kind: "gauge",
    doc: "Pods that should have the sidecar and have none, as last looked. Every replica says the same: take the maximum.",
    labels: ["namespace"],
  },
  outrigger_webhook_last_look_timestamp_seconds: {
    kind: "gauge",
    doc: "Unix time at which the cluster was last looked through for such pods; 0 before the first.",
    isFact: true,
  },
} as const satisfies Record<string, MetricDeclaration>;

export const webhookEvents = {
  webhook_starting: { level: "info", text: "outrigger {version} starts as a webhook; its certificate: {certificate}" },
  webhook_listening: { level: "info", text: "reviews are taken on {address}; health and metrics on {health}" },
  webhook_ready: { level: "info", text: "ready after {durationMs} ms: there is a certificate, and it is known" },
  webhook_refused: { level: "warn", text: "the pod {pod} in {namespace} is refused: {faults}" },
  webhook_turned_away: { level: "warn", text: "a request of {peer} is no review ({reason}): {detail}" },
  webhook_review_failed: {
    level: "error",
    text: "a fault of ours kept the pod {pod} in {namespace} from being injected: {error}; please report it",
  },
  webhook_connection_failed: { level: "warn", text: "a connection of {peer} ended before a request: {detail}" },
  webhook_certificate_serving: { level: "info", text: "serves the certificate {serial} for {names}, until {until}" },
  webhook_certificate_issued: { level: "info", text: "made a new {kind} and keeps it in the Secret {kept}" },
  webhook_certificate_trouble: { level: "error", text: "the certificate could not be kept up: {trouble}" },
  webhook_certificate_expiring: {
    level: "error",
    text: "the certificate expires at {until}, and there is no other yet",
  },
  webhook_ca_bundle_patched: {
    level: "info",
    text: "the webhook configuration {configuration} knows the certificates of {authorities} authorities",
  },
  webhook_lifecycle_chosen: { level: "info", text: "pods that do not say get the {lifecycle} sidecar: {why}" },
  webhook_look_failed: { level: "warn", text: "the cluster could not be looked through: {trouble}" },
  webhook_pod_missed: { level: "warn", text: "the pod {pod} in {namespace} should have the sidecar and has none" },
} as const satisfies Record<string, EventDeclaration>;

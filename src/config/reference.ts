/** The generated files about what is declared once in code: options, errors, events, metrics. */
import type { EventDeclaration, MetricDeclaration } from "../contracts.ts";
import { type Failure, failures } from "../errors.ts";
import { builtInRegistry, type LoadedDropIn } from "./drop-ins.ts";
import { documentedSchema, jsonSchema } from "./json-schema.ts";
import { code, page, table } from "./markdown.ts";
import { configPage } from "./reference-page.ts";

export { jsonSchema } from "./json-schema.ts";

/** A text and its place in the repository. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** The configuration reference in Markdown, with every drop-in there is. */
export async function referencePage(): Promise<string> {
  return configPage(await documentedSchema());
}

/** What answers the sidecar makes itself, and why. */
export function errorsPage(all: Readonly<Record<string, Failure>> = failures): string {
  const rows = Object.entries(all).map(([name, { status, grpc, fault, title, closes }]) => [
    code(name),
    String(status),
    String(grpc),
    fault,
    `${title}${closes ? " The connection is closed." : ""}`,
  ]);
  const intro =
    "An answer that Outrigger makes itself is problem JSON (RFC 9457) whose `code` is one of these; it is also the label of `outrigger_failures_total`. A code is never used again for something else.";
  return page("Errors", intro, table(["code", "status", "gRPC status", "whose fault", "meaning"], rows));
}

/** What the own log says. */
export function eventsPage(events: Readonly<Record<string, EventDeclaration>>): string {
  const rows = Object.entries(events).map(([name, { level, text, metric }]) => [
    code(name),
    level,
    text,
    code(metric ?? ""),
  ]);
  const intro =
    "The own log is one JSON object a line on stderr. `event` is one of these, beside it stand the fields named in braces. The last column is the counter an event adds one to.";
  return page("Events", intro, table(["event", "level", "sentence", "metric"], rows));
}

/** What `/metrics` shows. */
export function metricsPage(metrics: Readonly<Record<string, MetricDeclaration>>): string {
  const rows = Object.entries(metrics).map(([name, { kind, labels, doc }]) => [
    code(name),
    kind,
    (labels ?? []).map(code).join(", "),
    doc,
  ]);
  return page(
    "Metrics",
    "Served at `/metrics` in the Prometheus text format, in base units.",
    table(["metric", "kind", "labels", "meaning"], rows),
  );
}

/** Every drop-in that may declare events and metrics of its own. */
async function declaringDropIns(): Promise<LoadedDropIn[]> {
  const { filters, logInputs, logTransforms, logOutputs } = await builtInRegistry();
  const listed = [filters, logInputs, logTransforms, logOutputs].flatMap((kind) =>
    Object.values<() => Promise<{ default: LoadedDropIn }>>(kind),
  );
  return Promise.all(listed.map(async (load) => (await load()).default));
}

/** All of them, with their place in the repository. */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  const [{ spineEvents }, { spineMetrics }, { annotationsPage }, { webhookEvents, webhookMetrics }, own] =
    await Promise.all([
      import("../events.ts"),
      import("../metrics.ts"),
      import("../injector/annotations-page.ts"),
      import("../injector/webhook-declarations.ts"),
      declaringDropIns(),
    ]);
  const events = Object.assign({}, spineEvents, ...own.map((dropIn) => dropIn.events), webhookEvents);
  const metrics = Object.assign({}, spineMetrics, ...own.map((dropIn) => dropIn.metrics), webhookMetrics);
  return [
    { path: "docs/reference/config.md", text: await referencePage() },
    { path: "docs/reference/outrigger.schema.json", text: `${JSON.stringify(await jsonSchema(), null, 2)}\n` },
    { path: "docs/reference/errors.md", text: errorsPage() },
    { path: "docs/reference/events.md", text: eventsPage(events) },
    { path: "docs/reference/metrics.md", text: metricsPage(metrics) },
    { path: "docs/reference/annotations.md", text: annotationsPage() },
  ];
}

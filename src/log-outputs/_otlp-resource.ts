/** What the collector knows of where lines come from, by the names OpenTelemetry has for it. */
import type { LogSource } from "../contracts.ts";

export type Attributes = readonly (readonly [key: string, value: unknown])[];

/** Usual short names; https://opentelemetry.io/docs/specs/semconv/resource/. */
const conventions: Readonly<Record<string, string>> = {
  service: "service.name",
  app: "service.name",
  version: "service.version",
  environment: "deployment.environment.name",
  env: "deployment.environment.name",
  host: "host.name",
  cluster: "k8s.cluster.name",
  namespace: "k8s.namespace.name",
  node: "k8s.node.name",
  pod: "k8s.pod.name",
  pod_uid: "k8s.pod.uid",
  pod_ip: "k8s.pod.ip",
  container: "k8s.container.name",
  deployment: "k8s.deployment.name",
};

/** Beginnings of the names that a pod's labels and annotations have. */
const families: readonly (readonly [begins: string, family: string])[] = [
  ["label_", "k8s.pod.label."],
  ["annotation_", "k8s.pod.annotation."],
];

function conventionalName(name: string): string {
  const family = families.find(([begins]) => name.startsWith(begins));
  return family === undefined ? (conventions[name] ?? name) : `${family[1]}${name.slice(family[0].length)}`;
}

/**
 * The attributes of a source's resource: its entry's fields under their conventional names, others as they are called.
 * A service must have a name: that of the entry where nobody says one. `fixed` wins.
 */
export function resourceOf({ fields, input }: LogSource, fixed: Readonly<Record<string, string>>): Attributes {
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined) attributes[conventionalName(name)] ??= value;
  }
  // What says `service` outright counts more than what says `app`.
  const service = fields["service.name"] ?? fields.service ?? attributes["service.name"] ?? input;
  return Object.entries({ ...attributes, "service.name": service, ...fixed });
}

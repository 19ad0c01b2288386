/** Reading a pod, or a workload's template of one, as plain JSON: what is not of the expected shape is not there. */
import { entriesOf, itemsOf, memberOf, textOf } from "../config/raw.ts";
import type { Step } from "./patch.ts";

/** The lists of containers a pod has. */
export const containerLists = ["initContainers", "containers", "ephemeralContainers"] as const;
export type ContainerList = (typeof containerLists)[number];

/** A container and its place. */
export interface PlacedContainer {
  readonly list: ContainerList;
  readonly at: number;
  readonly name: string;
  readonly container: unknown;
}

/** What stands under keys, one below the other. */
export function dig(value: unknown, ...keys: readonly Step[]): unknown {
  return keys.reduce<unknown>(memberOf, value);
}

/** The containers of some lists, in the pod's order. */
export function containersOf(pod: unknown, ...lists: readonly ContainerList[]): PlacedContainer[] {
  const spec = memberOf(pod, "spec");
  return (lists.length === 0 ? containerLists : lists).flatMap((list) =>
    itemsOf(spec, list).map((container, at) => ({ list, at, name: textOf(container, "name") ?? "", container })),
  );
}

/** Labels or annotations, whatever their values are. */
export function metadataMap(pod: unknown, kind: "labels" | "annotations"): Readonly<Record<string, unknown>> {
  return Object.fromEntries(entriesOf(dig(pod, "metadata", kind)));
}

/** The user a container runs as, where the pod says it. */
export function userOf(pod: unknown, container: unknown): unknown {
  return securityOf(pod, container, "runAsUser");
}

/** A field of a container's security context, else of the pod's. */
export function securityOf(pod: unknown, container: unknown, field: string): unknown {
  return dig(container, "securityContext", field) ?? dig(pod, "spec", "securityContext", field);
}

/** Seconds from the request to stop to the kill; Kubernetes' default is 30. */
export function graceSeconds(pod: unknown): number {
  const seconds = dig(pod, "spec", "terminationGracePeriodSeconds");
  return typeof seconds === "number" ? seconds : 30;
}

/** A port that a container declares. */
export interface DeclaredPort {
  readonly container: string;
  readonly name: string | undefined;
  readonly port: number;
}

/** The TCP ports that some lists' containers declare. */
export function declaredPorts(pod: unknown, ...lists: readonly ContainerList[]): DeclaredPort[] {
  return containersOf(pod, ...lists).flatMap(({ name: container, container: value }) =>
    itemsOf(value, "ports").flatMap((one) => {
      const port = memberOf(one, "containerPort");
      const isTcp = (textOf(one, "protocol") ?? "TCP") === "TCP";
      return typeof port === "number" && isTcp ? [{ container, name: textOf(one, "name"), port }] : [];
    }),
  );
}

/** A probe that the kubelet sends to the pod's address. */
export interface NetworkProbe {
  readonly container: string;
  readonly kind: string;
  readonly port: number;
}

const probeKinds = ["startupProbe", "readinessProbe", "livenessProbe"] as const;

/** The httpGet, tcpSocket and grpc probes of the app's containers, named ports looked up. */
export function networkProbes(pod: unknown): NetworkProbe[] {
  return containersOf(pod, "initContainers", "containers").flatMap(({ name, container }) =>
    probeKinds.flatMap((kind) => {
      const probe = memberOf(container, kind);
      const written = ["httpGet", "tcpSocket", "grpc"].map((action) => dig(probe, action, "port"));
      const port = written.map((one) => portNumber(container, one)).find((one) => one !== undefined);
      return port === undefined ? [] : [{ container: name, kind, port }];
    }),
  );
}

function portNumber(container: unknown, written: unknown): number | undefined {
  if (typeof written === "number") return written;
  if (typeof written !== "string") return undefined;
  const named = itemsOf(container, "ports").find((one) => textOf(one, "name") === written);
  const port = memberOf(named, "containerPort");
  return typeof port === "number" ? port : undefined;
}

/** The containers and volumes that are added, as Kubernetes writes them. */

import type { Settings } from "./annotations.ts";
import type { AddedLogVolume, LogMount } from "./log-mounts.ts";
import type { ResourcePlan } from "./resources.ts";

export const sidecarName = "outrigger";
export const redirectName = "outrigger-redirect";
/** The sidecar's user and group: another than apps have, as capture passes by what this user sends. */
export const sidecarId = 7411;

const tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What the sidecar's container is made of. */
export interface SidecarPlan {
  readonly settings: Settings;
  readonly healthPort: number;
  /** The app's user, for `run-as: app`. */
  readonly appUser: number | undefined;
  readonly graceSeconds: number;
  /** Ports of the sidecar that others call. */
  readonly ports: readonly number[];
  readonly logs: readonly LogMount[];
  readonly addedLogs: readonly AddedLogVolume[];
  readonly resources: ResourcePlan;
  /** True when Kubernetes would mount the app's token here. */
  readonly hidesToken: boolean;
}

/** Where the sidecar mounts volumes of its own. */
export const ownMountPaths: readonly string[] = [
  "/etc/outrigger",
  "/etc/podinfo",
  "/var/lib/outrigger",
  "/tmp",
  tokenFolder,
];

const podFields: readonly (readonly [name: string, fieldPath: string])[] = [
  ["POD_NAME", "metadata.name"],
  ["POD_NAMESPACE", "metadata.namespace"],
  ["POD_UID", "metadata.uid"],
  ["POD_IP", "status.podIP"],
  ["NODE_NAME", "spec.nodeName"],
  ["HOST_IP", "status.hostIP"],
  ["POD_SERVICE_ACCOUNT", "spec.serviceAccountName"],
];

const graceVariable = "OUTRIGGER_GRACE_SECONDS";
const lifecycleVariable = "OUTRIGGER_LIFECYCLE";
/** Where the image has it. */
const binary = "/usr/local/bin/outrigger";

/** The variables a sidecar has. */
export function variableNames(settings: Settings): string[] {
  return [...podFields.map(([name]) => name), graceVariable, lifecycleVariable, ...Object.keys(settings.env)];
}

/** The sidecar, in the form that was asked for. */
export function sidecarContainer(plan: SidecarPlan): Record<string, unknown> {
  const { settings, healthPort } = plan;
  const isNative = settings.lifecycle === "native";
  return {
    name: sidecarName,
    image: settings.image,
    imagePullPolicy: settings["image-pull-policy"],
    ...(isNative ? { restartPolicy: "Always" } : {}),
    args: ["run"],
    env: environment(plan),
    ports: [healthPort, ...plan.ports].map((port, at) => containerPort(at === 0 ? sidecarName : portName(port), port)),
    startupProbe: { httpGet: asked("/startup"), periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60 },
    readinessProbe: { httpGet: asked("/ready"), periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 },
    livenessProbe: { httpGet: asked("/live"), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    lifecycle: {
      // The kubelet starts containers in order, and the next one once postStart has ended.
      ...(isNative ? {} : { postStart: { exec: { command: [binary, "wait", "--port", String(healthPort)] } } }),
      preStop: { httpGet: asked("/drain") },
    },
    resources: plan.resources.sidecar,
    securityContext: { ...runAs(plan), ...restricted },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: mounts(plan),
  };
}

/** By the port's name, which a container looks up in itself. */
function asked(path: string): { path: string; port: string } {
  return { path, port: sidecarName };
}

function containerPort(name: string, port: number) {
  return { name, containerPort: port, protocol: "TCP" };
}

/** At most 15 characters, as names of ports are; no name that a Service may already look for. */
function portName(port: number): string {
  return `outrigger-${port}`;
}

function environment({ settings, graceSeconds }: SidecarPlan): unknown[] {
  const fields = podFields.map(([name, fieldPath]) => ({ name, valueFrom: { fieldRef: { fieldPath } } }));
  const ours = [
    ...fields,
    { name: graceVariable, value: String(graceSeconds) },
    { name: lifecycleVariable, value: settings.lifecycle },
  ];
  const own = Object.entries(settings.env).map(([name, value]) => ({ name, value }));
  return [...ours.filter(({ name }) => !Object.hasOwn(settings.env, name)), ...own];
}

const restricted = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

function runAs({ settings, appUser }: SidecarPlan): Record<string, number> {
  if (settings["run-as"] === "unset") return {};
  return { runAsUser: settings["run-as"] === "app" ? (appUser ?? sidecarId) : sidecarId, runAsGroup: sidecarId };
}

function mounts({ logs, settings, hidesToken }: SidecarPlan): unknown[] {
  return [
    { name: "outrigger-config", mountPath: "/etc/outrigger", readOnly: true },
    { name: "outrigger-podinfo", mountPath: "/etc/podinfo", readOnly: true },
    ...(hidesToken || settings["api-token"] === "own"
      ? [{ name: "outrigger-token", mountPath: tokenFolder, readOnly: true }]
      : []),
    ...logs,
    { name: "outrigger-state", mountPath: "/var/lib/outrigger" },
    { name: "outrigger-tmp", mountPath: "/tmp" },
  ];
}

/** The volumes, in the order in which they are added. */
export function volumes({ settings, addedLogs, hidesToken }: SidecarPlan): { name: string }[] {
  const labels = ["labels", "annotations"].map((path) => ({ path, fieldRef: { fieldPath: `metadata.${path}` } }));
  return [
    { name: "outrigger-config", ...configSource(settings) },
    { name: "outrigger-podinfo", ...{ downwardAPI: { items: labels } } },
    ...tokenVolume(settings, hidesToken),
    ...addedLogs.map(({ name }) => emptyDir(name, { sizeLimit: settings["log-size-limit"] })),
    emptyDir("outrigger-state", { sizeLimit: settings["state-size-limit"] }),
    // In memory, where it counts against the container's limit.
    emptyDir("outrigger-tmp", { medium: "Memory", sizeLimit: "16Mi" }),
  ];
}

function emptyDir(name: string, emptyDir: Record<string, string>) {
  return { name, emptyDir };
}

/** The annotation reaches the sidecar as a file, which the kubelet writes anew when the annotation changes. */
function configSource(settings: Settings): Record<string, unknown> {
  if (settings.config === undefined) return { configMap: { name: settings["config-map"] ?? "outrigger" } };
  const fieldPath = "metadata.annotations['outrigger.dev/config']";
  return { downwardAPI: { items: [{ path: "outrigger.yaml", fieldRef: { fieldPath } }] } };
}

/**
 * Kubernetes mounts the service account's token into every container that has nothing mounted there, ours too:
 * an empty folder keeps it out (admission plugin ServiceAccount, mountServiceAccountToken).
 */
function tokenVolume(settings: Settings, hidesToken: boolean): { name: string }[] {
  const name = "outrigger-token";
  if (settings["api-token"] === "none") return hidesToken ? [emptyDir(name, { sizeLimit: "1Mi" })] : [];
  const namespace = { path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } };
  const sources = [
    { serviceAccountToken: { path: "token", expirationSeconds: 3600 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [namespace] } },
  ];
  return [{ name, ...{ projected: { sources } } }];
}

/** The init container that lays the redirect, with the one capability for it. */
export function redirectContainer({ settings, healthPort, resources }: SidecarPlan): Record<string, unknown> {
  return {
    name: redirectName,
    image: settings.image,
    imagePullPolicy: settings["image-pull-policy"],
    args: redirectArguments(settings, healthPort),
    resources: resources.redirect,
    securityContext: {
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: [{ name: "outrigger-tmp", mountPath: "/tmp" }],
  };
}

function redirectArguments(settings: Settings, healthPort: number): string[] {
  const [isOut, isIn] = [settings.capture === "redirect", settings.inbound === "redirect"];
  const ids = settings["exclude-uids"] ?? [];
  const isOwnUser = settings["run-as"] === "fixed";
  const gids = [...(isOwnUser ? [] : [sidecarId]), ...(settings["exclude-gids"] ?? [])];
  return [
    "init",
    ...["--redirect", [...(isOut ? ["outbound"] : []), ...(isIn ? ["inbound"] : [])].join(",")],
    ...flag("--outbound-port", isOut ? [settings["redirect-outbound-to"]] : []),
    ...flag("--inbound-port", isIn ? [settings["redirect-inbound-to"]] : []),
    ...flag("--inbound-ports", isIn ? (settings["redirect-inbound-ports"] ?? []) : []),
    ...flag("--health-port", [healthPort]),
    ...flag("--exclude-inbound-ports", isIn ? (settings["exclude-inbound-ports"] ?? []) : []),
    ...flag("--exclude-outbound-ports", isOut ? (settings["exclude-outbound-ports"] ?? []) : []),
    ...flag("--exclude-cidrs", isOut ? (settings["exclude-cidrs"] ?? []) : []),
    ...flag("--exclude-uids", isOwnUser ? [sidecarId, ...ids] : ids),
    ...flag("--exclude-gids", gids),
  ];
}

function flag(name: string, values: readonly (string | number)[]): string[] {
  return values.length === 0 ? [] : [name, [...new Set(values)].join(",")];
}

/** Names of the volumes that keep no state of the app: they need not hold a node (cluster autoscaler). */
export function disposableVolumes(plan: SidecarPlan): string[] {
  return volumes(plan)
    .filter((volume) => "emptyDir" in volume)
    .map(({ name }) => name);
}

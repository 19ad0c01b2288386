/** Pods that a test makes up: an app of a few lines of TypeScript, and a sidecar with a configuration. */
import type { Container, Manifests } from "./manifest.ts";

export interface Made {
  name: string;
  /** The app's program. It finds the shared folder at /logs. */
  app: string;
  /** outrigger.yaml. The sidecar finds the shared folder at /logs, which it may only read. */
  config: string;
  /** More files beside outrigger.yaml. */
  files?: Record<string, string>;
  /** Replaces parts of the containers. */
  appContainer?: Partial<Container>;
  sidecar?: Partial<Container>;
  /** Two containers side by side instead of a native sidecar. */
  isPlain?: boolean;
  graceSeconds?: number;
}

const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

const app: Container = {
  name: "app",
  image: "outrigger-samples:0.1.0",
  command: ["bun", "/work/app.ts"],
  securityContext: { ...restricted, runAsUser: 10001, runAsGroup: 10001 },
  resources: { limits: { memory: "128Mi", cpu: "500m" } },
  volumeMounts: [
    { name: "logs", mountPath: "/logs" },
    { name: "work", mountPath: "/work", readOnly: true },
  ],
};

/** The limits and mounts of the samples. */
const sidecar: Container = {
  name: "sidecar",
  image: "outrigger:0.1.0",
  args: ["run"],
  ports: [{ name: "outrigger", containerPort: 7411 }],
  startupProbe: { httpGet: { path: "/startup", port: "outrigger" }, periodSeconds: 1, failureThreshold: 60 },
  lifecycle: { preStop: { httpGet: { path: "/drain", port: "outrigger" } } },
  securityContext: { ...restricted, runAsUser: 7411, runAsGroup: 7411 },
  resources: { limits: { memory: "192Mi", cpu: "1" } },
  volumeMounts: [
    { name: "config", mountPath: "/etc/outrigger", readOnly: true },
    { name: "logs", mountPath: "/logs", readOnly: true },
    { name: "state", mountPath: "/var/lib/outrigger" },
  ],
};

export function made({ name, config, files = {}, isPlain = false, graceSeconds = 30, ...parts }: Made): Manifests {
  const beside: Container = { ...sidecar, ...parts.sidecar };
  const spec = {
    terminationGracePeriodSeconds: graceSeconds,
    initContainers: isPlain ? [] : [{ ...beside, restartPolicy: "Always" as const }],
    containers: [{ ...app, ...parts.appContainer }, ...(isPlain ? [beside] : [])],
    volumes: [
      { name: "logs", emptyDir: {} },
      { name: "state", emptyDir: {} },
      { name: "config", configMap: { name: "config" } },
      { name: "work", configMap: { name: "work" } },
    ],
  };
  const configMaps = { config: { "outrigger.yaml": config, ...files }, work: { "app.ts": parts.app } };
  return { pod: { metadata: { name }, spec }, configMaps };
}

/** The mounts of the sidecar but for some. */
export function sidecarWithout(...volumes: string[]): Partial<Container> {
  return { volumeMounts: sidecar.volumeMounts!.filter(({ name }) => !volumes.includes(name)) };
}

/** Numbers of lines `line 17`, in the order in which they came. */
export function numbersIn(text: string): number[] {
  return [...text.matchAll(/^line (\d+)$/gm)].map(([, number]) => Number(number));
}

/** What of 1 to `last` is not among the numbers. */
export function missingOf(numbers: readonly number[], last: number): number[] {
  const found = new Set(numbers);
  return Array.from({ length: last }, (_, index) => index + 1).filter((number) => !found.has(number));
}

/**
 * The annotations under `outrigger.dev/`, declared once: how they are read, their defaults, and what the reference page
 * says of them. They configure; whether a pod is injected, labels decide.
 */
import { nearest } from "../config/names.ts";
import { version } from "../version.ts";
import { cidr, type Kind, list, portPair, quantity, text, variables, whole, word } from "./annotation-kinds.ts";

/** What all our labels and annotations begin with. */
export const prefix = "outrigger.dev/";
/** Label of a namespace (`enabled`) or a pod (`true`, `false`): whether pods are injected. */
export const injectLabel = `${prefix}inject`;
/** Label that an injected pod has. */
export const injectedLabel = `${prefix}injected`;
/** Annotation of an injected pod, or of a Service that was led to the sidecar: what was changed, in JSON. */
export const statusAnnotation = `${prefix}status`;

interface Declaration<T, F> {
  readonly kind: Kind<T>;
  readonly fallback: F;
  /** The default in words, where the value does not say it. */
  readonly defaultText?: string;
  readonly doc: string;
}

function declare<T>(kind: Kind<T>, fallback: T, doc: string, defaultText?: string): Declaration<T, T> {
  return { kind, fallback, doc, ...(defaultText === undefined ? {} : { defaultText }) };
}

function optional<T>(kind: Kind<T>, doc: string, defaultText = ""): Declaration<T, undefined> {
  return { kind, fallback: undefined, doc, defaultText };
}

const path = text("an absolute path", /^\/[^,:\0]*$/);
const objectName = text(
  "a name of lower-case letters, digits, - and .",
  /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
);
const volumeName = text("a volume's name", /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
const portNumber = whole(1, 65_535);
const id = whole(0, 2_147_483_647);
const ports = list(portNumber, "ports between commas, such as 8080,9090");

/** Every annotation there is, by its name without the prefix. */
export const annotations = {
  config: optional(
    text("a configuration in YAML", /\S/),
    "The sidecar's configuration itself. It is mounted as a file through the downward API; not together with `config-map`.",
  ),
  "config-map": optional(
    objectName,
    "ConfigMap in the pod's namespace that is mounted at `/etc/outrigger`; its key `outrigger.yaml` is the configuration. When it changes, the sidecar reloads.",
    "`outrigger`, unless `config` is given",
  ),
  inbound: declare(
    word("service", "redirect", "off"),
    "service",
    "How requests reach the sidecar: `service`, the Service leads to a port of the sidecar and the app listens on loopback; `redirect`, an init container with NET_ADMIN redirects connections to the pod; `off`, they do not.",
  ),
  "inbound-ports": optional(
    list(portPair, "pairs of ports between commas, such as 8080:7878"),
    "With `inbound: service`: ports of the sidecar and the ports of the app they lead to. They become container ports, and Services in the same manifest that lead to the app's port are led to the sidecar's.",
    "taken from the configuration where the injector can see it",
  ),
  capture: declare(
    word("loopback", "redirect"),
    "loopback",
    "How the app's own calls reach the sidecar: `loopback`, the app calls a port of localhost; `redirect`, an init container with NET_ADMIN redirects every connection out of the pod.",
  ),
  "redirect-inbound-ports": optional(ports, "With `inbound: redirect`: the app's ports to redirect.", "all"),
  "redirect-inbound-to": declare(
    portNumber,
    15_006,
    "The port of the sidecar's inbound listener that takes redirected connections.",
  ),
  "redirect-outbound-to": declare(
    portNumber,
    15_001,
    "The port of the sidecar's outbound listener that takes redirected connections.",
  ),
  "exclude-inbound-ports": optional(ports, "Ports of the pod that are not redirected, beside the health port."),
  "exclude-outbound-ports": optional(ports, "Ports of others to which calls are not redirected."),
  "exclude-cidrs": optional(
    list(cidr, "ranges of addresses between commas, such as 10.0.0.0/8"),
    "Addresses of others to which calls are not redirected.",
  ),
  "exclude-uids": optional(
    list(id, "user ids between commas"),
    "Users whose calls are not redirected, beside the sidecar's.",
  ),
  "exclude-gids": optional(list(id, "group ids between commas"), "Groups whose calls are not redirected."),
  lifecycle: declare(
    word("native", "plain"),
    "native",
    "`native` is an init container that keeps running (Kubernetes 1.29 and later): it starts before the app and stops after it. `plain` is a container beside the others; pods of Jobs would not end with it and are refused.",
  ),
  image: declare(text("an image", /^[^\s,]+$/), `outrigger:${version}`, "The sidecar's image."),
  "image-pull-policy": declare(word("IfNotPresent", "Always", "Never"), "IfNotPresent", "Its pull policy."),
  "cpu-request": optional(quantity("50m"), "What the scheduler sets aside for the sidecar.", "50m"),
  "cpu-limit": optional(quantity("1"), "The most it may use.", "1"),
  "memory-request": optional(quantity("64Mi"), "What the scheduler sets aside for the sidecar.", "64Mi"),
  "memory-limit": optional(
    quantity("192Mi"),
    "Above it the kernel ends the sidecar; above 70 % of it the sidecar answers 503 (`limits.memory`).",
    "192Mi",
  ),
  "ephemeral-storage-request": optional(quantity("64Mi"), "Disk that the scheduler sets aside for its state.", "64Mi"),
  "ephemeral-storage-limit": optional(
    quantity("512Mi"),
    "The kubelet adds these limits up and holds the whole pod to the sum, so that a limit of the sidecar alone would become the app's.",
    "512Mi where every container of the pod has such a limit, else none",
  ),
  "health-port": optional(
    portNumber,
    "Port of the probes and of `/drain`; it must be the configuration's `health`.",
    "the configuration's `health` where the injector can see it, else 7411",
  ),
  "run-as": declare(
    word("fixed", "app", "unset"),
    "fixed",
    "`fixed` is uid and gid 7411. `app` is the uid of the app, to read logs that only it may read, with gid 7411. `unset` leaves it to the platform (OpenShift).",
  ),
  "api-token": declare(
    word("none", "own"),
    "none",
    "`none` keeps the app's service account token out of the sidecar. `own` gives the sidecar a token of the pod's service account, renewed hourly, also where the pod mounts none itself.",
  ),
  "log-path": optional(
    list(path, "absolute paths between commas"),
    "Folders in which the app writes logs. Where a container mounts a volume there, the sidecar gets it read-only at the same path; where none does, a volume is added to the app's container and the sidecar.",
    "the folders of the configuration's `files`, where the injector can see it and a volume is mounted there",
  ),
  "log-volume": optional(
    list(volumeName, "names of volumes between commas"),
    "Volumes of the pod that the sidecar gets read-only, at the paths where the app's containers mount them.",
  ),
  "log-container": optional(
    volumeName,
    "The app's container whose logs are meant.",
    "`kubectl.kubernetes.io/default-container`, else the first",
  ),
  "log-size-limit": declare(quantity("512Mi"), "512Mi", "Size limit of a log volume that is added."),
  "state-size-limit": declare(quantity("256Mi"), "256Mi", "Size limit of the volume for the sidecar's state."),
  env: declare(variables, {}, "Variables of the sidecar, for `${NAME}` in its configuration.", "none"),
  "app-pre-stop-sleep": optional(
    whole(1, 3600),
    "Seconds that the app's containers sleep before they are stopped (Kubernetes 1.30 and later), where they have no preStop of their own: what comes in meanwhile is still answered.",
    "none",
  ),
} as const;

export type AnnotationName = keyof typeof annotations;

/** The annotations' values, or their defaults. */
export type Settings = {
  readonly [N in AnnotationName]: (typeof annotations)[N] extends Declaration<infer T, infer F> ? T | F : never;
};

/** One wrong label or annotation, in words. */
export interface AnnotationFault {
  /** With its prefix. */
  readonly key: string;
  readonly problem: string;
  readonly remedy: string;
}

/** `outrigger.dev/inbound: "all" is not known; write service, redirect or off`. */
export function formatAnnotationFault({ key, problem, remedy }: AnnotationFault): string {
  return `${key}: ${problem}; ${remedy}`;
}

/** True for the name of an annotation, without its prefix. */
export function isAnnotationName(name: string): name is AnnotationName {
  return Object.hasOwn(annotations, name);
}

/**
 * The settings that annotations ask for.
 * @param written every annotation of the pod, others' too
 * @param defaults texts by name without prefix, for what is not written
 */
export function readSettings(
  written: Readonly<Record<string, unknown>>,
  defaults: Readonly<Partial<Record<AnnotationName, string>>>,
): { settings: Settings; faults: readonly AnnotationFault[] } {
  const faults = Object.keys(written).flatMap((key) => unknownFault(key) ?? []);
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(annotations).filter(isAnnotationName)) {
    const { kind, fallback }: Declaration<unknown, unknown> = annotations[name];
    const found = written[prefix + name] ?? defaults[name];
    settings[name] = fallback;
    if (found === undefined) continue;
    const reading = typeof found === "string" ? kind.read(found) : { problem: "it is not a text" };
    if ("value" in reading) settings[name] = reading.value;
    else faults.push({ key: prefix + name, problem: reading.problem, remedy: remedyOf(kind) });
  }
  return { settings: settings as Settings, faults };
}

function remedyOf({ form, allowed }: Kind<unknown>): string {
  return allowed === undefined ? `write ${form}` : `allowed are ${form}`;
}

function unknownFault(key: string): AnnotationFault | undefined {
  if (!key.startsWith(prefix) || key === statusAnnotation) return undefined;
  const name = key.slice(prefix.length);
  if (isAnnotationName(name)) return undefined;
  if (key === injectLabel || key === injectedLabel)
    return { key, problem: "this is a label, not an annotation", remedy: "write it under metadata.labels" };
  const near = nearest(name, Object.keys(annotations));
  const remedy =
    near === undefined ? `known are ${Object.keys(annotations).join(", ")}` : `did you mean ${prefix}${near}?`;
  return { key, problem: "there is no such annotation", remedy };
}

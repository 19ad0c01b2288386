/** What the webhook is told on its command line, read and checked: all faults at once. */
import { type Address, type Parsed, parseAddress } from "../config/address.ts";
import { parseDuration } from "../config/scalars.ts";
import { UserError } from "../errors.ts";
import { inClusterServer, type KubernetesPlace, mountedAccount } from "../net/kubernetes.ts";
import { type AnnotationName, formatAnnotationFault, isAnnotationName, prefix, readSettings } from "./annotations.ts";
import type { Lifetimes } from "./certificate-material.ts";
import type { Lifecycle } from "./lifecycle-choice.ts";
import { certificateSecret, configurationName } from "./rights.ts";

/** The flags as they were written. */
export interface WebhookFlags {
  readonly port: string | undefined;
  readonly health: string | undefined;
  readonly certificate: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly secret: string | undefined;
  readonly service: string | undefined;
  readonly namespace: string | undefined;
  readonly dnsName: readonly string[];
  readonly webhookConfiguration: string | undefined;
  readonly image: string | undefined;
  readonly default: readonly string[];
  readonly lifecycle: string | undefined;
  readonly onError: string | undefined;
  readonly detect: string | undefined;
  readonly grace: string | undefined;
  readonly apiServer: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly logFormat: string | undefined;
}

/** A certificate of our own: host names, and where it is kept. */
export interface OwnCertificatePlace {
  readonly kind: "own";
  readonly names: readonly string[];
  readonly secret: string;
  /** Name of the MutatingWebhookConfiguration whose caBundle is kept. */
  readonly configuration: string;
  readonly lifetimes?: Lifetimes;
  readonly everyMs?: number;
  readonly settleMs?: number;
}

export interface CertificateFilesPlace {
  readonly kind: "files";
  readonly cert: string;
  readonly key: string;
  readonly mustExist: boolean;
}

export interface WebhookSettings {
  readonly address: Address;
  readonly health: Address;
  readonly certificate: OwnCertificatePlace | CertificateFilesPlace;
  /** Undefined outside a cluster: then nothing is known but what a review says. */
  readonly api: KubernetesPlace | undefined;
  /** The one we run in, where it was said. */
  readonly namespace: string | undefined;
  readonly defaults: Readonly<Partial<Record<AnnotationName, string>>>;
  readonly lifecycle: Lifecycle | "auto";
  readonly onError: "allow" | "refuse";
  /** Undefined does not look for pods that were missed. */
  readonly detectEveryMs: number | undefined;
  readonly graceMs: number;
  readonly logFormat: "json" | "text";
}

const mountedCertificate = "/etc/outrigger/certificate";
const usage = 2;

/** @throws UserError (exit 2) with every fault, a line each */
export function readWebhookFlags(
  flags: WebhookFlags,
  env: Readonly<Record<string, string | undefined>>,
): WebhookSettings {
  const faults: string[] = [];
  const taken = <T>(flag: string, parsed: Parsed<T>, fallback: T): T => {
    if ("value" in parsed) return parsed.value;
    faults.push(`--${flag}: ${parsed.problem || "it cannot be read"}; ${parsed.remedy}`);
    return fallback;
  };
  const anywhere = { host: undefined, port: 0, text: "0" };
  const server = flags.apiServer ?? inClusterServer(env);
  const detect = flags.detect === "off" ? { value: undefined } : parseDuration(flags.detect ?? "60s", 1000);
  const settings: WebhookSettings = {
    address: taken("port", parseAddress(flags.port ?? "8443"), anywhere),
    health: taken("health", parseAddress(flags.health ?? "7411"), anywhere),
    certificate: certificateOf(flags, (fault) => void faults.push(fault)),
    api: server === undefined ? undefined : { server, account: flags.serviceAccount ?? mountedAccount },
    namespace: flags.namespace,
    defaults: defaultsOf(flags, (fault) => void faults.push(fault)),
    lifecycle: taken("lifecycle", oneOf(flags.lifecycle, ["auto", "native", "plain"]), "auto"),
    onError: taken("on-error", oneOf(flags.onError, ["allow", "refuse"]), "allow"),
    detectEveryMs: taken<number | undefined>("detect", detect, undefined),
    graceMs: taken("grace", parseDuration(flags.grace ?? "20s", 1000), 0),
    logFormat: taken("log-format", oneOf(flags.logFormat, ["json", "text"]), "json"),
  };
  if (settings.certificate.kind === "own" && server === undefined)
    faults.push(
      "--certificate self: there is no cluster here (KUBERNETES_SERVICE_HOST is not set) to keep it in; name --api-server, or give files with --certificate provided",
    );
  if (faults.length > 0) throw new UserError(faults.join("\n"), usage);
  return settings;
}

/** One of some words, the first of which is the default. */
function oneOf<const W extends string>(text: string | undefined, words: readonly W[]): Parsed<W> {
  const found = text === undefined ? words[0] : words.find((word) => word === text);
  if (found !== undefined) return { value: found };
  return { problem: `"${text}" is not known`, remedy: `write ${words.join(" or ")}` };
}

function certificateOf(flags: WebhookFlags, fault: (text: string) => void): WebhookSettings["certificate"] {
  const kind = oneOf(flags.certificate, ["self", "cert-manager", "provided"]);
  if ("problem" in kind) fault(`--certificate: ${kind.problem}; ${kind.remedy}`);
  const isOwn = "value" in kind && kind.value === "self";
  const { certFile, keyFile } = flags;
  if (isOwn && (certFile !== undefined || keyFile !== undefined))
    fault("--cert-file, --key-file: the webhook makes its certificate itself; write --certificate provided");
  if (isOwn) return ownCertificate(flags);
  return {
    kind: "files",
    cert: certFile ?? `${mountedCertificate}/tls.crt`,
    key: keyFile ?? `${mountedCertificate}/tls.key`,
    mustExist: !("value" in kind && kind.value === "cert-manager"),
  };
}

/** Names are completed with the namespace once that is known. */
function ownCertificate({ service = "outrigger-webhook", dnsName, secret, webhookConfiguration }: WebhookFlags) {
  return {
    kind: "own",
    names: [service, ...dnsName],
    secret: secret ?? certificateSecret,
    configuration: webhookConfiguration ?? configurationName,
  } as const;
}

/** The host names by which a cluster calls a Service. */
export function serviceNames([service, ...others]: readonly string[], namespace: string): string[] {
  const short = `${service}.${namespace}.svc`;
  return [short, `${service}.${namespace}`, `${short}.cluster.local`, ...others];
}

function defaultsOf(flags: WebhookFlags, fault: (text: string) => void): WebhookSettings["defaults"] {
  const defaults: Partial<Record<AnnotationName, string>> = {};
  if (flags.image !== undefined) defaults.image = flags.image;
  for (const text of flags.default) {
    const [name = "", ...value] = text.split("=");
    if (value.length === 0) fault(`--default ${text}: there is no =; write NAME=VALUE, such as cpu-limit=500m`);
    else if (!isAnnotationName(name))
      fault(`--default ${text}: there is no annotation ${prefix}${name}; see docs/reference/annotations.md`);
    else defaults[name] = value.join("=");
  }
  for (const one of readSettings({}, defaults).faults) fault(`--default ${formatAnnotationFault(one)}`);
  return defaults;
}

/** What must hold where connections are redirected: refused where it does not, as the pod would be cut off. */
import { memberOf } from "../config/raw.ts";
import { type AnnotationFault, prefix, type Settings } from "./annotations.ts";
import type { KnownConfig } from "./known-config.ts";
import { containersOf, dig, networkProbes, securityOf } from "./pod.ts";
import { sidecarId } from "./sidecar-container.ts";

/** True when an init container redirects connections. */
export function redirects(settings: Settings): boolean {
  return settings.capture === "redirect" || settings.inbound === "redirect";
}

/** What is wrong with a redirect in this pod. */
export function captureFaults(
  pod: unknown,
  settings: Settings,
  known: KnownConfig | undefined,
  enforced: string | undefined,
): AnnotationFault[] {
  if (!redirects(settings)) return [];
  return [...userFaults(pod, settings), ...standardFaults(settings, enforced), ...listenerFaults(settings, known)];
}

function keyOf(settings: Settings): string {
  return prefix + (settings.capture === "redirect" ? "capture" : "inbound");
}

/** The rules pass by what the sidecar sends, and know it by its user: what another container sends as that user escapes. */
function userFaults(pod: unknown, settings: Settings): AnnotationFault[] {
  if (settings["run-as"] === "unset")
    return [
      {
        key: `${prefix}run-as`,
        problem: "the redirect must know the sidecar's user, and `unset` leaves it open",
        remedy: "write fixed or app, or no redirect",
      },
    ];
  const [field, word] = settings["run-as"] === "app" ? ["runAsGroup", "group"] : ["runAsUser", "user"];
  return containersOf(pod, "initContainers", "containers")
    .filter(({ container }) => securityOf(pod, container, field!) === sidecarId)
    .map(({ name }) => ({
      key: keyOf(settings),
      problem: `the container "${name}" runs as ${word} ${sidecarId}, which is the sidecar's: its connections would pass by the redirect`,
      remedy: `let it run as another ${word}, or write no redirect`,
    }));
}

function standardFaults(settings: Settings, enforced: string | undefined): AnnotationFault[] {
  if (enforced !== "baseline" && enforced !== "restricted") return [];
  const problem = `a redirect needs an init container with NET_ADMIN, which the namespace's pod security standard "${enforced}" forbids`;
  const remedy =
    settings.inbound === "redirect"
      ? "write service or off, and let the app listen on loopback"
      : "write loopback, and let the app call a port of localhost";
  return [{ key: keyOf(settings), problem, remedy }];
}

/** Where the configuration can be seen: connections led to a port where nobody listens are cut off. */
function listenerFaults(settings: Settings, known: KnownConfig | undefined): AnnotationFault[] {
  if (known === undefined) return [];
  const faults: AnnotationFault[] = [];
  const inbound = known.inbound.filter(({ isCapture }) => isCapture).map(({ listen }) => listen);
  if (settings.inbound === "redirect") faults.push(...nobody("inbound", settings["redirect-inbound-to"], inbound));
  if (settings.capture === "redirect")
    faults.push(...nobody("outbound", settings["redirect-outbound-to"], known.outboundCaptures));
  return faults;
}

function nobody(direction: "inbound" | "outbound", port: number, captures: readonly number[]): AnnotationFault[] {
  if (captures.includes(port)) return [];
  const problem = `connections would be redirected to port ${port}, where the configuration has no ${direction} listener with \`capture: true\``;
  const remedy = `write ${direction}: [{ listen: ${port}, capture: true, to: original }]`;
  return [{ key: `${prefix}redirect-${direction}-to`, problem, remedy }];
}

/** What a redirect means for this pod, in words. */
export function captureWarnings(pod: unknown, settings: Settings, enforced: string | undefined): string[] {
  if (!redirects(settings)) return [];
  const said: string[] = [];
  if (enforced === undefined)
    said.push(
      "the redirect's init container needs NET_ADMIN: the pod is not admitted where the pod security standard is baseline or restricted",
    );
  const unknown = containersOf(pod, "containers").filter(
    ({ container }) => securityOf(pod, container, "runAsUser") === undefined,
  );
  if (settings["run-as"] === "fixed" && unknown.length > 0)
    said.push(
      `the image decides which user ${quoted(unknown.map(({ name }) => name))} runs as: as user ${sidecarId} its connections would pass by the redirect`,
    );
  const runtime = memberOf(dig(pod, "spec"), "runtimeClassName");
  if (typeof runtime === "string" && /gvisor|runsc|kata/i.test(runtime))
    said.push(`under the runtime class "${runtime}" a redirect may have no effect: try it before you rely on it`);
  return [...said, ...probeWarnings(pod, settings)];
}

/** Ports are not taken out of the redirect for their probes: whatever guards them would be open there. */
function probeWarnings(pod: unknown, settings: Settings): string[] {
  if (settings.inbound !== "redirect") return [];
  const taken = (port: number) =>
    (settings["redirect-inbound-ports"]?.includes(port) ?? true) && !settings["exclude-inbound-ports"]?.includes(port);
  const probes = networkProbes(pod).filter(({ port }) => taken(port));
  if (probes.length === 0) return [];
  const named = [...new Set(probes.map(({ container, port }) => `"${container}" at port ${port}`))].join(", ");
  return [
    `the kubelet's probes of ${named} pass the sidecar like every request: its inbound must let them through, or probe another port and write it in ${prefix}exclude-inbound-ports`,
  ];
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

/** How requests come to the sidecar with `inbound: service`, and where they can still go around it. */
import type { PortPair } from "./annotation-kinds.ts";
import { prefix, type Settings } from "./annotations.ts";
import type { KnownConfig } from "./known-config.ts";
import { declaredPorts, networkProbes } from "./pod.ts";

/** Which ports of the sidecar lead to which of the app. */
export function portPairs(settings: Settings, known: KnownConfig | undefined): readonly PortPair[] {
  if (settings.inbound !== "service") return [];
  const written = settings["inbound-ports"];
  if (written !== undefined) return written;
  return (known?.inbound ?? []).flatMap(({ listen, app }) => (app === undefined ? [] : [{ listen, app }]));
}

/** What must be done to Services that the injector does not see. */
export function serviceWarning({ listen, app }: PortPair): string {
  return `requests pass the sidecar only where a Service leads to its port ${listen}: a targetPort that is port ${app} of the app must be ${listen}`;
}

/** The ports at which the sidecar takes requests. */
export function listenedPorts(settings: Settings, known: KnownConfig | undefined): number[] {
  if (settings.inbound === "off") return [];
  const listening = (known?.inbound ?? []).filter(({ isCapture }) => !isCapture).map(({ listen }) => listen);
  const redirect = settings.inbound === "redirect" ? [settings["redirect-inbound-to"]] : [];
  return [...new Set([...portPairs(settings, known).map(({ listen }) => listen), ...listening, ...redirect])];
}

/** What is wrong, or may be passed by, in words. */
export function inboundWarnings(pod: unknown, settings: Settings, known: KnownConfig | undefined): string[] {
  const pairs = portPairs(settings, known);
  const declared = declaredPorts(pod, "containers", "initContainers");
  const taken = listenedPorts(settings, known).flatMap((port) => declared.filter((one) => one.port === port));
  return [
    ...taken.map(
      ({ container, port }) =>
        `the container "${container}" declares port ${port}, at which the sidecar listens: only one of them can`,
    ),
    ...pairs.flatMap((pair) => bypass(pod, pair, known)),
  ];
}

/** The app's port is open to the pod's network unless the app listens on loopback, which the injector cannot see. */
function bypass(pod: unknown, { listen, app }: PortPair, known: KnownConfig | undefined): string[] {
  const guards = known?.inbound.find((one) => one.listen === listen)?.guards;
  if (guards !== undefined && guards.length === 0) return [];
  const what = guards === undefined ? "whatever guards it" : `what guards it (${guards.join(", ")})`;
  const redirect = `write ${prefix}inbound: redirect`;
  const probe = networkProbes(pod).find(({ port }) => port === app);
  if (probe !== undefined)
    return [
      `port ${listen} of the sidecar stands before port ${app} of the app, but the kubelet's ${probe.kind} of "${probe.container}" needs port ${app} open on the pod's address: whoever calls it there goes around the sidecar, and ${what} does not hold; let the app listen on 127.0.0.1 alone and the kubelet probe port ${listen}, or ${redirect}`,
    ];
  return [
    `port ${listen} of the sidecar stands before port ${app} of the app: if the app listens on every address, whoever calls the pod at port ${app} goes around the sidecar, and ${what} does not hold; let the app listen on 127.0.0.1 alone, or ${redirect}`,
  ];
}

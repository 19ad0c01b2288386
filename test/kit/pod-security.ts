/**
 * The Pod Security Standards as Kubernetes' admission checks them (pod-security-admission, policy v1.34 and later, Linux
 * pods): each check says what is wrong, or nothing. A judge of what the injector makes, written from the standard's page
 * and the names of its checks, and knowing nothing of the injector.
 */
import { isMap, itemsOf, memberOf, textOf } from "../../src/config/raw.ts";

type Check = (pod: unknown) => string[];

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>(memberOf, value);
}

function containers(pod: unknown): [name: string, container: unknown][] {
  return ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    itemsOf(memberOf(pod, "spec"), list).map((one): [string, unknown] => [textOf(one, "name") ?? "?", one]),
  );
}

function eachContainer(wrong: (security: unknown, container: unknown, pod: unknown) => boolean, what: string): Check {
  return (pod) =>
    containers(pod).flatMap(([name, one]) => (wrong(at(one, "securityContext"), one, pod) ? [`${name}: ${what}`] : []));
}

function podAndContainers(wrong: (security: unknown) => boolean, what: string): Check {
  const inContainers = eachContainer(wrong, what);
  return (pod) => [...(wrong(at(pod, "spec", "securityContext")) ? [`pod: ${what}`] : []), ...inContainers(pod)];
}

const baselineCapabilities = new Set(
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(
    " ",
  ),
);
const safeSysctls = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
]);
const selinuxTypes = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
const restrictedVolumes = [
  ..."configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split(" "),
];

function capabilities(security: unknown, kind: "add" | "drop"): string[] {
  return itemsOf(at(security, "capabilities"), kind).map(String);
}

function profileType(security: unknown, profile: "seccompProfile" | "appArmorProfile"): unknown {
  return at(security, profile, "type");
}

function hooks(container: unknown): unknown[] {
  const probes = ["livenessProbe", "readinessProbe", "startupProbe"].map((kind) => at(container, kind));
  return [...probes, at(container, "lifecycle", "postStart"), at(container, "lifecycle", "preStop")];
}

function hasHost(container: unknown): boolean {
  return hooks(container).some((hook) =>
    ["httpGet", "tcpSocket"].some((action) => (textOf(at(hook, action), "host") ?? "") !== ""),
  );
}

const isTruthy = (value: unknown) => value === true;

/** The checks of the standard baseline. */
export const baselineChecks: Readonly<Record<string, Check>> = {
  hostNamespaces: (pod) =>
    ["hostNetwork", "hostPID", "hostIPC"].filter((key) => isTruthy(at(pod, "spec", key))).map((key) => `pod: ${key}`),
  privileged: eachContainer((security) => isTruthy(at(security, "privileged")), "privileged"),
  capabilities_baseline: eachContainer(
    (security) => capabilities(security, "add").some((one) => !baselineCapabilities.has(one)),
    "adds capabilities",
  ),
  hostPathVolumes: (pod) =>
    itemsOf(at(pod, "spec"), "volumes").some((one) => at(one, "hostPath") !== undefined) ? ["pod: hostPath"] : [],
  hostPorts: eachContainer(
    (_, container) => itemsOf(container, "ports").some((port) => Number(at(port, "hostPort") ?? 0) !== 0),
    "hostPort",
  ),
  hostProbesAndHostLifecycle: eachContainer((_, container) => hasHost(container), "host in a probe or hook"),
  appArmorProfile: (pod) => {
    const allowed = (value: unknown) => value === "runtime/default" || String(value).startsWith("localhost/");
    const annotations = Object.entries(at(pod, "metadata", "annotations") ?? {});
    const wrong = annotations.filter(
      ([key, value]) => key.startsWith("container.apparmor.security.beta.kubernetes.io/") && !allowed(value),
    );
    const field = podAndContainers((security) => profileType(security, "appArmorProfile") === "Unconfined", "AppArmor");
    return [...wrong.map(([key]) => key), ...field(pod)];
  },
  seLinuxOptions: podAndContainers((security) => {
    const options = at(security, "seLinuxOptions");
    if (!isMap(options)) return false;
    return !selinuxTypes.includes(String(options.type ?? "")) || Boolean(options.user) || Boolean(options.role);
  }, "SELinux"),
  procMount: eachContainer((security) => (at(security, "procMount") ?? "Default") !== "Default", "procMount"),
  seccompProfile_baseline: podAndContainers(
    (security) => profileType(security, "seccompProfile") === "Unconfined",
    "seccomp unconfined",
  ),
  sysctls: (pod) =>
    itemsOf(at(pod, "spec", "securityContext"), "sysctls")
      .map((one) => textOf(one, "name") ?? "")
      .filter((name) => !safeSysctls.has(name)),
  windowsHostProcess: podAndContainers(
    (security) => isTruthy(at(security, "windowsOptions", "hostProcess")),
    "hostProcess",
  ),
};

/** Those that the standard restricted adds. */
export const restrictedChecks: Readonly<Record<string, Check>> = {
  restrictedVolumes: (pod) =>
    itemsOf(at(pod, "spec"), "volumes")
      .filter((one) => !Object.keys(one as object).some((key) => restrictedVolumes.includes(key)))
      .map((one) => `volume ${textOf(one, "name")}`),
  allowPrivilegeEscalation: eachContainer(
    (security) => at(security, "allowPrivilegeEscalation") !== false,
    "privilege escalation",
  ),
  runAsNonRoot: (pod) => {
    const whole = at(pod, "spec", "securityContext", "runAsNonRoot");
    const all = containers(pod).map(
      ([name, one]) => [name, at(one, "securityContext", "runAsNonRoot") ?? whole] as const,
    );
    return [
      ...(whole === false && all.some(([, value]) => value !== true) ? ["pod: runAsNonRoot"] : []),
      ...all.filter(([, value]) => value !== true).map(([name]) => `${name}: runAsNonRoot`),
    ];
  },
  runAsUser: podAndContainers((security) => at(security, "runAsUser") === 0, "runs as root"),
  seccompProfile_restricted: eachContainer((security, _, pod) => {
    const type =
      profileType(security, "seccompProfile") ?? profileType(at(pod, "spec", "securityContext"), "seccompProfile");
    return type !== "RuntimeDefault" && type !== "Localhost";
  }, "no seccomp profile"),
  capabilities_restricted_drop: eachContainer(
    (security) => !capabilities(security, "drop").includes("ALL"),
    "does not drop ALL",
  ),
  capabilities_restricted_add: eachContainer(
    (security) => capabilities(security, "add").some((one) => one !== "NET_BIND_SERVICE"),
    "adds capabilities",
  ),
};

/** What a pod breaks: `check: where: what`. */
export function podSecurityFaults(pod: unknown, checks: Readonly<Record<string, Check>>): string[] {
  return Object.entries(checks).flatMap(([name, check]) => check(pod).map((fault) => `${name}: ${fault}`));
}

/** The strictest standard that a pod fits. */
export function podSecurityLevel(pod: unknown): "restricted" | "baseline" | "privileged" {
  if (podSecurityFaults(pod, baselineChecks).length > 0) return "privileged";
  return podSecurityFaults(pod, restrictedChecks).length > 0 ? "baseline" : "restricted";
}

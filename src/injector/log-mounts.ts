/** Which volumes the sidecar reads the app's logs from: those the app mounts, read-only; else one that is added. */
import { itemsOf, memberOf, textOf } from "../config/raw.ts";
import { type AnnotationFault, prefix, type Settings } from "./annotations.ts";
import type { KnownConfig } from "./known-config.ts";
import { containersOf, dig, metadataMap, type PlacedContainer } from "./pod.ts";

/** A mount of the sidecar, as Kubernetes writes it. */
export interface LogMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly readOnly: true;
}

/** A volume that must be added for logs. */
export interface AddedLogVolume {
  readonly name: string;
  readonly mountPath: string;
  /** The app's container that gets it too, to write. */
  readonly container: string;
}

export interface LogPlan {
  readonly mounts: readonly LogMount[];
  readonly added: readonly AddedLogVolume[];
  readonly faults: readonly AnnotationFault[];
  readonly warnings: readonly string[];
}

const defaultContainer = "kubectl.kubernetes.io/default-container";

/** The app's container that is meant where one must be chosen. */
export function mainContainer(pod: unknown, settings: Pick<Settings, "log-container">): string {
  const named = settings["log-container"] ?? metadataMap(pod, "annotations")[defaultContainer];
  const apps = containersOf(pod, "containers");
  return (apps.find(({ name }) => name === named) ?? apps[0])?.name ?? "";
}

/**
 * Plans the mounts.
 * @param taken paths at which the sidecar mounts volumes of its own
 * @param variables names the sidecar has, for `subPathExpr`
 */
export function planLogs(
  pod: unknown,
  settings: Settings,
  known: KnownConfig | undefined,
  taken: readonly string[],
  variables: readonly string[],
): LogPlan {
  return new LogPlanning(pod, settings, taken, variables).plan(known);
}

class LogPlanning {
  readonly #pod: unknown;
  readonly #settings: Settings;
  readonly #taken: readonly string[];
  readonly #variables: readonly string[];
  readonly #main: string;
  readonly #mounts = new Map<string, LogMount>();
  readonly #added: AddedLogVolume[] = [];
  readonly #faults: AnnotationFault[] = [];
  readonly #warnings: string[] = [];

  constructor(pod: unknown, settings: Settings, taken: readonly string[], variables: readonly string[]) {
    this.#pod = pod;
    this.#settings = settings;
    this.#taken = taken;
    this.#variables = variables;
    this.#main = mainContainer(pod, settings);
  }

  plan(known: KnownConfig | undefined): LogPlan {
    const container = this.#settings["log-container"];
    if (container !== undefined && container !== this.#main)
      this.#fault("log-container", `the pod has no container "${container}"`, `write ${this.#names()}`);
    for (const path of this.#settings["log-path"] ?? []) this.#path(trimmed(path));
    for (const volume of this.#settings["log-volume"] ?? []) this.#volume(volume);
    const isTold = this.#settings["log-path"] !== undefined || this.#settings["log-volume"] !== undefined;
    if (!isTold) for (const folder of known?.logFolders ?? []) this.#folder(trimmed(folder));
    if (!isTold && (known?.unknownVariables ?? []).length > 0) this.#tellUnknown(known!.unknownVariables);
    const mounts = [...this.#mounts.values()];
    return { mounts, added: this.#added, faults: this.#faults, warnings: this.#warnings };
  }

  /** A path that was asked for. */
  #path(path: string): void {
    const found = this.#mountOver(path);
    if (found !== undefined) this.#reuse(found.mount, "log-path");
    else if (this.#collides(path))
      this.#fault("log-path", `the sidecar has a volume of its own at ${path}`, "let the app write its logs elsewhere");
    else if (!this.#mounts.has(path)) this.#add(path);
  }

  /** A folder that the configuration names: nothing is mounted over what an image may have there. */
  #folder(folder: string): void {
    const found = this.#mountOver(folder);
    if (found !== undefined && !this.#collides(mountPathOf(found.mount))) this.#reuse(found.mount, "log-path");
    else
      this.#warnings.push(
        `no volume is mounted at ${folder}, where the configuration collects logs: ${prefix}log-path: ${folder} adds one`,
      );
  }

  #volume(name: string): void {
    const isThere = itemsOf(dig(this.#pod, "spec"), "volumes").some((volume) => textOf(volume, "name") === name);
    if (!isThere) {
      this.#fault("log-volume", `the pod has no volume "${name}"`, "name one of spec.volumes");
      return;
    }
    const mounts = this.#candidates().flatMap(({ container }) => itemsOf(container, "volumeMounts"));
    const own = mounts.filter((mount) => textOf(mount, "name") === name);
    if (own.length === 0) {
      this.#fault("log-volume", `no container mounts the volume "${name}"`, "name one that the app writes to");
      return;
    }
    for (const mount of own) this.#reuse(mount, "log-volume");
  }

  /** The mount nearest above a path, the main container's first. */
  #mountOver(path: string): { mount: unknown } | undefined {
    for (const { container } of this.#candidates()) {
      const over = itemsOf(container, "volumeMounts").filter((mount) => isWithin(path, mountPathOf(mount)));
      const [nearest] = over.sort((a, b) => mountPathOf(b).length - mountPathOf(a).length);
      if (nearest !== undefined) return { mount: nearest };
    }
    return undefined;
  }

  #candidates(): PlacedContainer[] {
    const apps = containersOf(this.#pod, "containers");
    const main = apps.filter(({ name }) => name === this.#main);
    if (this.#settings["log-container"] !== undefined) return main;
    const others = apps.filter(({ name }) => name !== this.#main);
    const sidecars = containersOf(this.#pod, "initContainers").filter(
      ({ container }) => textOf(container, "restartPolicy") === "Always",
    );
    return [...main, ...others, ...sidecars];
  }

  #reuse(mount: unknown, annotation: "log-path" | "log-volume"): void {
    const [name, mountPath] = [textOf(mount, "name") ?? "", mountPathOf(mount)];
    const [subPath, subPathExpr] = [textOf(mount, "subPath"), textOf(mount, "subPathExpr")];
    if (this.#collides(mountPath)) {
      this.#fault(annotation, `the sidecar has a volume of its own at ${mountPath}`, "mount the logs elsewhere");
      return;
    }
    const strange = [...(subPathExpr ?? "").matchAll(/\$\(([^)]*)\)/g)].map(([, one = ""]) => one);
    const missing = strange.find((one) => !this.#variables.includes(one));
    if (missing !== undefined) {
      this.#fault(annotation, `${mountPath} is mounted by $(${missing})`, `set it in ${prefix}env as well`);
      return;
    }
    const earlier = this.#mounts.get(mountPath);
    if (earlier !== undefined && earlier.name !== name)
      this.#warnings.push(`two volumes are mounted at ${mountPath}: the sidecar reads "${earlier.name}"`);
    if (earlier !== undefined) return;
    const part = {
      ...(subPath === undefined ? {} : { subPath }),
      ...(subPathExpr === undefined ? {} : { subPathExpr }),
    };
    this.#mounts.set(mountPath, { name, mountPath, ...part, readOnly: true });
    this.#warnOfVolume(name);
  }

  #add(mountPath: string): void {
    const name = this.#added.length === 0 ? "outrigger-logs" : `outrigger-logs-${this.#added.length + 1}`;
    this.#added.push({ name, mountPath, container: this.#main });
    this.#mounts.set(mountPath, { name, mountPath, readOnly: true });
  }

  #warnOfVolume(name: string): void {
    const volume = itemsOf(dig(this.#pod, "spec"), "volumes").find((one) => textOf(one, "name") === name);
    const kinds = { hostPath: "a folder of the node", persistentVolumeClaim: "a persistent volume" };
    for (const [kind, words] of Object.entries(kinds)) {
      if (memberOf(volume, kind) !== undefined)
        this.#warnings.push(
          `the logs' volume "${name}" is ${words}: its files' owners and modes must let the sidecar's user read them`,
        );
    }
  }

  #tellUnknown(variables: readonly string[]): void {
    const names = variables.map((name) => `\${${name}}`).join(", ");
    this.#warnings.push(
      `the configuration uses ${names}, which the injector does not know: set them in ${prefix}env, or ${prefix}log-path`,
    );
  }

  #collides(path: string): boolean {
    return this.#taken.includes(path);
  }

  #names(): string {
    return containersOf(this.#pod, "containers")
      .map(({ name }) => name)
      .join(" or ");
  }

  #fault(annotation: "log-path" | "log-volume" | "log-container", problem: string, remedy: string): void {
    this.#faults.push({ key: prefix + annotation, problem, remedy });
  }
}

function mountPathOf(mount: unknown): string {
  return trimmed(textOf(mount, "mountPath") ?? "");
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

function isWithin(path: string, folder: string): boolean {
  return folder !== "" && folder !== "/" && (path === folder || path.startsWith(`${folder}/`));
}

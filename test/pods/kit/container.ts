/** One container of a pod: made as a kubelet would have it made, asked, ended. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { environmentOf, type PodFacts } from "./downward.ts";
import { bytesOf, type Container, coresOf, type HttpGet, type PodSpec, type Probe } from "./manifest.ts";
import type { Podman, State } from "./podman.ts";

/** Where a container belongs. */
export interface Place {
  podman: Podman;
  /** Podman's name of the pod. */
  pod: string;
  /** Its address is what probes ask. */
  facts: PodFacts;
  spec: PodSpec;
  /** Paths of volumes by name. */
  volumes: ReadonlyMap<string, string>;
  /** A folder for its log. */
  folder: string;
}

function security({ securityContext: own = {} }: Container, { securityContext: pods = {} }: PodSpec): string[] {
  const context = { ...pods, ...own };
  const { runAsUser, runAsGroup, runAsNonRoot, readOnlyRootFilesystem, capabilities = {} } = context;
  if (runAsNonRoot && runAsUser === 0) throw new Error("a container that runs as root cannot be runAsNonRoot");
  return [
    ...(runAsUser === undefined ? [] : [`--user=${runAsUser}${runAsGroup === undefined ? "" : `:${runAsGroup}`}`]),
    ...[...(pods.supplementalGroups ?? []), ...(pods.fsGroup === undefined ? [] : [pods.fsGroup])].map(
      (group) => `--group-add=${group}`,
    ),
    // Podman would lay writable tmpfs over /tmp and /run of a read-only root; Kubernetes does not.
    ...(readOnlyRootFilesystem ? ["--read-only", "--read-only-tmpfs=false"] : []),
    ...(context.allowPrivilegeEscalation === false ? ["--security-opt=no-new-privileges"] : []),
    ...(capabilities.drop ?? []).map((name) => `--cap-drop=${name.toLowerCase()}`),
    ...(capabilities.add ?? []).map((name) => `--cap-add=${name.toLowerCase()}`),
  ];
}

function limits({ memory, cpu }: Record<string, string> = {}): string[] {
  return [
    ...(memory === undefined ? [] : [`--memory=${bytesOf(memory)}b`, `--memory-swap=${bytesOf(memory)}b`]),
    ...(cpu === undefined ? [] : [`--cpus=${coresOf(cpu)}`]),
  ];
}

function createWords(container: Container, name: string, { pod, spec, facts, volumes, folder }: Place): string[] {
  const { image, command, args = [], volumeMounts = [], resources } = container;
  const mounts = volumeMounts.map((mount) => {
    const from = volumes.get(mount.name);
    if (from === undefined) throw new Error(`${name} mounts ${mount.name}, which the pod does not have`);
    const source = mount.subPath === undefined ? from : realpathSync(join(from, mount.subPath));
    return `--volume=${source}:${mount.mountPath}:${mount.readOnly ? "ro" : "rw"}`;
  });
  return [
    ...["create", `--pod=${pod}`, `--name=${name}`, "--pull=never", "--http-proxy=false"],
    ...["--log-driver=k8s-file", `--log-opt=path=${folder}/${container.name}.log`],
    ...security(container, spec),
    ...limits(resources?.limits),
    ...environmentOf(container, facts),
    ...mounts,
    ...(command === undefined ? [] : [`--entrypoint=${JSON.stringify(command)}`]),
    ...[image, ...args],
  ];
}

export class RunningContainer {
  readonly manifest: Container;
  readonly #place: Place;
  readonly #name: string;

  private constructor(manifest: Container, place: Place) {
    this.manifest = manifest;
    this.#place = place;
    this.#name = `${place.pod}-${manifest.name}`;
  }

  static async start(manifest: Container, place: Place): Promise<RunningContainer> {
    const container = new RunningContainer(manifest, place);
    await place.podman.run(...createWords(manifest, container.#name, place));
    await container.startAgain();
    return container;
  }

  /** As the kubelet starts a container again that has ended: with the same volumes. */
  async startAgain(): Promise<void> {
    await this.#place.podman.run("start", this.#name);
  }

  /** Makes its process, which `startAgain` lets go; resolves to its id. */
  async prepareAgain(): Promise<number> {
    await this.#place.podman.run("init", this.#name);
    return this.#place.podman.ask<number>("container", "inspect", "--format", "{{.State.Pid}}", this.#name);
  }

  /** What it wrote to stdout (1) or stderr (2). The file is in the format of the CRI, which tells the end of a line by F. */
  output(descriptor: 1 | 2 = 1): string {
    const file = `${this.#place.folder}/${this.manifest.name}.log`;
    if (!existsSync(file)) return "";
    const stream = descriptor === 1 ? "stdout" : "stderr";
    const lines = readFileSync(file, "utf8").matchAll(/^\S+ (stdout|stderr) ([FP]) (.*)$/gm);
    return [...lines]
      .filter(([, from]) => from === stream)
      .map(([, , end, text]) => (end === "F" ? `${text}\n` : text))
      .join("");
  }

  /** Waits until what it wrote to stdout matches; resolves to the match. */
  async shows(pattern: RegExp, { within = 30_000, descriptor = 1 as 1 | 2 } = {}): Promise<RegExpExecArray> {
    const found = () => pattern.exec(this.output(descriptor));
    await until(() => found() !== null, { deadlineMs: within, what: `${pattern} in ${this.manifest.name}` }).catch(
      (error) => {
        throw new Error(`${error.message}; it wrote\n${this.output(1)}\n${this.output(2)}`);
      },
    );
    return found()!;
  }

  state(): Promise<State> {
    return this.#place.podman.state(this.#name);
  }

  async signal(name: "TERM" | "KILL"): Promise<void> {
    await this.#place.podman.run("kill", `--signal=${name}`, this.#name);
  }

  /** Resolves to its end; undefined when it still runs after `milliseconds`. */
  async ended(milliseconds: number): Promise<State | undefined> {
    const end = this.#place.podman.run("wait", this.#name);
    const ran = await Promise.race([end, Bun.sleep(Math.max(0, milliseconds)).then(() => undefined)]);
    return ran === undefined ? undefined : this.state();
  }

  /** Files of its own root that were made or changed since the image. */
  async changes(): Promise<string[]> {
    const out = await this.#place.podman.run("diff", this.#name);
    return out.split("\n").filter((line) => line !== "");
  }

  #url({ path, port }: HttpGet): string {
    const number =
      typeof port === "number" ? port : this.manifest.ports?.find(({ name }) => name === port)?.containerPort;
    if (number === undefined) throw new Error(`${this.manifest.name} has no port ${port}`);
    return `http://${this.#place.facts.address}:${number}${path}`;
  }

  /** GET at the pod's address; resolves to the status, or 0 where nobody answered. */
  async get(what: HttpGet, timeoutSeconds = 1): Promise<number> {
    try {
      const answer = await fetch(this.#url(what), { signal: AbortSignal.timeout(timeoutSeconds * 1000) });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  }

  /** Asks as often as the probe allows until it succeeds. Rejects when the kubelet would have given up. */
  async passes({ httpGet, periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3 }: Probe): Promise<void> {
    for (let failures = 0; failures < failureThreshold; failures++) {
      const status = await this.get(httpGet, timeoutSeconds);
      if (status >= 200 && status < 400) return;
      await Bun.sleep(periodSeconds * 1000);
    }
    throw new Error(`${this.manifest.name} never answered ${httpGet.path}; it wrote\n${this.output(2)}`);
  }

  /** Resolves when the hook has ended: the kubelet starts the next container then. Rejects when it failed. */
  async postStart(): Promise<void> {
    const command = this.manifest.lifecycle?.postStart?.exec.command;
    if (command !== undefined) await this.#place.podman.run("exec", this.#name, ...command);
  }

  async preStop(): Promise<void> {
    const { httpGet, sleep } = this.manifest.lifecycle?.preStop ?? {};
    if (httpGet !== undefined) await this.get(httpGet, 5);
    if (sleep !== undefined) await Bun.sleep(sleep.seconds * 1000);
  }

  /** Runs a program in it; resolves to what that wrote to stdout. */
  exec(...command: string[]): Promise<string> {
    return this.#place.podman.run("exec", this.#name, ...command);
  }
}

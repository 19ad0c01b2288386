/**
 * A pod run by podman in the order of a kubelet: init containers one by one, a native sidecar's startup probe before the
 * next, then the containers at once; at the end preStop hooks together, TERM to the containers, then to the sidecars in
 * reverse, KILL when the grace is over. `podman play kube` knows none of that order.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { RunningContainer } from "./container.ts";
import { factsOf, type PodFacts } from "./downward.ts";
import { type Container, known, type Manifests } from "./manifest.ts";
import { Podman, type State } from "./podman.ts";
import { makeVolumes } from "./volumes.ts";

/** Where `npm run test:pods` keeps everything; it has loaded the images and made the network. */
const home = process.env.OUTRIGGER_PODS ?? "";
if (home === "") throw new Error("these tests need namespaces of their own: run `npm run test:pods`");
export const podman = new Podman(home);
export const network = "pods";

function isNative({ restartPolicy }: Container): boolean {
  return restartPolicy === "Always";
}

/** A pod's own address, and that of the bridge, at which the tests are reached. */
async function addressesOf(pod: string): Promise<[own: string, host: string]> {
  const { InfraContainerID } = await podman.ask<{ InfraContainerID: string }>("pod", "inspect", pod);
  const path = `{{json (index .NetworkSettings.Networks "${network}")}}`;
  const found = podman.ask<{ IPAddress: string; Gateway: string }>(
    ...["container", "inspect", "--format", path, InfraContainerID],
  );
  const { IPAddress, Gateway } = await found;
  return [IPAddress, Gateway];
}

export class RunningPod {
  /** Reached from the tests, which stand where the node would. */
  readonly address: string;
  readonly #facts: PodFacts;
  readonly #name: string;
  readonly #manifests: Manifests;
  readonly #containers = new Map<string, RunningContainer>();
  readonly volumes: ReadonlyMap<string, string>;
  readonly #folder: string;

  private constructor(name: string, facts: PodFacts, manifests: Manifests, folder: string) {
    this.#name = name;
    this.#facts = facts;
    this.address = facts.address;
    this.#manifests = manifests;
    this.#folder = folder;
    mkdirSync(join(folder, "volumes"));
    this.volumes = makeVolumes(manifests, facts, join(folder, "volumes"));
  }

  /** Resolves once all containers are started, and those that say when they are ready are. Rejects with what a container wrote. */
  static async start(manifests: Manifests): Promise<RunningPod> {
    const { metadata } = known(manifests.pod);
    const folder = mkdtempSync(join(home, `${metadata.name}-`));
    const name = folder.slice(home.length + 1);
    await podman.run("pod", "create", `--name=${name}`, `--network=${network}`, `--hostname=${metadata.name}`);
    await podman.run("pod", "start", name);
    const facts = factsOf(manifests.pod, ...(await addressesOf(name)));
    const pod = new RunningPod(name, facts, manifests, folder);
    try {
      await pod.#startAll();
    } catch (error) {
      await pod[Symbol.asyncDispose]();
      throw error;
    }
    return pod;
  }

  async #startAll(): Promise<void> {
    const { initContainers = [], containers } = this.#manifests.pod.spec;
    for (const manifest of initContainers) {
      const container = await this.#start(manifest);
      if (isNative(manifest)) await this.#started(container);
      else await this.#completed(container);
    }
    // In their order: a kubelet starts them one after the other too, and does not wait for them.
    for (const manifest of containers) await this.#start(manifest);
    await Promise.all(this.#all().map((container) => this.#started(container)));
    await Promise.all(this.#all().map((container) => this.#ready(container)));
  }

  async #start(manifest: Container): Promise<RunningContainer> {
    const { spec } = this.#manifests.pod;
    const [facts, folder] = [this.#facts, this.#folder];
    const place = { podman, pod: this.#name, facts, spec, volumes: this.volumes, folder };
    const container = await RunningContainer.start(manifest, place);
    this.#containers.set(manifest.name, container);
    await container.postStart();
    return container;
  }

  async #started(container: RunningContainer): Promise<void> {
    if (container.manifest.startupProbe !== undefined) await container.passes(container.manifest.startupProbe);
  }

  async #ready(container: RunningContainer): Promise<void> {
    if (container.manifest.readinessProbe !== undefined) await container.passes(container.manifest.readinessProbe);
  }

  async #completed(container: RunningContainer): Promise<void> {
    const state = await container.ended(60_000);
    if (state?.code !== 0) {
      throw new Error(`${container.manifest.name} ended with ${state?.code}; it wrote\n${container.output(2)}`);
    }
  }

  #all(): RunningContainer[] {
    return [...this.#containers.values()];
  }

  /** Of the containers that were started. */
  names(): string[] {
    return [...this.#containers.keys()];
  }

  container(name: string): RunningContainer {
    const container = this.#containers.get(name);
    if (container === undefined) throw new Error(`the pod has no container ${name}`);
    return container;
  }

  #ofSpec(manifests: readonly Container[] = []): RunningContainer[] {
    return manifests.map(({ name }) => this.container(name));
  }

  /**
   * Deletes the pod as a kubelet does: within its grace, and `leastSeconds` for each sidecar even when that is over.
   * Resolves to how each container ended, by name.
   */
  async stop({ leastSeconds = 2 } = {}): Promise<Record<string, State>> {
    const end = performance.now() + (this.#manifests.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const { initContainers = [], containers } = this.#manifests.pod.spec;
    const sidecars = this.#ofSpec(initContainers.filter(isNative)).reverse();
    const announced = new Map(this.#all().map((container) => [container, container.preStop()]));
    await Promise.all(
      this.#ofSpec(containers).map(async (container) => {
        await announced.get(container);
        await this.#end(container, end);
      }),
    );
    for (const sidecar of sidecars) {
      await announced.get(sidecar);
      await this.#end(sidecar, Math.max(end, performance.now() + leastSeconds * 1000));
    }
    return this.states();
  }

  /** What a kubelet does once the containers of a Job's pod have ended by themselves: TERM to the sidecars, in reverse. */
  async complete(): Promise<Record<string, State>> {
    const { initContainers = [], containers } = this.#manifests.pod.spec;
    for (const container of this.#ofSpec(containers)) await container.ended(60_000);
    for (const sidecar of this.#ofSpec(initContainers.filter(isNative)).reverse()) {
      await this.#end(sidecar, performance.now() + 30_000);
    }
    return this.states();
  }

  async #end(container: RunningContainer, at: number): Promise<void> {
    if (!(await container.state()).running) return;
    await container.signal("TERM");
    if ((await container.ended(at - performance.now())) !== undefined) return;
    // It may have ended while we gave up: then there is nobody to kill.
    if ((await container.state()).running) await container.signal("KILL");
    await container.ended(10_000);
  }

  async states(): Promise<Record<string, State>> {
    const entries = this.#all().map(async (container) => [container.manifest.name, await container.state()] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Takes it away, whatever it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await podman.run("pod", "rm", "--force", "--time=0", this.#name);
  }
}

/**
 * The labels of namespaces, as far as they are known: read together now and then, and one by one when a pod comes from
 * a namespace of which it is not known that it asks for the sidecar (it may have been labelled a second ago). Nothing
 * here keeps a pod waiting for long: what cannot be read in time is unknown.
 */
import { entriesOf, textOf } from "../config/raw.ts";
import type { KubernetesApi } from "../net/kubernetes.ts";
import { injectLabel } from "./annotations.ts";
import { dig, metadataMap } from "./pod.ts";

type Labels = Readonly<Record<string, string>>;

const patienceMs = 1000;
/** After an answer that failed, nobody is made to wait for a while. */
const sulkMs = 30_000;

export class Namespaces {
  private readonly api: KubernetesApi;
  private readonly clock: { now(): number };
  private known = new Map<string, Labels>();
  private readonly asked = new Map<string, Promise<Labels | undefined>>();
  private sulksUntil = Number.NEGATIVE_INFINITY;

  constructor(api: KubernetesApi, clock: { now(): number }) {
    this.api = api;
    this.clock = clock;
  }

  /** Takes in a list of all namespaces. */
  learn(namespaces: readonly unknown[]): void {
    this.known = new Map(namespaces.map((one) => [textOf(dig(one, "metadata"), "name") ?? "", labelsOf(one)]));
  }

  /** Names of those that ask for the sidecar, as last learnt. */
  get optedIn(): string[] {
    return [...this.known].filter(([, labels]) => labels[injectLabel] === "enabled").map(([name]) => name);
  }

  labels(name: string): Labels | undefined {
    return this.known.get(name);
  }

  /** For a pod of that namespace; undefined when they are not known. */
  labelsFor(name: string, pod: unknown): Labels | undefined | Promise<Labels | undefined> {
    const known = this.known.get(name);
    const isClear = known?.[injectLabel] === "enabled" || metadataMap(pod, "labels")[injectLabel] !== undefined;
    if (known !== undefined && isClear) return known;
    if (name === "" || this.clock.now() < this.sulksUntil) return undefined;
    const asked = this.asked.get(name) ?? this.ask(name);
    this.asked.set(name, asked);
    return asked;
  }

  /** What was known does not count where it could not be read again: then the API server's selectors have decided. */
  private async ask(name: string): Promise<Labels | undefined> {
    const answer = await this.api.get(
      `/api/v1/namespaces/${encodeURIComponent(name)}`,
      AbortSignal.timeout(patienceMs),
    );
    this.asked.delete(name);
    if ("object" in answer) {
      const labels = labelsOf(answer.object);
      this.known.set(name, labels);
      return labels;
    }
    this.sulksUntil = this.clock.now() + sulkMs;
    return undefined;
  }
}

function labelsOf(namespace: unknown): Labels {
  return Object.fromEntries(
    entriesOf(dig(namespace, "metadata", "labels")).flatMap(([key, value]) =>
      typeof value === "string" ? [[key, value]] : [],
    ),
  );
}

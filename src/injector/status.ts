/** The annotation `outrigger.dev/status`: what was added to a pod, by name, so that it can be found and taken out again. */
import { isMap } from "../config/raw.ts";
import { statusAnnotation } from "./annotations.ts";
import { metadataMap } from "./pod.ts";

export interface Status {
  /** Of this form. */
  readonly v: 1;
  readonly lifecycle: string;
  /** Settings that came from the injector and not from annotations, by the annotation's short name. */
  readonly defaults: Readonly<Record<string, string>>;
  readonly initContainers: readonly string[];
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
  /** Paths mounted into the app's containers, by container. */
  readonly mounts: Readonly<Record<string, readonly string[]>>;
  /** The app's containers that were given a preStop. */
  readonly sleeps: readonly string[];
  /** Maps and lists that were not there, as pointers in which a container's name stands for its place. */
  readonly made: readonly string[];
  /** Those of them that were there as null. */
  readonly nulls: readonly string[];
  /** Annotations that had another value before. */
  readonly was: Readonly<Record<string, string>>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] };
export type OpenStatus = Writable<Omit<Status, "mounts" | "was" | "defaults">> & {
  mounts: Record<string, string[]>;
  was: Record<string, string>;
  defaults: Record<string, string>;
};

/** A status of nothing added yet. */
export function emptyStatus(lifecycle: string): OpenStatus {
  return {
    v: 1,
    lifecycle,
    defaults: {},
    initContainers: [],
    containers: [],
    volumes: [],
    labels: [],
    annotations: [],
    mounts: {},
    sleeps: [],
    made: [],
    nulls: [],
    was: {},
  };
}

/** As the annotation's text: without what is empty. */
export function statusText(status: Status): string {
  const said = Object.entries(status).filter(([, value]) => typeof value !== "object" || Object.keys(value).length > 0);
  return JSON.stringify(Object.fromEntries(said));
}

/** The status a pod has; `problem` when the annotation is there and is not one of ours. */
export function readStatus(pod: unknown): Status | { readonly problem: string } | undefined {
  const text = metadataMap(pod, "annotations")[statusAnnotation];
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(String(text));
    if (!isMap(value) || value.v !== 1) return { problem: "it is not of a form that this version writes" };
    return checked(value) ?? { problem: "it was changed by hand" };
  } catch {
    return { problem: "it is not JSON" };
  }
}

const textLists = ["initContainers", "containers", "volumes", "labels", "annotations", "sleeps", "made", "nulls"];

function checked(value: Record<string, unknown>): Status | undefined {
  const status: Record<string, unknown> = { ...emptyStatus("native"), ...value };
  const areLists = textLists.every((key) => areTexts(status[key]));
  const { mounts, was, defaults, lifecycle } = status;
  const areMaps = isMap(mounts) && Object.values(mounts).every(areTexts) && isMap(was) && isMap(defaults);
  if (!areLists || !areMaps || typeof lifecycle !== "string") return undefined;
  return areTexts(Object.values(was)) && areTexts(Object.values(defaults)) ? (status as unknown as Status) : undefined;
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

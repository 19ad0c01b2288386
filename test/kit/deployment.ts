/** The objects of `deploy/`, and how Kubernetes reads them: selectors, and what a role allows. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { itemsOf, memberOf, textOf } from "../../src/config/raw.ts";
import { splitDocuments } from "../../src/injector/manifest.ts";
import { dig } from "../../src/injector/pod.ts";
import { run } from "./commands.ts";

const root = join(import.meta.dirname, "../..");

export type KubernetesObject = Record<string, unknown>;

/** `ConfigMap outrigger-system/x`. */
export function placeOf(object: unknown): string {
  const [name, namespace] = ["name", "namespace"].map((key) => textOf(memberOf(object, "metadata"), key));
  return `${textOf(object, "kind")} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/** Every object of a YAML text, in its order. */
export function objectsOf(file: string, text: string): KubernetesObject[] {
  return splitDocuments(file, text).flatMap(({ objects }) => objects.map(({ value }) => value as KubernetesObject));
}

export function installObjects(): KubernetesObject[] {
  return objectsOf("deploy/install.yaml", readFileSync(join(root, "deploy/install.yaml"), "utf8"));
}

/** What `kubectl kustomize` makes of a folder of `deploy/kustomize`. */
export async function kustomized(folder: string): Promise<KubernetesObject[]> {
  const { code, out, err } = await run("kubectl", ["kustomize", join(root, "deploy/kustomize", folder)]);
  if (code !== 0) throw new Error(`kubectl kustomize ${folder}: ${err}`);
  return objectsOf(folder, out);
}

export function found(objects: readonly KubernetesObject[], place: string): KubernetesObject {
  const object = objects.find((one) => placeOf(one) === place);
  if (object === undefined) throw new Error(`there is no ${place}`);
  return object;
}

type Labels = Readonly<Record<string, string>>;

/** A LabelSelector, as the API server evaluates it. */
export function selects(selector: unknown, labels: Labels): boolean {
  const exact = Object.entries((memberOf(selector, "matchLabels") ?? {}) as Labels);
  return (
    exact.every(([key, value]) => labels[key] === value) &&
    itemsOf(selector, "matchExpressions").every((one) => meets(one, labels))
  );
}

function meets(expression: unknown, labels: Labels): boolean {
  const value = labels[textOf(expression, "key") ?? ""];
  const isNamed = value !== undefined && itemsOf(expression, "values").includes(value);
  const verdicts: Readonly<Record<string, boolean>> = {
    In: isNamed,
    NotIn: !isNamed,
    Exists: value !== undefined,
    DoesNotExist: value === undefined,
  };
  return verdicts[textOf(expression, "operator") ?? ""]!;
}

/** Names of the webhooks that the API server calls for a new pod. */
export function calledFor(configuration: unknown, namespace: string, namespaceLabels: Labels, pod: Labels): string[] {
  const ofNamespace = { ...namespaceLabels, "kubernetes.io/metadata.name": namespace };
  return itemsOf(configuration, "webhooks")
    .filter((one) => selects(memberOf(one, "namespaceSelector"), ofNamespace))
    .filter((one) => selects(memberOf(one, "objectSelector"), pod))
    .map((one) => textOf(one, "name")!);
}

/** One thing that roles allow, and to which account it is bound. */
export interface Allowed {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** Undefined: of any name. */
  readonly name: string | undefined;
  /** Undefined: in every namespace. */
  readonly namespace: string | undefined;
}

/** Everything that a service account may do, one by one. */
export function allowedTo(account: string, namespace: string, objects: readonly KubernetesObject[]): Allowed[] {
  return objects
    .filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(String(kind)))
    .flatMap((binding) => {
      const isBound = itemsOf(binding, "subjects").some(
        (one) => textOf(one, "name") === account && textOf(one, "namespace") === namespace,
      );
      if (!isBound) return [];
      const within = textOf(memberOf(binding, "metadata"), "namespace");
      const [kind, name] = [dig(binding, "roleRef", "kind"), dig(binding, "roleRef", "name")];
      const role = found(objects, kind === "Role" ? `Role ${within}/${name}` : `ClusterRole ${name}`);
      return itemsOf(role, "rules").flatMap((rule) => allowedBy(rule, within));
    });
}

function allowedBy(rule: unknown, namespace: string | undefined): Allowed[] {
  const names = itemsOf(rule, "resourceNames");
  const list = (key: string) => itemsOf(rule, key).map(String);
  return list("apiGroups").flatMap((group) =>
    list("resources").flatMap((resource) =>
      list("verbs").flatMap((verb) =>
        (names.length === 0 ? [undefined] : names.map(String)).map((name) => ({
          group,
          resource,
          verb,
          name,
          namespace,
        })),
      ),
    ),
  );
}

/** The one among what is allowed by which a call is, if there is one. @param path of the API, without a query */
export function allowing(verb: string, path: string, all: readonly Allowed[]): Allowed | undefined {
  const parts = /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/[^/]))?\/([^/]+)(?:\/([^/]+))?$/.exec(
    path,
  );
  const [, group = "", namespace, resource, name] = parts ?? [];
  return all.find(
    (one) =>
      one.group === group &&
      one.resource === resource &&
      one.verb === verb &&
      (one.name === undefined || one.name === name) &&
      (one.namespace === undefined || one.namespace === namespace),
  );
}

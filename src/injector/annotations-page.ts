/** The reference page of labels and annotations. */
import { code, page, table } from "../config/markdown.ts";
import { annotations, injectedLabel, injectLabel, prefix, statusAnnotation } from "./annotations.ts";

const labels = `\
## Labels

They decide whether a pod is injected. Annotations never do.

${table(
  ["label", "of", "value", "meaning"],
  [
    [code(injectLabel), "a namespace", code("enabled"), "Its pods are injected by the webhook."],
    [code(injectLabel), "a pod", code("true"), "The webhook injects it, whatever its namespace says."],
    [code(injectLabel), "a pod", code("false"), "It is left alone, by the webhook and by `outrigger inject`."],
    [code(injectedLabel), "a pod", code("true"), "Written by the injector: the pod has a sidecar."],
  ],
)}`;

const outro = `\
## What the injector writes

${code(statusAnnotation)} says in JSON what was added, by name: by it a second injection finds that nothing is to be done, and
\`outrigger inject --uninject\` takes everything out again. A Service that was led to the sidecar has it too.

Besides, ${code("kubectl.kubernetes.io/default-container")} names the app, unless it is there, and
${code("cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes")} names the volumes that were added, beside those that are there:
they keep no node from being scaled down.`;

/** The page's text. */
export function annotationsPage(): string {
  const rows = Object.entries(annotations).map(([name, { kind, doc, fallback, defaultText }]) => [
    code(prefix + name),
    kind.allowed === undefined ? kind.form : kind.allowed.map(code).join(", "),
    defaultText ?? code(String(fallback)),
    doc,
  ]);
  const intro = `Written on a pod, or on the pod template of a workload. A malformed or unknown one is refused, with the values that are allowed: a slip of the pen must not switch something off in silence.`;
  return page(
    "Labels and annotations",
    intro,
    labels,
    "## Annotations",
    table(["annotation", "value", "default", "meaning"], rows),
    outro,
  );
}

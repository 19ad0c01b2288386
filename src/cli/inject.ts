/** `outrigger inject`: manifests in, manifests with the sidecar out. The webhook does the same to pods of a cluster. */
import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

export default defineCommand({
  name: "inject",
  doc: "Put the sidecar into the pods and workloads of manifests, and print them.",
  options: {
    filename: { kind: "list", flags: "-f, --filename <file...>", doc: "manifests in YAML or JSON; - is stdin" },
    config: {
      kind: "text",
      flags: "-c, --config <file>",
      doc: "the sidecar's configuration: becomes a ConfigMap for each workload",
    },
    namespace: { kind: "text", flags: "-n, --namespace <name>", doc: "namespace of objects that do not say" },
    image: { kind: "text", flags: "--image <image>", doc: "the sidecar's image" },
    imagePullPolicy: { kind: "text", flags: "--image-pull-policy <policy>", doc: "IfNotPresent, Always or Never" },
    lifecycle: { kind: "text", flags: "--lifecycle <form>", doc: "native or plain" },
    inbound: { kind: "text", flags: "--inbound <mode>", doc: "service, redirect or off" },
    capture: { kind: "text", flags: "--capture <mode>", doc: "loopback or redirect" },
    set: {
      kind: "list",
      flags: "--set <name=value...>",
      doc: "any annotation, without its prefix outrigger.dev/, such as log-path=/var/log/nginx",
    },
    explain: { kind: "flag", flags: "--explain", doc: "print what would happen, in sentences, and no manifests" },
    uninject: { kind: "flag", flags: "--uninject", doc: "take out what was put in" },
  },
  examples: [
    "outrigger inject -f deployment.yaml -c outrigger.yaml | kubectl apply -f -",
    "kubectl get deployment web -o yaml | outrigger inject -f - --set log-path=/var/log/nginx",
    "outrigger inject -f deployment.yaml --explain",
    "outrigger inject -f injected.yaml --uninject",
  ],
  async run(options, _operands, io) {
    const { readManifests, readSettingFlags, readConfigText } = await import("./_manifest-files.ts");
    const { injectManifests, uninjectManifests } = await import("../injector/manifests.ts");
    if (options.uninject && options.explain) throw new UserError("--uninject and --explain: give one of them", 2);
    const sources = await readManifests(options.filename);
    const result = options.uninject
      ? uninjectManifests(sources)
      : injectManifests(sources, {
          namespace: options.namespace,
          set: readSettingFlags(options),
          config: options.config === undefined ? undefined : await readConfigText(options.config, io.env),
        });
    if (result.faults.length > 0) throw new UserError(result.faults.join("\n"), 1);
    for (const note of result.notes) io.err(`${note}\n`);
    if (options.explain) {
      const { explainInjections } = await import("../injector/explain.ts");
      await io.out(explainInjections(result.injected));
    } else await io.out(result.output);
    return 0;
  },
});

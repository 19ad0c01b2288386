import { defineCommand } from "../contracts.ts";

export default defineCommand({
  name: "webhook",
  doc: "Run the admission webhook that injects the sidecar into pods. See docs/webhook.md.",
  options: {
    port: { kind: "text", flags: "--port <address>", doc: "port, or address and port, for reviews over TLS (8443)" },
    health: { kind: "text", flags: "--health <address>", doc: "the same for health and metrics (7411)" },
    certificate: {
      kind: "text",
      flags: "--certificate <self|cert-manager|provided>",
      doc: "self: made here, kept in a Secret, caBundle kept; else it is in files, and the caBundle is left alone (self)",
    },
    certFile: {
      kind: "text",
      flags: "--cert-file <file>",
      doc: "the certificate's chain in PEM (/etc/outrigger/certificate/tls.crt)",
    },
    keyFile: { kind: "text", flags: "--key-file <file>", doc: "its key (/etc/outrigger/certificate/tls.key)" },
    secret: { kind: "text", flags: "--secret <name>", doc: "Secret for self (outrigger-webhook-certificate)" },
    service: { kind: "text", flags: "--service <name>", doc: "Service it is called by (outrigger-webhook)" },
    namespace: { kind: "text", flags: "--namespace <name>", doc: "namespace of both (the service account's own)" },
    dnsName: {
      kind: "list",
      flags: "--dns-name <name...>",
      doc: "further host names for the certificate, for a webhook called by url",
    },
    webhookConfiguration: {
      kind: "text",
      flags: "--webhook-configuration <name>",
      doc: "MutatingWebhookConfiguration whose caBundle is kept (outrigger)",
    },
    image: { kind: "text", flags: "--image <image>", doc: "the sidecar's image, for pods that do not say" },
    default: {
      kind: "list",
      flags: "--default <name=value...>",
      doc: "a setting for pods that do not say, by the annotation's name without outrigger.dev/",
    },
    lifecycle: {
      kind: "text",
      flags: "--lifecycle <auto|native|plain>",
      doc: "for pods that do not say; auto is native where every node is 1.29 or later (auto)",
    },
    onError: {
      kind: "text",
      flags: "--on-error <allow|refuse>",
      doc: "what becomes of a pod when a fault of ours keeps it from being injected (allow)",
    },
    detect: {
      kind: "text",
      flags: "--detect <duration|off>",
      doc: "how often it looks for pods that should have the sidecar and have none (60s)",
    },
    grace: { kind: "text", flags: "--grace <duration>", doc: "time from SIGTERM to the end (20s)" },
    apiServer: { kind: "text", flags: "--api-server <url>", doc: "the Kubernetes API (as the pod finds it)" },
    serviceAccount: {
      kind: "text",
      flags: "--service-account <folder>",
      doc: "folder with token, ca.crt and namespace (where Kubernetes mounts it)",
    },
    logFormat: { kind: "text", flags: "--log-format <json|text>", doc: "how its own log is written to stderr (json)" },
  },
  examples: [
    "outrigger webhook --image registry.example/outrigger:0.1.0",
    "outrigger webhook --certificate provided --cert-file tls.crt --key-file tls.key",
  ],
  async run(flags, _operands, io) {
    // From here on a signal is ours: as process 1 of a container we would not even be ended by one.
    const signals = Promise.withResolvers<NodeJS.Signals>();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, signals.resolve);
    const [{ readWebhookFlags }, { startWebhook }] = await Promise.all([
      import("../injector/webhook-options.ts"),
      import("../injector/webhook.ts"),
    ]);
    const settings = readWebhookFlags(flags, io.env);
    const { clock, random } = io;
    const webhook = startWebhook({ settings, clock, random, logFormat: settings.logFormat });
    void signals.promise.then((signal) => {
      // Asked once more, it stops at once.
      for (const again of ["SIGTERM", "SIGINT"] as const) process.on(again, () => void webhook.drain(again));
      return webhook.drain(signal);
    });
    return webhook.stopped;
  },
});

/**
 * What the webhook asks of the Kubernetes API: every call of its code, and nothing else. The roles of `deploy/` are
 * generated from this list, and a test holds the calls that are made against it.
 */

type Verb = "get" | "list" | "create" | "update" | "patch";

export interface Right {
  /** API group; empty for the core. */
  readonly group: string;
  /** Plural, in lower case. */
  readonly resource: string;
  readonly verbs: readonly Verb[];
  /** Only the object of this name. */
  readonly name?: string;
  /** `own`: in the webhook's namespace only. `cluster`: everywhere. */
  readonly scope: "own" | "cluster";
  /** Needed only for a certificate that the webhook makes itself (`--certificate self`). */
  readonly forCertificate?: true;
  /** What becomes possible by it, in a few words. */
  readonly why: string;
}

/** Names that the flags of `outrigger webhook` have as defaults, and `deploy/` too. */
export const certificateSecret = "outrigger-webhook-certificate";
export const configurationName = "outrigger";

const admission = "admissionregistration.k8s.io";

export const rights: readonly Right[] = [
  {
    group: "",
    resource: "secrets",
    verbs: ["get", "update"],
    name: certificateSecret,
    scope: "own",
    forCertificate: true,
    why: "the certificate that all replicas share",
  },
  {
    group: admission,
    resource: "mutatingwebhookconfigurations",
    verbs: ["get", "patch"],
    name: configurationName,
    scope: "cluster",
    forCertificate: true,
    why: "its caBundle",
  },
  { group: "", resource: "events", verbs: ["create"], scope: "cluster", why: "telling the owners of pods" },
  {
    group: "",
    resource: "namespaces",
    verbs: ["get", "list"],
    scope: "cluster",
    why: "the opt-in, the pod security level of a namespace, pods that were missed",
  },
  { group: "", resource: "pods", verbs: ["list"], scope: "cluster", why: "pods that were missed" },
  { group: "", resource: "nodes", verbs: ["list"], scope: "cluster", why: "whether all nodes know native sidecars" },
];

/**
 * The one Secret in which the replicas of the webhook keep their certificate. Whoever finds something to renew writes it
 * with the resource version that was read; who comes second is told so (409), and reads what the first has made.
 */
import { isMap, memberOf, textOf } from "../config/raw.ts";
import type { Emit, Metrics } from "../contracts.ts";
import type { ApiAnswer, ApiTrouble, KubernetesApi } from "../net/kubernetes.ts";
import { type Lifetimes, type Material, readMaterial, renewalOf, renewed, secretData } from "./certificate-material.ts";

export interface CertificateSecretOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** Host names that the certificate must be for. */
  readonly names: readonly string[];
  readonly lifetimes: Lifetimes;
  readonly emit: Emit;
  readonly metrics: Metrics;
  /** Milliseconds since the epoch. */
  readonly wall: () => number;
}

const mostTries = 5;

export class CertificateSecret {
  private readonly options: CertificateSecretOptions;

  constructor(options: CertificateSecretOptions) {
    this.options = options;
  }

  /** What is kept, renewed first where it is due. */
  async current(): Promise<{ readonly material: Material } | ApiTrouble> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt();
      const isLate = "status" in outcome && outcome.status === 409;
      if (!isLate || attempt === mostTries) return outcome;
    }
  }

  private async attempt(): Promise<{ readonly material: Material } | ApiTrouble> {
    const { api, names, lifetimes, wall } = this.options;
    const found = await api.get(this.path);
    if ("status" in found && found.status !== 404) return found;
    const secret = "object" in found ? found.object : undefined;
    const before = readMaterial(secret);
    const renewal = renewalOf(before, names, wall(), lifetimes);
    if (renewal === "none") return { material: before! };
    const material = await renewed(renewal, before, names, wall(), lifetimes);
    const written = await this.write(secret, material);
    if ("status" in written) return written;
    if (renewal !== "forget") this.tell(renewal);
    return { material };
  }

  private get path(): string {
    const { namespace, name } = this.options;
    return `/api/v1/namespaces/${namespace}/secrets/${name}`;
  }

  /** What else stands in the Secret stays there. */
  private write(secret: unknown, material: Material): Promise<ApiAnswer> {
    const { api, namespace, name } = this.options;
    const data = { ...asMap(memberOf(secret, "data")), ...secretData(material) };
    if (secret !== undefined) return api.replace(this.path, { ...asMap(secret), data });
    const metadata = { name, namespace, labels: { "app.kubernetes.io/managed-by": "outrigger" } };
    const fresh = { apiVersion: "v1", kind: "Secret", type: "Opaque", metadata, data };
    return api.create(`/api/v1/namespaces/${namespace}/secrets`, fresh);
  }

  private tell(kind: "authority" | "leaf"): void {
    const { emit, metrics, namespace, name } = this.options;
    for (const one of kind === "authority" ? ["authority", "leaf"] : ["leaf"])
      metrics.counter("outrigger_webhook_certificates_issued_total", { kind: one }).add(1);
    // Not under a name in which the own log sees a secret, and hides it.
    emit("webhook_certificate_issued", { kind, kept: `${namespace}/${name}` });
  }
}

function asMap(value: unknown): Record<string, unknown> {
  return isMap(value) ? value : {};
}

/** The version of an object that was read. */
export function resourceVersionOf(object: unknown): string {
  return textOf(memberOf(object, "metadata"), "resourceVersion") ?? "";
}

/**
 * Keeps the `caBundle` of our webhook configuration: the authorities that the API server trusts when it calls us.
 *
 * An authority that stands there and is not in the Secret (another replica may still serve what it has signed) stays
 * until it was seen there for as long as the overlap; only then is it taken out.
 */
import { itemsOf, memberOf, textOf } from "../config/raw.ts";
import type { Emit, Metrics } from "../contracts.ts";
import type { ApiTrouble, KubernetesApi } from "../net/kubernetes.ts";
import { certificatesIn, expiryOf } from "./certificate-material.ts";
import { resourceVersionOf } from "./certificate-secret.ts";
import { pointer } from "./patch.ts";

export interface CaBundleOptions {
  readonly api: KubernetesApi;
  /** Name of the MutatingWebhookConfiguration. */
  readonly configuration: string;
  readonly overlapMs: number;
  readonly emit: Emit;
  readonly metrics: Metrics;
  readonly clock: { now(): number; wall(): number };
}

const mostTries = 5;

export class CaBundle {
  private readonly options: CaBundleOptions;
  /** Authorities that are not in the Secret, and when they were first seen. */
  private readonly strangers = new Map<string, number>();

  constructor(options: CaBundleOptions) {
    this.options = options;
  }

  /** Makes every webhook of the configuration trust the authorities; says whether something was missing. */
  async keep(authorities: readonly string[]): Promise<{ readonly changed: boolean } | ApiTrouble> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(authorities);
      // A `test` that fails is 422 or 409, depending on the server's version: somebody else was first.
      const isLate = "status" in outcome && (outcome.status === 409 || outcome.status === 422);
      if (isLate) this.count("conflict");
      if (!isLate || attempt === mostTries) return outcome;
    }
  }

  private async attempt(authorities: readonly string[]): Promise<{ readonly changed: boolean } | ApiTrouble> {
    const { api, configuration, emit } = this.options;
    const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration}`;
    const found = await api.get(path);
    if (!("object" in found)) return found;
    const changes = this.changes(itemsOf(found.object, "webhooks"), authorities);
    if (changes.length === 0) return { changed: false };
    const version = { op: "test", path: "/metadata/resourceVersion", value: resourceVersionOf(found.object) };
    const written = await api.patch(path, [version, ...changes]);
    if (!("object" in written)) {
      if (written.status !== 409 && written.status !== 422) this.count("failed");
      return written;
    }
    this.count("patched");
    emit("webhook_ca_bundle_patched", { configuration, authorities: authorities.length });
    return { changed: true };
  }

  private changes(webhooks: readonly unknown[], authorities: readonly string[]): object[] {
    const bundles = webhooks.map((one) => bundleOf(one));
    const kept = this.keptStrangers([...new Set(bundles.flat())].filter((cert) => !authorities.includes(cert)));
    const value = Buffer.from([...authorities, ...kept].join("")).toString("base64");
    return bundles.flatMap((there, at) => {
      const isRight = sameSet(there, [...authorities, ...kept.filter((cert) => there.includes(cert))]);
      return isRight ? [] : [{ op: "add", path: pointer(["webhooks", at, "clientConfig", "caBundle"]), value }];
    });
  }

  private keptStrangers(found: readonly string[]): string[] {
    const { clock, overlapMs } = this.options;
    for (const cert of this.strangers.keys()) if (!found.includes(cert)) this.strangers.delete(cert);
    return found.filter((cert) => {
      const since = this.strangers.get(cert) ?? clock.now();
      this.strangers.set(cert, since);
      return clock.now() - since < overlapMs && expiryOf(cert) > clock.wall();
    });
  }

  private count(result: "patched" | "conflict" | "failed"): void {
    this.options.metrics.counter("outrigger_webhook_ca_bundle_patches_total", { result }).add(1);
  }
}

function bundleOf(webhook: unknown): string[] {
  const text = textOf(memberOf(webhook, "clientConfig"), "caBundle") ?? "";
  return certificatesIn(Buffer.from(text, "base64").toString());
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}

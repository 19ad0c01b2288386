/**
 * The certificate that the replicas of the webhook make themselves.
 *
 *   every 30 s, and sooner after trouble:
 *   Secret (renewed where due) -> caBundle (knows all its authorities) -> served
 *
 * A certificate of another authority than the one now served waits until the caBundle has held that authority for a
 * while: the API servers must have heard of it. What is served stays good meanwhile, as both authorities are trusted.
 */
import type { Clock } from "../contracts.ts";
import type { ApiTrouble } from "../net/kubernetes.ts";
import type { Timing } from "../schedules/clock.ts";
import type { CaBundle } from "./ca-bundle.ts";
import { expiryOf, type Material, readCertificate } from "./certificate-material.ts";
import type { CertificateSecret } from "./certificate-secret.ts";
import type { CertificateReports, CertificateSource, ServedCertificate } from "./certificate-source.ts";
import { tellServed, warnOfExpiry } from "./certificate-telling.ts";

export interface OwnCertificateOptions extends CertificateReports {
  readonly secret: CertificateSecret;
  readonly bundle: CaBundle;
  readonly timing: Timing;
  /** How often all is looked at; default 30 s. */
  readonly everyMs?: number;
  /** How long the caBundle must have held a new authority; default 10 s. */
  readonly settleMs?: number;
}

const firstRetryMs = 1000;

export class OwnCertificate implements CertificateSource {
  private readonly options: Required<OwnCertificateOptions>;
  private served: Material | undefined;
  private isKnown = false;
  private trouble: string | undefined = "the certificate has not been looked at yet";
  /** The first authority of the Secret, and since when the caBundle holds it. */
  private held: { readonly authority: string; readonly since: number } | undefined;
  private retryMs = firstRetryMs;
  private cancel: (() => void) | undefined;
  private isStopped = false;

  constructor(options: OwnCertificateOptions) {
    this.options = { everyMs: 30_000, settleMs: 10_000, ...options };
  }

  get current(): ServedCertificate | undefined {
    return this.served;
  }

  troubles(): readonly string[] {
    if (this.served !== undefined && this.isKnown) return [];
    return this.trouble === undefined ? [] : [this.trouble];
  }

  start(): void {
    void this.look();
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private get clock(): Clock {
    return this.options.timing.clock;
  }

  private async look(): Promise<void> {
    const trouble = await this.reconcile().catch((error) => String(error));
    if (this.isStopped) return;
    if (trouble !== undefined) this.options.emit("webhook_certificate_trouble", { trouble });
    this.trouble = trouble;
    warnOfExpiry(this.options, this.served, this.clock.wall());
    this.cancel = this.options.timing.after(this.delayMs(trouble !== undefined), () => void this.look());
  }

  /** Replicas do not all come at once. */
  private delayMs(failed: boolean): number {
    const { everyMs, settleMs, timing } = this.options;
    this.retryMs = failed ? Math.min(2 * this.retryMs, everyMs) : firstRetryMs;
    const isWaiting = this.held !== undefined && this.held.authority !== this.served?.authorities[0];
    const wanted = failed ? this.retryMs / 2 : isWaiting ? Math.min(everyMs, settleMs) : everyMs;
    return wanted * (1 + timing.random() / 10);
  }

  /** In words what went wrong. */
  private async reconcile(): Promise<string | undefined> {
    const kept = await this.options.secret.current();
    if ("status" in kept) return withRemedy(kept, "the Secret");
    const { material } = kept;
    const bundle = await this.options.bundle.keep(material.authorities);
    if ("status" in bundle) {
      // Who is called already is served on; and who is not loses nothing by a certificate nobody knows.
      if (this.served === undefined || this.isSameAuthority(material)) this.serve(material);
      return withRemedy(bundle, "the webhook configuration");
    }
    this.isKnown = true;
    this.note(material.authorities[0]!, bundle.changed);
    if (this.maySwap(material)) this.serve(material);
    return undefined;
  }

  private note(authority: string, changed: boolean): void {
    if (this.held?.authority === authority && !changed) return;
    this.held = { authority, since: this.clock.now() };
  }

  private maySwap(material: Material): boolean {
    if (this.served === undefined || this.isSameAuthority(material)) return true;
    if (expiryOf(this.served.cert) <= this.clock.wall()) return true;
    return this.clock.now() - this.held!.since >= this.options.settleMs;
  }

  private isSameAuthority(material: Material): boolean {
    return this.served?.authorities[0] === material.authorities[0];
  }

  private serve(material: Material): void {
    const isNew = readCertificate(material.cert)!.fingerprint256 !== fingerprintOf(this.served);
    this.served = material;
    if (isNew) tellServed(this.options, material);
  }
}

function fingerprintOf(served: Material | undefined): string | undefined {
  return served === undefined ? undefined : readCertificate(served.cert)?.fingerprint256;
}

function withRemedy({ status, trouble }: ApiTrouble, what: string): string {
  if (status === 403) return `${trouble}; give the service account the rights of docs/webhook.md`;
  return status === 404 ? `${trouble}; create ${what} with the rest of the deployment` : trouble;
}

/**
 * The webhook: builds its parts in start order, stops them in reverse.
 *
 *   health (says why it is not ready) -> certificate -> reviews on TLS -> what it learns of the cluster, beside
 */
import { HealthListener, type HealthSource } from "../admin/health.ts";
import type { Clock } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { type Leaving, Lifecycle } from "../lifecycle.ts";
import { type ApiTrouble, KubernetesApi } from "../net/kubernetes.ts";
import type { Timing } from "../schedules/clock.ts";
import { Telemetry, type TelemetryOptions } from "../telemetry/telemetry.ts";
import { surviveUnexpected } from "../telemetry/unexpected.ts";
import { version } from "../version.ts";
import { controllerOf } from "./admission-review.ts";
import { CaBundle } from "./ca-bundle.ts";
import { CertificateFiles } from "./certificate-files.ts";
import { usualLifetimes } from "./certificate-material.ts";
import { CertificateSecret } from "./certificate-secret.ts";
import type { CertificateSource } from "./certificate-source.ts";
import { ClusterEvents, subjectOf } from "./cluster-events.ts";
import type { inject } from "./inject.ts";
import { LifecycleChoice } from "./lifecycle-choice.ts";
import { MissedPods } from "./missed-pods.ts";
import { Namespaces } from "./namespaces.ts";
import { OwnCertificate } from "./own-certificate.ts";
import { type Admitted, Reviews } from "./reviews.ts";
import { webhookEvents, webhookMetrics } from "./webhook-declarations.ts";
import { WebhookListener } from "./webhook-listener.ts";
import { type OwnCertificatePlace, serviceNames, type WebhookSettings } from "./webhook-options.ts";

export interface WebhookOptions extends TelemetryOptions {
  readonly settings: WebhookSettings;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False leaves errors nobody caught to whoever started it: for tests. Default true. */
  readonly survivesUnexpected?: boolean;
  /** Another function that decides: for tests. */
  readonly inject?: typeof inject;
}

/** A running webhook. */
export interface Webhook {
  readonly port: number;
  readonly health: { readonly address: string; readonly port: number };
  /** Why it must not be called yet; none means ready. */
  readyReasons(): readonly string[];
  /** Stops within the grace, asked again at once; resolves when everything is stopped. */
  drain(reason: string): Promise<void>;
  /** The exit code, once stopped. */
  readonly stopped: Promise<number>;
}

/** A part that has begun and can be stopped. */
interface Part {
  start(): void;
  stop(): void;
}

const lookEveryMs = 20;
const lastWordsMs = 200;
const draining = "outrigger_draining";

/** @throws UserError: exit 1 when the files of the certificate cannot be used, exit 3 when an address cannot be bound */
export function startWebhook(options: WebhookOptions): Webhook {
  const webhook = new RunningWebhook(options);
  webhook.start();
  return webhook;
}

class RunningWebhook implements Webhook, HealthSource, Leaving {
  private readonly options: WebhookOptions;
  private readonly timing: Timing;
  private readonly startedAt: number;
  private readonly telemetry: Telemetry;
  private readonly api: KubernetesApi | undefined;
  private readonly events: ClusterEvents | undefined;
  private readonly namespaces: Namespaces | undefined;
  private readonly lifecycle: Lifecycle;
  private readonly choice: LifecycleChoice | undefined;
  /** What learns of the cluster. */
  private readonly scouts: Part[] = [];
  private readonly exitCode = Promise.withResolvers<number>();
  private certificate: CertificateSource | undefined;
  private listener: WebhookListener | undefined;
  private healthListener: HealthListener | undefined;
  private endSurviving: (() => void) | undefined;
  private stopBy = Number.POSITIVE_INFINITY;

  constructor(options: WebhookOptions) {
    const { clock, random, settings } = options;
    this.options = options;
    this.startedAt = clock.now();
    this.timing = { clock, random, after };
    this.telemetry = new Telemetry(options);
    this.telemetry.declare({ events: webhookEvents, metrics: webhookMetrics });
    const { metrics, events } = this.telemetry;
    this.lifecycle = new Lifecycle(this, this.timing, events.emit);
    if (settings.api === undefined) return;
    this.api = new KubernetesApi(settings.api, (call, trouble) => this.noteTrouble(call, trouble));
    this.events = new ClusterEvents(this.api, clock, metrics);
    this.namespaces = new Namespaces(this.api, clock);
    if (settings.lifecycle === "auto") this.choice = new LifecycleChoice(this.api, this.timing, events.emit);
    if (this.choice !== undefined) this.scouts.push(this.choice);
    if (settings.detectEveryMs !== undefined) this.scouts.push(this.missedPods(settings.detectEveryMs));
  }

  start(): void {
    const { settings, survivesUnexpected, clock } = this.options;
    const { emit } = this.telemetry.events;
    try {
      emit("webhook_starting", { version, certificate: sourceText(settings) });
      this.healthListener = openHealth(settings.health, this);
      this.certificate = this.certificateSource();
      const parts = { certificate: this.certificate, reviews: this.reviews(), clock, emit };
      this.listener = new WebhookListener({
        address: settings.address,
        metrics: this.telemetry.metrics,
        ...parts,
      });
    } catch (error) {
      this.close();
      throw error;
    }
    if (survivesUnexpected !== false) this.endSurviving = surviveUnexpected(emit);
    emit("webhook_listening", { address: this.listener.address, health: this.healthListener.address });
    this.certificate.start();
    for (const scout of this.scouts) scout.start();
    this.lifecycle.started();
    this.tellReady();
  }

  get port(): number {
    return this.listener?.port ?? 0;
  }

  get health(): { readonly address: string; readonly port: number } {
    return { address: this.healthListener?.address ?? "", port: this.healthListener?.port ?? 0 };
  }

  get stopped(): Promise<number> {
    return this.exitCode.promise;
  }

  drain(reason: string): Promise<void> {
    return this.lifecycle.drain(reason, { announces: reason !== "SIGINT" });
  }

  // -------------------------------------------------------------------------------------------
  // What the kubelet asks

  startupReasons(): readonly string[] {
    return this.lifecycle.state === "starting" ? ["listeners are being bound"] : [];
  }

  readyReasons(): readonly string[] {
    const leaving = this.lifecycle.unreadyReason;
    return [...(leaving === undefined ? [] : [leaving]), ...(this.certificate?.troubles() ?? [])];
  }

  /** Until its own grace is over, whoever asks. */
  announceTo(): number {
    const leaseMs = this.graceMs();
    this.lifecycle.announceFor(leaseMs);
    return leaseMs;
  }

  scrape(): string {
    return this.telemetry.scrape([], []);
  }

  // -------------------------------------------------------------------------------------------
  // How it leaves

  graceMs(): number {
    return this.options.settings.graceMs;
  }

  announce(): void {
    this.telemetry.metrics.gauge(draining).set(1);
    this.listener?.announce(true);
  }

  recant(): void {
    this.telemetry.metrics.gauge(draining).set(0);
    this.listener?.announce(false);
  }

  quiesce(): void {
    for (const scout of this.scouts) scout.stop();
  }

  isUnneeded(): boolean {
    return false;
  }

  running(): number {
    return this.listener?.running ?? 0;
  }

  settle(deadlineMs: number): Promise<void> {
    return this.untilIdle(() => this.options.clock.now() + deadlineMs);
  }

  async stop(deadlineMs: number): Promise<void> {
    this.stopBy = this.options.clock.now() + deadlineMs;
    this.listener?.close();
    await this.untilIdle(() => this.stopBy);
    this.telemetry.events.emit("stopped", { durationMs: Math.round(this.options.clock.now() - this.startedAt) });
    this.close();
    this.exitCode.resolve(0);
  }

  hurry(deadlineMs: number): void {
    this.stopBy = Math.min(this.stopBy, this.options.clock.now() + deadlineMs);
  }

  private async untilIdle(by: () => number): Promise<void> {
    while (this.running() > 0 && this.options.clock.now() < by())
      await new Promise<void>((resolve) => void this.timing.after(lookEveryMs, resolve));
    this.listener?.closeIdle();
  }

  private close(): void {
    this.listener?.cut();
    this.certificate?.stop();
    void this.healthListener?.stop();
    this.api?.close();
    this.endSurviving?.();
    this.telemetry.close(lastWordsMs);
  }

  // -------------------------------------------------------------------------------------------
  // Its parts

  private reviews(): Reviews {
    const { settings, inject: injecting } = this.options;
    return new Reviews({
      defaults: () => ({ lifecycle: this.lifecycleOfPods(), ...settings.defaults }),
      labelsOf: (namespace, pod) => this.namespaces?.labelsFor(namespace, pod),
      report: (admitted) => this.report(admitted),
      onError: settings.onError,
      emit: this.telemetry.events.emit,
      metrics: this.telemetry.metrics,
      ...(injecting && { inject: injecting }),
    });
  }

  private lifecycleOfPods(): string {
    const { lifecycle } = this.options.settings;
    return lifecycle === "auto" ? (this.choice?.current ?? "native") : lifecycle;
  }

  /** A pod that is being created has no uid yet: what is said of it, its owner is told. */
  private report({ namespace, pod, type, reason, message }: Admitted): void {
    const subject = subjectOf(controllerOf(pod), { namespace });
    if (subject !== undefined) this.events?.say({ subject, type, reason, message });
  }

  private missedPods(everyMs: number): MissedPods {
    const { metrics, events } = this.telemetry;
    return new MissedPods({
      api: this.api!,
      namespaces: this.namespaces!,
      events: this.events!,
      timing: this.timing,
      everyMs,
      emit: events.emit,
      metrics,
    });
  }

  private certificateSource(): CertificateSource {
    const { certificate } = this.options.settings;
    const reports = { emit: this.telemetry.events.emit, metrics: this.telemetry.metrics };
    if (certificate.kind === "files") return new CertificateFiles({ ...certificate, ...reports, timing: this.timing });
    return this.ownCertificate(certificate);
  }

  private ownCertificate(place: OwnCertificatePlace): CertificateSource {
    const { clock, settings } = this.options;
    const { secret: name, configuration, lifetimes = usualLifetimes } = place;
    const api = this.api!;
    const namespace = settings.namespace ?? api.namespace ?? "outrigger-system";
    const names = serviceNames(place.names, namespace);
    const reports = { emit: this.telemetry.events.emit, metrics: this.telemetry.metrics };
    const wall = () => clock.wall();
    const secret = new CertificateSecret({ api, namespace, name, names, lifetimes, wall, ...reports });
    const bundle = new CaBundle({ api, configuration, overlapMs: lifetimes.overlapMs, clock, ...reports });
    return new OwnCertificate({
      secret,
      bundle,
      timing: this.timing,
      ...reports,
      ...(place.everyMs !== undefined && { everyMs: place.everyMs }),
      ...(place.settleMs !== undefined && { settleMs: place.settleMs }),
    });
  }

  private noteTrouble(call: string, { status }: ApiTrouble): void {
    const labels = { call, status: String(status) };
    this.telemetry.metrics.counter("outrigger_webhook_kubernetes_failures_total", labels).add(1);
  }

  private tellReady(): void {
    if (this.lifecycle.state !== "ready") return;
    const durationMs = Math.round(this.options.clock.now() - this.startedAt);
    if (this.readyReasons().length === 0) this.telemetry.events.emit("webhook_ready", { durationMs });
    else this.timing.after(lookEveryMs, () => this.tellReady());
  }
}

function sourceText({ certificate }: WebhookSettings): string {
  return certificate.kind === "files" ? `the files ${certificate.cert} and ${certificate.key}` : "made by itself";
}

/** The listener's remedies speak of the configuration of a sidecar. */
function openHealth(address: WebhookSettings["health"], source: HealthSource): HealthListener {
  try {
    return HealthListener.open(address, source);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message.replaceAll(/the key "health"|health: (?=\d)/g, "--health "), error.exitCode);
  }
}

function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.max(0, delayMs));
  return () => clearTimeout(timer);
}

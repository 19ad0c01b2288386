/**
 * One review: body in, answer out. The injection itself is `inject()`; this knows what its outcomes mean to an API
 * server, and that a fault of ours keeps no pod from being created unless it is told to.
 */
import type { Awaitable, Emit, Metrics } from "../contracts.ts";
import { type ReviewRequest, type ReviewVerdict, readReview, reviewAnswer } from "./admission-review.ts";
import { type AnnotationName, formatAnnotationFault } from "./annotations.ts";
import type { SkipReason } from "./decide.ts";
import { type Injection, inject } from "./inject.ts";

/** A namespace's labels; undefined where they are not known. */
export type LabelsOf = (namespace: string, pod: unknown) => Awaitable<Readonly<Record<string, string>> | undefined>;

/** What happened to a pod that was no dry run, for those who report it. */
export interface Admitted {
  readonly namespace: string;
  /** As it was sent. */
  readonly pod: unknown;
  readonly type: "Normal" | "Warning";
  /** In one word of Kubernetes events: `Injected`. */
  readonly reason: "Injected" | "InjectionSkipped" | "InjectionRefused";
  readonly message: string;
}

export interface ReviewsOptions {
  /** Settings of pods that do not say; asked for each review. */
  readonly defaults: () => Readonly<Partial<Record<AnnotationName, string>>>;
  readonly labelsOf: LabelsOf;
  readonly report: (admitted: Admitted) => void;
  /** What becomes of a pod when a fault of ours keeps us from a verdict. */
  readonly onError: "allow" | "refuse";
  readonly emit: Emit;
  readonly metrics: Metrics;
  /** The function that decides; another one only in tests. */
  readonly inject?: typeof inject;
}

/** The answer to a review, or why it is none: then the status is 400. */
export type Reviewed = { readonly answer: string } | { readonly problem: string };

/** Skipped, and whoever makes the pod may not know why. */
const worthAWarning: ReadonlySet<SkipReason["code"]> = new Set(["windows", "host_network", "system_namespace"]);

export class Reviews {
  private readonly options: ReviewsOptions;

  constructor(options: ReviewsOptions) {
    this.options = options;
  }

  /** Never throws. */
  async review(body: string): Promise<Reviewed> {
    const read = readReview(body);
    if ("problem" in read) return read;
    const { request } = read;
    return { answer: reviewAnswer(request.uid, await this.verdict(request)) };
  }

  private async verdict(request: ReviewRequest): Promise<ReviewVerdict> {
    if (!request.isNewPod) return this.ignored();
    try {
      return this.judge(request, await this.injection(request));
    } catch (error) {
      return this.failed(request, error);
    }
  }

  /** Our rules ask for no such thing; somebody has widened them. */
  private ignored(): ReviewVerdict {
    this.count("ignored", "not_a_new_pod");
    return {};
  }

  private async injection({ namespace, object }: ReviewRequest): Promise<Injection> {
    const { defaults, labelsOf, inject: injecting = inject } = this.options;
    const namespaceLabels = await labelsOf(namespace, object);
    // Where nothing is known of the namespace, the selectors of the webhook configuration have decided.
    const requireOptIn = namespaceLabels !== undefined;
    return injecting(object, { namespace, namespaceLabels, requireOptIn, defaults: defaults() });
  }

  private judge(request: ReviewRequest, injection: Injection): ReviewVerdict {
    const { outcome, reason, faults, patch, warnings } = injection;
    this.count(outcome, reason?.code ?? "-");
    if (outcome === "refused") return this.refuse(request, faults.map(formatAnnotationFault));
    if (outcome === "injected") this.report(request, "Normal", "Injected", injected(injection));
    if (outcome !== "skipped" || !worthAWarning.has(reason!.code)) return { patch, warnings };
    const message = `the pod gets no sidecar: ${reason!.sentence}`;
    this.report(request, "Warning", "InjectionSkipped", message);
    return { warnings: [message, ...warnings] };
  }

  private refuse(request: ReviewRequest, faults: readonly string[]): ReviewVerdict {
    const refusal = faults.join("\n");
    this.options.emit("webhook_refused", { pod: request.name, namespace: request.namespace, faults });
    this.report(request, "Warning", "InjectionRefused", refusal);
    return { refusal };
  }

  private failed(request: ReviewRequest, error: unknown): ReviewVerdict {
    this.count("error", "-");
    this.options.emit("webhook_review_failed", { pod: request.name, namespace: request.namespace, error });
    const sentence = "a fault of outrigger's webhook kept it from injecting the sidecar; its log says more";
    return this.options.onError === "refuse" ? { refusal: sentence } : { warnings: [sentence] };
  }

  private count(outcome: string, reason: string): void {
    this.options.metrics.counter("outrigger_webhook_requests_total", { outcome, reason }).add(1);
  }

  private report(request: ReviewRequest, type: Admitted["type"], reason: Admitted["reason"], message: string): void {
    const { namespace, object: pod, dryRun } = request;
    if (!dryRun) this.options.report({ namespace, pod, type, reason, message });
  }
}

function injected({ plan, warnings }: Injection): string {
  const what = `its pods get the sidecar ${plan!.settings.image} (${plan!.settings.lifecycle})`;
  return [what, ...warnings].join("; ");
}

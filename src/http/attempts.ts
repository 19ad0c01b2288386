/**
 * Lets filters of phase attempt send a request more than once. The answer is held until they have settled;
 * the body is kept up to 64 KiB, so that it can be sent again.
 */
import type { Filter } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import type { HttpExchange } from "./exchange.ts";
import type { Forward } from "./forward.ts";
import type { ResponseHead } from "./response-head.ts";

/** Linkerd's value: enough for calls, too small to matter (traffic.md D7). */
const replayBytes = 64 * 1024;

type Outcome = { status: number } | { failure: string };

export class Attempts {
  private readonly x: HttpExchange;
  private readonly filters: readonly Filter[];
  private readonly forward: Forward;
  private readonly kept: Uint8Array[] = [];
  private keptBytes = 0;
  private tries = 0;
  private head: ResponseHead | undefined;
  private failureDetail = "";
  private last: Outcome | undefined;
  private resolve: ((outcome: Outcome) => void) | undefined;
  /** True until the filters have settled on an outcome; what fails after that is nobody's try any more. */
  undecided = true;

  constructor(x: HttpExchange, filters: readonly Filter[], forward: Forward) {
    this.x = x;
    this.filters = filters;
    this.forward = forward;
  }

  /** True from the second try on. */
  get replays(): boolean {
    return this.tries > 1;
  }

  run(): void {
    this.pass(0).then(
      () => this.settle(),
      (error) => this.x.filterFailed(error),
    );
  }

  /** The first filter is the outermost: what it calls `send` runs the next one. */
  private async pass(index: number): Promise<Outcome> {
    const filter = this.filters[index];
    if (filter === undefined) return this.send();
    await filter.attempt!(this.x, () => this.pass(index + 1));
    return this.last ?? { failure: "filter_failed" };
  }

  private send(): Promise<Outcome> {
    if (this.x.stage === "done") return Promise.resolve({ failure: "client_closed" });
    if (this.tries > 0 && !this.x.replayable) return Promise.resolve({ failure: "body_not_replayable" });
    if (this.tries++ > 0) this.forward.discard();
    this.resolve?.({ failure: "superseded" });
    this.head = undefined;
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.forward.open();
    });
  }

  private settle(): void {
    this.undecided = false;
    if (this.x.stage === "done") return;
    if (this.head !== undefined) this.forward.answerHeld(this.head);
    else if (this.last !== undefined && "failure" in this.last)
      this.x.fail(this.last.failure as FailureCode, this.failureDetail);
    else this.x.filterFailed(new Error("an attempt filter ended without sending the request"));
  }

  /** Remembers body that was sent, in case it must be sent again. */
  keep(piece: Uint8Array): void {
    if (!this.x.replayable) return;
    this.keptBytes += piece.length;
    this.kept.push(piece);
    if (this.keptBytes <= replayBytes) return;
    this.x.replayable = false;
    this.kept.length = 0;
  }

  /** The body sent so far, for another try. */
  get body(): readonly Uint8Array[] {
    return this.kept;
  }

  answered(head: ResponseHead): void {
    this.head = head;
    this.settleTry({ status: head.status });
  }

  failed(code: FailureCode, detail: string): void {
    this.failureDetail = detail;
    this.head = undefined; // an answer that was held is gone with its connection
    this.last = { failure: code };
    this.settleTry(this.last);
  }

  /** The exchange ended while a try was under way. */
  stop(): void {
    this.settleTry({ failure: "client_closed" });
  }

  private settleTry(outcome: Outcome): void {
    const resolve = this.resolve;
    this.resolve = undefined;
    if (resolve === undefined) return;
    this.last = outcome;
    resolve(outcome);
  }
}

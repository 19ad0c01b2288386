/** Takes a body through the body hooks of filters, in order, one piece at a time. */
import type { Filter } from "../contracts.ts";
import { runBody } from "./chain.ts";
import type { HttpExchange } from "./exchange.ts";

const nothing = new Uint8Array(0);

export class BodyPipe {
  /** True while a filter's promise is awaited; the sender must wait. */
  busy = false;
  private readonly x: HttpExchange;
  private readonly filters: readonly Filter[];
  private readonly hook: "requestBody" | "responseBody";
  private readonly write: (pieces: Uint8Array[], last: boolean) => void;
  private readonly waiting: Uint8Array[] = [];
  private lastWaits = false;

  constructor(
    x: HttpExchange,
    filters: readonly Filter[],
    hook: "requestBody" | "responseBody",
    write: (pieces: Uint8Array[], last: boolean) => void,
  ) {
    this.x = x;
    this.filters = filters;
    this.hook = hook;
    this.write = write;
  }

  /** Pieces of content; `last` with or after the final one. */
  push(pieces: Uint8Array[], last: boolean): void {
    this.waiting.push(...pieces);
    this.lastWaits ||= last;
    if (!this.busy) this.work();
  }

  private work(): void {
    while (this.waiting.length > 0 || this.lastWaits) {
      const chunk = this.waiting.shift() ?? nothing;
      const last = this.lastWaits && this.waiting.length === 0;
      if (last) this.lastWaits = false;
      if (!this.pass(chunk, last)) return;
    }
  }

  /** Returns false when the rest has to wait for a promise, or the filter failed. */
  private pass(chunk: Uint8Array, last: boolean): boolean {
    let outcome: Uint8Array | null | Promise<Uint8Array | null>;
    try {
      outcome = runBody(this.x, this.filters, this.hook, chunk, last);
    } catch (error) {
      this.x.filterFailed(error);
      return false;
    }
    if (outcome instanceof Promise) {
      this.wait(outcome, last);
      return false;
    }
    this.write(outcome === null || outcome.length === 0 ? [] : [outcome], last);
    return this.x.stage !== "done";
  }

  private wait(pending: Promise<Uint8Array | null>, last: boolean): void {
    this.busy = true;
    pending.then(
      (piece) => {
        this.busy = false;
        if (this.x.stage === "done") return;
        this.write(piece === null || piece.length === 0 ? [] : [piece], last);
        this.work();
      },
      (error) => this.x.filterFailed(error),
    );
  }
}

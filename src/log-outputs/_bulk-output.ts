/** What the answers of `_bulk` mean, item by item. */
import type { Batch, Delivery, Rejection } from "../contracts.ts";
import type { Answer } from "../net/call.ts";
import { HttpOutput } from "./_http-output.ts";
import { isMisplaced, reasonOf } from "./_http-sender.ts";

/** The result of one item, whatever the action is called. */
interface Item {
  readonly status?: number;
  readonly error?: { readonly type?: string; readonly reason?: string } | string;
}

interface Reply {
  readonly errors?: boolean;
  readonly items?: readonly Readonly<Record<string, Item>>[];
}

/** A document of that id is there already: the same line, sent before. */
const conflict = 409;

export class BulkOutput extends HttpOutput {
  protected settle(batch: Batch, answer: Answer): Delivery {
    const { status } = answer;
    if (status === 200) return this.items(batch, answer);
    if (status === 413) return { outcome: "tooLarge", reason: reasonOf(answer) };
    if (status < 400 || isMisplaced(answer)) return this.sender.hold(answer);
    if (status === 408 || status === 429 || status >= 500) return this.sender.later(answer);
    return { outcome: "refused", reason: reasonOf(answer) };
  }

  private items(batch: Batch, answer: Answer): Delivery {
    if (answer.truncated && batch.count > 1)
      return { outcome: "tooLarge", reason: "the answer about so many lines is longer than is read" };
    const reply = replyOf(answer);
    if (reply?.errors === false) return { outcome: "delivered" };
    const items = reply?.items?.map((item) => Object.values(item)[0] ?? {});
    if (items?.length !== batch.count)
      return { outcome: "retry", reason: `the answer is none of _bulk: ${reasonOf(answer)}` };
    return this.sorted(items);
  }

  private sorted(items: readonly Item[]): Delivery {
    const again: number[] = [];
    const rejected: Rejection[] = [];
    let reason = "";
    let known = 0;
    items.forEach((item, at) => {
      const { status = 0 } = item;
      if (status >= 200 && status < 300) return;
      if (status === conflict) known++;
      else if (isPassing(item)) {
        again.push(at);
        reason ||= reasonOfItem(item);
      } else rejected.push({ item: at, reason: reasonOfItem(item) });
    });
    const { metrics, name: output } = this.context;
    if (known > 0) metrics.counter("outrigger_log_output_known_lines_total", { output }).add(known);
    const some = rejected.length === 0 ? {} : { rejected };
    if (again.length > 0) {
      const cause = items.some(({ status }) => status === 429) ? "throttled" : "unavailable";
      return { outcome: "retry", reason, cause, only: again, ...some };
    }
    return { outcome: "delivered", ...some };
  }
}

/** It may be taken later: too busy, broken, or blocked, as indices are when the disk is full. */
function isPassing({ status = 0, error }: Item): boolean {
  const isBlocked = typeof error === "object" && error.type === "cluster_block_exception";
  return status === 0 || status === 429 || status >= 500 || isBlocked;
}

function reasonOfItem({ status, error }: Item): string {
  const words = typeof error === "object" ? [error.type, error.reason].filter(Boolean).join(": ") : error;
  return `${status} ${words ?? ""}`.trim().slice(0, 300);
}

function replyOf({ body }: Answer): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(body.toString("utf8"));
    return typeof reply === "object" && reply !== null ? reply : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What a delivery means for the items of its batch: each is delivered, rejected, or left to be tried again.
 *
 *   delivered            all but the rejected
 *   retry only [3, 7]    those two are left, in a narrowed batch; a retry of all leaves the same object
 *   refused, tooLarge    both halves are left; one item alone is rejected
 */
import type { Batch, Block, Delivery, Rejection } from "../../contracts.ts";
import { halve, narrow, singles, without } from "./narrow.ts";

/** Why an item will not be delivered. */
export type RejectionCause = "rejected" | "refused" | "too_large" | "gave_up";

/** An item nobody will deliver any more, as a block of its own. */
export interface Rejected {
  readonly block: Block;
  readonly cause: RejectionCause;
  /** In the destination's own words, where it says something. */
  readonly reason: string;
}

export interface Outcome {
  /** What is to be tried next, in order. */
  readonly left: readonly Batch[];
  readonly rejected: readonly Rejected[];
  /** Nothing where no item was. */
  readonly delivered: Batch | undefined;
}

export function outcomeOf(batch: Batch, delivery: Delivery): Outcome {
  switch (delivery.outcome) {
    case "delivered":
      return sorted(batch, [], delivery.rejected ?? []);
    case "retry":
      if (delivery.only !== undefined) return sorted(batch, delivery.only, delivery.rejected ?? []);
      return (delivery.rejected ?? []).length === 0 ? allLeft(batch) : sorted(batch, all(batch), delivery.rejected!);
    case "refused":
    case "tooLarge": {
      if (batch.count > 1) return { left: halve(batch), rejected: [], delivered: undefined };
      return rejectAll(batch, delivery.outcome === "refused" ? "refused" : "too_large", delivery.reason);
    }
  }
}

/** Every item of the batch rejected. */
export function rejectAll(batch: Batch, cause: RejectionCause, reason: string): Outcome {
  const items = batch.count > 1 ? singles(batch, all(batch)) : batch.blocks;
  return { left: [], rejected: items.map((block) => ({ block, cause, reason })), delivered: undefined };
}

function allLeft(batch: Batch): Outcome {
  return { left: [batch], rejected: [], delivered: undefined };
}

function all({ count }: Batch): number[] {
  return Array.from({ length: count }, (_, item) => item);
}

/** An item that is rejected is not tried again, whatever else is said of it. */
function sorted(batch: Batch, again: readonly number[], rejections: readonly Rejection[]): Outcome {
  const isItem = ({ item }: Rejection) => Number.isInteger(item) && item >= 0 && item < batch.count;
  const reasons = new Map(rejections.filter(isItem).map(({ item, reason }) => [item, reason]));
  if (again.length === 0 && reasons.size === 0) return { left: [], rejected: [], delivered: batch };
  const only = again.filter((item) => !reasons.has(item));
  const left = narrow(batch, only);
  const delivered = without(batch, [...only, ...reasons.keys()]);
  return {
    left: left.count === 0 ? [] : [left],
    rejected: rejectedOf(batch, reasons),
    delivered: delivered.count === 0 ? undefined : delivered,
  };
}

function rejectedOf(batch: Batch, reasons: ReadonlyMap<number, string>): Rejected[] {
  const items = [...reasons.keys()].sort((a, b) => a - b);
  return singles(batch, items).map((block, at) => ({ block, cause: "rejected", reason: reasons.get(items[at]!)! }));
}

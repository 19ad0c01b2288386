/** What a failed produce request leaves: which records a broker has, and what it said of the others. */
import type { Delivery, Rejection } from "../contracts.ts";

/** Records of one partition, in order: their numbers in the batch. */
export interface PartitionItems {
  readonly topic: string;
  readonly partition: number;
  readonly items: readonly number[];
}

/** What a broker said of one partition (Kafka protocol, Produce response). */
interface PartitionAnswer {
  readonly index: number;
  readonly errorCode: number;
  readonly errorMessage?: string | null;
  readonly recordErrors?: readonly { readonly batchIndex: number; readonly batchIndexErrorMessage?: string | null }[];
}

interface Failed {
  readonly part: PartitionItems;
  readonly answer: PartitionAnswer | undefined;
}

/** Error codes of the protocol (kafka.apache.org/protocol#protocol_error_codes). */
const tooLarge = new Set([10, 18]); // MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
const permanent = new Set([17, 32, 87]); // INVALID_TOPIC_EXCEPTION, INVALID_TIMESTAMP, INVALID_RECORD

/**
 * `error` is what the client failed with: its own, or several nested, some of which carry a broker's answer. What is
 * certain to be written does not come again; what a broker refuses for good is told alone, once nothing else is left.
 */
export function verdictOf(error: unknown, parts: readonly PartitionItems[]): Delivery {
  const answers = answersIn(error);
  const failed: Failed[] = [];
  for (const part of parts) {
    const answer = answers.get(keyOf(part.topic, part.partition));
    if (answer?.errorCode !== 0) failed.push({ part, answer });
  }
  const reason = reasonOf(error, failed);
  const whole = failed.length === parts.length;
  const rejected = failed.flatMap(rejectedOf);
  if (whole && rejected.length === 0) return { outcome: outcomeOf(failed), reason };
  const gone = new Set(rejected.map(({ item }) => item));
  const left = failed.flatMap(({ part }) => part.items.filter((item) => !gone.has(item))).sort((a, b) => a - b);
  if (left.length === 0) return { outcome: "delivered", rejected };
  return { outcome: "retry", reason, only: left, rejected };
}

/** What brokers will not have of any partition comes in halves, and ever smaller ones. */
function outcomeOf(failed: readonly Failed[]): "tooLarge" | "refused" | "retry" {
  const isAll = (codes: ReadonlySet<number>) =>
    failed.length > 0 && failed.every(({ answer }) => codes.has(answer?.errorCode ?? 0));
  if (isAll(tooLarge)) return "tooLarge";
  return isAll(new Set([...tooLarge, ...permanent])) ? "refused" : "retry";
}

function keyOf(topic: string, partition: number): string {
  return `${partition} ${topic}`;
}

/** A broker names the records it did not like; it takes none of the partition then. */
function rejectedOf({ part, answer }: Failed): Rejection[] {
  return (answer?.recordErrors ?? []).flatMap(({ batchIndex, batchIndexErrorMessage }) => {
    const item = part.items[batchIndex];
    if (item === undefined) return [];
    return [{ item, reason: batchIndexErrorMessage ?? answer?.errorMessage ?? "the broker refused the record" }];
  });
}

/** Every broker's word on a partition that is found in an error, or beside it. */
function answersIn(error: unknown): Map<string, PartitionAnswer> {
  const answers = new Map<string, PartitionAnswer>();
  for (const one of nested(error)) {
    for (const { topic, partition } of listIn(memberOf(memberOf(one, "produced"), "offsets")) as Produced[])
      answers.set(keyOf(topic, partition), { index: partition, errorCode: 0 });
    for (const { name, partitionResponses } of listIn(memberOf(memberOf(one, "response"), "responses")) as Topic[])
      for (const answer of partitionResponses) answers.set(keyOf(name, answer.index), answer);
  }
  return answers;
}

interface Produced {
  readonly topic: string;
  readonly partition: number;
}

interface Topic {
  readonly name: string;
  readonly partitionResponses: readonly PartitionAnswer[];
}

function nested(error: unknown): unknown[] {
  const inner = [...listIn(memberOf(error, "errors")), memberOf(error, "cause")].filter((one) => one !== undefined);
  return [error, ...inner.flatMap(nested)];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The most particular of what was said. */
function reasonOf(error: unknown, failed: readonly Failed[]): string {
  const said = failed.find(({ answer }) => answer !== undefined)?.answer;
  const last = nested(error).at(-1);
  const text = last instanceof Error ? last.message : String(last);
  const which = memberOf(last, "apiId") ?? memberOf(last, "code");
  const own = typeof which === "string" && !text.includes(which) ? `${which}: ${text}` : text;
  return said?.errorMessage ?? own;
}

/** Requests of `_bulk`, read as Elasticsearch reads them, and its answers. */
import type { SinkAnswer, SinkRequest } from "./http-sink.ts";

export interface BulkItem {
  readonly index: string;
  readonly id: string | undefined;
  readonly document: Readonly<Record<string, unknown>>;
}

/** @throws Error with what Elasticsearch would refuse */
export function itemsIn({ headers, target, body }: SinkRequest): BulkItem[] {
  const url = new URL(target, "http://sink");
  if (headers["content-type"] !== "application/x-ndjson") throw new Error(`content-type ${headers["content-type"]}`);
  if (!url.pathname.endsWith("/_bulk")) throw new Error(`path ${url.pathname}`);
  if (url.searchParams.get("filter_path") !== "errors,items.*.status,items.*.error") throw new Error(target);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const lines = text.slice(0, -1).split("\n");
  if (lines.length % 2 !== 0) throw new Error("an action without a document");
  return Array.from({ length: lines.length / 2 }, (_, at) => itemOf(lines[at * 2]!, lines[at * 2 + 1]!));
}

function itemOf(action: string, document: string): BulkItem {
  const { create, ...others } = JSON.parse(action) as { create?: { _index: string; _id?: string } };
  if (create === undefined || Object.keys(others).length > 0) throw new Error(`action ${action}`);
  const { _index: index, _id: id, ...more } = create;
  if (!/^[^-_+.\\/*?"<>| ,#:A-Z][^\\/*?"<>| ,#:A-Z]*$/.test(index) || Object.keys(more).length > 0)
    throw new Error(`action ${action}`);
  if (id !== undefined && Buffer.byteLength(id) > 512) throw new Error(`_id ${id}`);
  return { index, id, document: strict(document) };
}

/** Elasticsearch takes no name twice; `JSON.parse` does, and its text is shorter then. */
function strict(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`document ${text}`);
  const names = [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g)].filter(([, colon]) => colon === ":").length;
  if (names !== countNames(value)) throw new Error(`a name twice in ${text}`);
  return value as Record<string, unknown>;
}

function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, member) => sum + countNames(member), own);
}

export interface ItemResult {
  readonly status: number;
  readonly error?: { readonly type: string; readonly reason: string };
}

/** 200 with what became of each item. */
export function bulkAnswer(results: readonly ItemResult[]): SinkAnswer {
  const errors = results.some(({ status }) => status > 299);
  const body = JSON.stringify(errors ? { errors, items: results.map((create) => ({ create })) } : { errors });
  return { status: 200, headers: { "Content-Type": "application/json" }, body };
}

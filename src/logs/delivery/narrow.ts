/** Batches made smaller without a copy: what a destination has is left out, what it cannot take at once comes in halves. */
import type { Batch, Block } from "../../contracts.ts";
import { piecesOf, type Run } from "./piece.ts";

/** A batch of these blocks. */
export function batchOf(blocks: readonly Block[]): Batch {
  let bytes = 0;
  let count = 0;
  for (const block of blocks) {
    bytes += block.size;
    count += block.count;
  }
  return { blocks, bytes, count };
}

/**
 * The batch of these items alone, in order: records keep their offset, lines the bytes they were read as. Numbers may
 * come in any order and twice; those the batch has not are passed over. The same object where that is all of it.
 */
export function narrow(batch: Batch, items: Iterable<number>): Batch {
  const wanted = numbersIn(batch, items);
  if (wanted.length === batch.count) return batch;
  return ofRuns(batch, runsOf(wanted));
}

/** The batch of all other items. */
export function without(batch: Batch, items: Iterable<number>): Batch {
  const left: Run[] = [];
  let next = 0;
  for (const [from, to] of runsOf(numbersIn(batch, items))) {
    if (from > next) left.push([next, from]);
    next = to;
  }
  if (next === 0) return batch;
  if (next < batch.count) left.push([next, batch.count]);
  return ofRuns(batch, left);
}

/** Each of these items as a block of its own, in order. */
export function singles(batch: Batch, items: Iterable<number>): readonly Block[] {
  return ofRuns(
    batch,
    numbersIn(batch, items).map((item) => [item, item + 1]),
  ).blocks;
}

/** Two halves of a batch with more than one item, by number of items. */
export function halve(batch: Batch): [Batch, Batch] {
  const middle = batch.count >> 1;
  return [ofRuns(batch, [[0, middle]]), ofRuns(batch, [[middle, batch.count]])];
}

/** A block with more than `count` items in two. */
export function splitAt(block: Block, count: number): [Block, Block] {
  const [head] = piecesOf(block, [[0, count]]);
  const [rest] = piecesOf(block, [[count, block.count]]);
  return [head!, rest!];
}

/** Each once, in order. */
function numbersIn({ count }: Batch, items: Iterable<number>): number[] {
  const isItem = (item: number) => Number.isInteger(item) && item >= 0 && item < count;
  return [...new Set(items)].filter(isItem).sort((a, b) => a - b);
}

function runsOf(items: readonly number[]): Run[] {
  const runs: [number, number][] = [];
  for (const item of items) {
    const last = runs.at(-1);
    if (last?.[1] === item) last[1] = item + 1;
    else runs.push([item, item + 1]);
  }
  return runs;
}

function ofRuns(batch: Batch, runs: readonly Run[]): Batch {
  const blocks: Block[] = [];
  let first = 0;
  let at = 0;
  for (const block of batch.blocks) {
    const end = first + block.count;
    const inside: Run[] = [];
    // A run that goes on in the next block is looked at there again.
    for (; at < runs.length && runs[at]![0] < end; at++) {
      const [from, to] = runs[at]!;
      inside.push([Math.max(from, first) - first, Math.min(to, end) - first]);
      if (to > end) break;
    }
    blocks.push(...piecesOf(block, inside));
    first = end;
  }
  return batchOf(blocks);
}

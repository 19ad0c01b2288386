/** What a reader is told that more lines passed than it took. */
export function missedText(count: number): string {
  return `[outrigger: ${count} ${count === 1 ? "line" : "lines"} not shown, more passed than this reader took]`;
}

/** Names: default ones that stay distinct, and the nearest right one to a wrong one. */

/** One name each: the given one, else the fallback, with `-2`, `-3` … where it is taken already. */
export function distinctNames(wanted: readonly { given: string | undefined; fallback: string }[]): string[] {
  const taken = new Set(wanted.map(({ given }) => given).filter((given) => given !== undefined));
  return wanted.map(({ given, fallback }) => {
    if (given !== undefined) return given;
    let name = fallback;
    for (let nth = 2; taken.has(name); nth++) name = `${fallback}-${nth}`;
    taken.add(name);
    return name;
  });
}

/** The candidate nearest to a wrong name, when one is near enough to have been meant. */
export function nearest(wrong: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(wrong.length / 3)) + 1;
  for (const candidate of candidates) {
    const steps = editSteps(plain(wrong), plain(candidate));
    if (steps < least) [best, least] = [candidate, steps];
  }
  return best;
}

/** `log_access`, `log-access` and `LogAccess` are all `logaccess`: those are the same word, written by another habit. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, "");
}

/** How many letters must be added, removed, changed or swapped with their neighbour (optimal string alignment). */
function editSteps(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, change, swapped ? before[j - 2]! + 1 : change));
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

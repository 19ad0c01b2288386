/**
 * Stack traces as state machines, after those of Fluent Bit: which line may follow which. A line belongs to the trace
 * when the state before it has a step for it.
 */

/** Name of a state within one machine. `end` is none: a line that leads there is the last one. */
export type State = string;

export interface Step {
  readonly when: RegExp;
  readonly next: State;
}

export interface Machine {
  /** Steps of lines that begin a trace. */
  readonly starts: readonly Step[];
  /** Steps of lines that go on, by the state before. */
  readonly steps: Readonly<Record<State, readonly Step[]>>;
  /**
   * First bytes that the second line of a trace can have, and `-1` where it can be empty. A first line is looked at only
   * when such a line follows: most lines are never touched by a regular expression.
   */
  readonly seconds: ReadonlySet<number>;
}

/** The state a line leads to; undefined when it does not belong. */
export function stepOf(steps: readonly Step[] | undefined, text: string): State | undefined {
  return steps?.find(({ when }) => when.test(text))?.next;
}

/** The bytes of some characters; `-1` for a line without any. */
export function bytesOf(characters: string, orEmpty = false): ReadonlySet<number> {
  const bytes = [...characters].map((character) => character.charCodeAt(0));
  return new Set(orEmpty ? [...bytes, -1] : bytes);
}

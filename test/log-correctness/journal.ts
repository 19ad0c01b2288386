/** What the writer says of its files, one JSON object a line: the truth the verdict starts from. */

/** Lines from `first` to before `next`, in a file that was there under a name that is looked at from `from` to `to`. */
export interface Passing {
  readonly kind: "passing";
  readonly stream: string;
  readonly first: number;
  readonly next: number;
  /** Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** When its last line was written. */
  readonly quietFrom: number;
  /** Who has the bytes after that: a file of another name, a collector that had the file open, or nobody. */
  readonly left: "file" | "descriptor" | "nothing";
}

/** How many lines a stream has had when the writer ended. */
export interface Written {
  readonly kind: "written";
  readonly stream: string;
  readonly lines: number;
  readonly rotations: number;
}

export type JournalEntry = Passing | Written;

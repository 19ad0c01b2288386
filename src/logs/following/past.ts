/** `from: end`: files that were there before anything was followed. What is in them then is not read. */
import { type Births, keyOf, type Stamp } from "./identity.ts";
import type { Seen } from "./survey.ts";

export class Past {
  /** True where there is something to pass over, however often the first look must be taken. */
  isBegun = false;
  private readonly births: Births;
  private readonly stamps = new Map<string, Stamp>();

  constructor(births: Births) {
    this.births = births;
  }

  /** Of two, each one takes in what was renamed just when the other came by. */
  begin(...surveys: readonly Seen[]): void {
    this.isBegun = true;
    for (const { byKey } of surveys) for (const { key, stamp } of byKey.values()) this.stamps.set(key, stamp);
  }

  has(stamp: Stamp): boolean {
    const before = this.stamps.get(keyOf(stamp));
    return before !== undefined && !this.births.differ(before, stamp);
  }

  /** Those that were found are known from now on, and their inodes may be used again. */
  found(keys: Iterable<string>): void {
    for (const key of keys) this.stamps.delete(key);
  }

  end(): void {
    this.isBegun = false;
    this.stamps.clear();
  }
}

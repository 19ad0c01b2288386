/**
 * Whether it is worth while to leave fields to whoever asks for them. Where most records are asked for them after all
 * (a condition, an output that sends fields), looking at the line first is work for nothing.
 */

/** One record in five that is asked is still worth it. */
const askedCost = 4;
const mostCredit = 2_000;
/** Records whose fields are made at once before it is tried again. */
const pauseRecords = 50_000;

export class Lateness {
  private credit = mostCredit;
  private paused = 0;

  /** Called for each record. */
  isWorthwhile(): boolean {
    if (this.paused > 0) {
      if (--this.paused === 0) this.credit = mostCredit;
      return false;
    }
    if (this.credit < mostCredit) this.credit++;
    return true;
  }

  /** Fields that were left were asked for. */
  wasAsked(): void {
    this.credit -= askedCost;
    if (this.credit < 0) this.paused = pauseRecords;
  }
}

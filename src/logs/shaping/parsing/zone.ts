/** Offsets of zones, for times that do not say theirs. */
import { offsetAt } from "./rfc3339.ts";

/** Offset in seconds east of Greenwich of a local time, which is given in seconds as though it were UTC. */
export type OffsetOf = (localSeconds: number) => number;

/** Offsets change at quarters of an hour at the most. */
const slotSeconds = 900;
const mostSlots = 512;

/** @throws RangeError when there is no such zone */
export function offsetsOf(zone: string): OffsetOf {
  if (zone === "UTC" || zone === "Z") return () => 0;
  const fixed = offsetAt(zone, 0);
  if (fixed !== undefined && fixed.end === zone.length) return () => fixed.seconds;
  return named(zone);
}

function named(zone: string): OffsetOf {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset", hour: "2-digit" });
  const known = new Map<number, number>();
  const at = (seconds: number) => parsedOffset(format.format(seconds * 1000));
  return (local) => {
    const slot = Math.floor(local / slotSeconds);
    const found = known.get(slot);
    if (found !== undefined) return found;
    // Twice: the first offset may be that of the other side of a change.
    const offset = at(local - at(local));
    if (known.size >= mostSlots) known.clear();
    known.set(slot, offset);
    return offset;
  };
}

/** `3 PM GMT+02:00`; `GMT` alone is no offset. */
function parsedOffset(text: string): number {
  const at = text.indexOf("GMT") + 3;
  return offsetAt(text, at)?.seconds ?? 0;
}

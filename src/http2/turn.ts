/**
 * What is written during one turn of the event loop leaves at its end, in as few system calls as possible: answers of
 * many upstream sockets for streams of one connection are one write.
 */

/** Something that has collected output. */
export interface Collecting {
  flush(): void;
}

const waiting: Collecting[] = [];

/** Calls `flush` once all sockets that are ready now were looked at. To be asked once per turn. */
export function flushAfterTurn(output: Collecting): void {
  if (waiting.push(output) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  // One that throws must not keep the others from their turn; what is added meanwhile is flushed as well.
  for (let output = waiting.pop(); output !== undefined; output = waiting.pop()) output.flush();
}

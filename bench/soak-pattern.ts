/** Bodies in which every byte says where it stands, so that a lost, doubled or swapped piece shows. */

const PERIOD = 251 * 256;
const period = Buffer.alloc(PERIOD);
for (let i = 0; i < PERIOD; i++) period[i] = (i % 251) ^ (i >> 8);

/** The first `bytes` of the pattern; a prime period, so that no power of two of shift goes unseen. */
export function patterned(bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += PERIOD) period.copy(body, at);
  return body;
}

/** Small changes to messages, at the places where parsers differ. */
import type { Seeded } from "../kit/random.ts";

const lines = [
  ...[
    "Content-Length: 5",
    "Content-Length: 0",
    "content-length:05",
    "Transfer-Encoding: chunked",
    "transfer-encoding:Chunked",
    "Host: a",
  ],
  ...[
    "Connection: close",
    "Connection: content-length",
    "Connection: transfer-encoding, host",
    "Expect: 100-continue",
    "TE: trailers",
  ],
  ...["GET /s HTTP/1.1", "X: y", " folded", "\tfolded", "", "0", "5", "5;x=y", "hello"],
];
const bits = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  "\x0b",
  "\x7f",
  "\x85",
  "\xa0",
  "\xff",
  ":",
  ";",
  ",",
  "0",
  "5",
  "-",
  "+",
  "x",
  "\r\n\r\n",
  "0\r\n\r\n",
];

/** Changes one place. */
function mutate(text: string, random: Seeded): string {
  const at = random.whole(text.length + 1);
  const more = at + random.pick([0, 1, 1, 2, 5, 40]);
  switch (random.whole(7)) {
    case 0:
      return text.slice(0, at) + random.pick(bits) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(more);
    case 2:
      return text.slice(0, more) + text.slice(at);
    case 3:
      return text.slice(0, at) + String.fromCharCode(random.whole(256)) + text.slice(at + 1);
    case 4: {
      const list = text.split("\r\n");
      list.splice(random.whole(list.length + 1), random.whole(2), random.pick(lines));
      return list.join("\r\n");
    }
    case 5:
      return text.replace(/\d/, String(random.whole(10)));
    default: {
      const list = text.split("\r\n");
      const moved = list.splice(random.whole(list.length), 1);
      list.splice(random.whole(list.length + 1), 0, ...moved);
      return list.join("\r\n");
    }
  }
}

/** Changes none to six places. */
export function mutateSome(text: string, random: Seeded): string {
  let mutated = text;
  for (let i = random.pick([0, 1, 1, 2, 3, 6]); i > 0; i--) mutated = mutate(mutated, random);
  return mutated;
}

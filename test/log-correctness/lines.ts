/** Lines that say who they are: stream, number, a payload of any length, and a checksum over all of it. */

export interface NumberedLine {
  readonly stream: string;
  readonly number: number;
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789".repeat(40);

/** `rename 17 abc… 89f3c2a1`, without its newline. The payload has `length` bytes. */
export function lineOf(stream: string, number: number, length: number): string {
  const shift = number % 36;
  const whole = letters.slice(shift, shift + 360).repeat(Math.ceil(length / 360));
  return checked(`${stream} ${number} ${whole.slice(0, length)}`);
}

/** Bytes of a line beyond its payload, its newline included. */
export function overhead(stream: string, number: number): number {
  return lineOf(stream, number, 0).length + 1;
}

function checked(text: string): string {
  return `${text} ${checksum(text)}`;
}

function checksum(text: string): string {
  return Bun.hash.crc32(text).toString(16).padStart(8, "0");
}

/** Undefined when the line is not, byte for byte, one that `lineOf` made. */
export function readLine(line: string): NumberedLine | undefined {
  const at = line.lastIndexOf(" ");
  if (at < 0 || line.slice(at + 1) !== checksum(line.slice(0, at))) return undefined;
  const [stream, number] = line.split(" ", 2);
  return { stream: stream!, number: Number(number) };
}

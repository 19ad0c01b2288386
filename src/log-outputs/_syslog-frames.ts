/** Messages as they travel on a stream: counted, or ended by a newline (RFC 6587), or as RELP's commands. */
import { isUtf8 } from "node:buffer";
import type { Rejection } from "../contracts.ts";
import { GrowingBytes } from "./_growing-bytes.ts";
import type { SyslogMessage } from "./_syslog-message.ts";

export interface FrameLimits {
  /** Bytes of a message. */
  readonly most: number;
  /** Longer ones: their end is left out, or they are rejected. */
  readonly longer: "cut" | "reject";
}

const newline = 10;
/** How rsyslog and others write a control character where it must not stand. */
const escapedNewline = Buffer.from("#012");

/** How one message is framed. */
export type Framing = "counted" | "newline" | { readonly command: (length: number) => string };

/** The frames of one batch, in one piece of memory. */
export class Frames {
  readonly rejected: Rejection[] = [];
  /** Bytes left out of messages that were cut, by their numbers in the batch. */
  readonly cuts = new Map<number, number>();
  private readonly out = new GrowingBytes();
  private readonly framing: Framing;
  private readonly limits: FrameLimits;

  constructor(framing: Framing, limits: FrameLimits) {
    this.framing = framing;
    this.limits = limits;
  }

  get bytes(): Buffer {
    return this.out.bytes;
  }

  get cutBytes(): number {
    let bytes = 0;
    for (const cut of this.cuts.values()) bytes += cut;
    return bytes;
  }

  /** False when it was rejected. @param item its number in the batch */
  add({ header, text }: SyslogMessage, item: number): boolean {
    const head = Buffer.byteLength(header);
    const body = this.framing === "newline" ? onOneLine(text) : text;
    const { most, longer } = this.limits;
    const isLonger = head + body.length > most;
    if (isLonger && (longer === "reject" || head >= most)) {
      this.rejected.push({ item, reason: `the message has ${head + body.length} bytes, and ${most} are the most` });
      return false;
    }
    const fitting = isLonger ? cut(body, most - head) : body;
    if (isLonger) this.cuts.set(item, body.length - fitting.length);
    this.frame(header, head + fitting.length, fitting);
    return true;
  }

  private frame(header: string, length: number, text: Uint8Array): void {
    const { framing, out } = this;
    if (framing === "counted") out.text(`${length} ${header}`);
    else out.text(framing === "newline" ? header : `${framing.command(length)}${header}`);
    out.add(text);
    if (framing !== "counted") out.text("\n");
  }
}

function onOneLine(text: Uint8Array): Uint8Array {
  if (!text.includes(newline)) return text;
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let at = text.indexOf(newline); at >= 0; at = text.indexOf(newline, start)) {
    parts.push(text.subarray(start, at), escapedNewline);
    start = at + 1;
  }
  return Buffer.concat([...parts, text.subarray(start)]);
}

/** The first bytes of it, not ending within a character where it is UTF-8. */
function cut(text: Uint8Array, most: number): Uint8Array {
  for (let length = most; length > most - 4 && length > 0; length--) {
    const piece = text.subarray(0, length);
    if (isUtf8(piece)) return piece;
  }
  return text.subarray(0, most);
}

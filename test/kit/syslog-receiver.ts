/** What a strict receiver makes of bytes: every one of them must have its place, or it throws. */

/** Messages counted as RFC 6587 section 3.4.1 says; a number without leading zeros, one space, so many bytes. */
export function countedMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const head = /^([1-9]\d{0,8}) /.exec(bytes.toString("latin1", at, at + 10));
    if (head === null)
      throw new Error(`no length at byte ${at}: ${JSON.stringify(bytes.toString("latin1", at, at + 40))}`);
    const start = at + head[0].length;
    const end = start + Number(head[1]);
    if (end > bytes.length) throw new Error(`a message of ${head[1]} bytes has only ${bytes.length - start}`);
    messages.push(bytes.subarray(start, end));
    at = end;
  }
  return messages;
}

/** The parts of an RFC 5424 message, checked against its grammar (section 6). */
export interface Parsed5424 {
  readonly priority: number;
  readonly time: string;
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  readonly structuredData: string;
  readonly message: string;
}

const printable = (most: number) => `(-|[\\x21-\\x7e]{1,${most}})`;
const name = "[\\x21\\x23-\\x3c\\x3e-\\x5c\\x5e-\\x7e]{1,32}";
const element = `\\[${name}(?: ${name}="(?:[^"\\\\\\]]|\\\\["\\\\\\]])*")*\\]`;
const time = "(-|\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,6})?(?:Z|[+-]\\d\\d:\\d\\d))";
const names = [255, 48, 128, 32].map(printable).join(" ");
const grammar = new RegExp(`^<(0|[1-9]\\d{0,2})>1 ${time} ${names} (-|(?:${element})+)(?: ([^]*))?$`);

/** The message is given as Latin-1. @throws Error when it is no RFC 5424 message */
export function parse5424(bytes: Buffer): Parsed5424 {
  const match = grammar.exec(bytes.toString("latin1"));
  if (match === null || Number(match[1]) > 191)
    throw new Error(`not RFC 5424: ${JSON.stringify(bytes.toString("latin1"))}`);
  const [, priority, time, hostname, appName, procId, msgId, structuredData, message = ""] =
    match as unknown as string[];
  const names = { time: time!, hostname: hostname!, appName: appName!, procId: procId!, msgId: msgId! };
  return { priority: Number(priority), ...names, structuredData: structuredData!, message };
}

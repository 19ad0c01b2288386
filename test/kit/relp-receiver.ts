/** A strict RELP server: every byte must be a frame, transactions must count up from 1, and only `open` may come first. */
import { ByteServer, type Visit } from "./byte-server.ts";

export interface RelpAnswers {
  /** What is said to `open`; undefined for nothing at all. */
  open?(): string | undefined;
  /** The status of a message; undefined for no answer yet. */
  syslog?(message: Buffer, transaction: number, visit: Visit): string | undefined;
}

export class RelpReceiver {
  readonly server: ByteServer;
  readonly messages: Buffer[] = [];
  /** What was wrong with what it was sent. */
  readonly faults: string[] = [];
  private readonly last = new Map<Visit, number>();
  private readonly answers: RelpAnswers;

  constructor(answers: RelpAnswers = {}) {
    this.answers = answers;
    this.server = new ByteServer({
      onData: (visit) => {
        while (this.frame(visit));
      },
    });
  }

  private frame(visit: Visit): boolean {
    const head = /^([1-9]\d{0,8}) ([a-z]{1,32}) (0|[1-9]\d{0,8})([ \n])/.exec(visit.received.toString("latin1", 0, 60));
    if (head === null) {
      if (visit.received.length > 60) this.faults.push(`no frame: ${visit.received.toString("latin1", 0, 60)}`);
      return false;
    }
    const length = Number(head[3]);
    const whole = head[0].length + (length === 0 ? 0 : length + 1);
    if (visit.received.length < whole) return false;
    const bytes = visit.take(whole);
    if (bytes.at(-1) !== 10) this.faults.push("a frame does not end with LF");
    this.obey(visit, Number(head[1]), head[2]!, bytes.subarray(head[0].length, -1));
    return true;
  }

  private obey(visit: Visit, transaction: number, command: string, data: Buffer): void {
    const last = this.last.get(visit) ?? 0;
    if (transaction !== last + 1) this.faults.push(`transaction ${transaction} after ${last}`);
    this.last.set(visit, transaction);
    if ((command === "open") !== (last === 0)) this.faults.push(`${command} in place ${transaction}`);
    const status = this.statusOf(visit, transaction, command, data);
    if (status !== undefined) visit.say(`${transaction} rsp ${Buffer.byteLength(status)} ${status}\n`);
  }

  private statusOf(visit: Visit, transaction: number, command: string, data: Buffer): string | undefined {
    if (command === "open") {
      const offer = "200 OK\nrelp_version=0\nrelp_software=strict\ncommands=syslog";
      return this.answers.open === undefined ? offer : this.answers.open();
    }
    if (command !== "syslog") return command === "close" ? "" : "500 unknown";
    const status = this.answers.syslog === undefined ? "200 OK" : this.answers.syslog(data, transaction, visit);
    if (status?.startsWith("200")) this.messages.push(data);
    return status;
  }
}

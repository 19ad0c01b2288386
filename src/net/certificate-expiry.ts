/** Certificates that are in use, and when to say that one runs out: once as it nears its end, once when it is there. */
import type { Thread } from "../contracts.ts";

/** Milliseconds since the epoch. */
export interface Expiring {
  readonly file: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Certificates live for hours or for years, so the warning comes with this share of the life left. */
export const warningShare = 0.1;

type Said = "nothing" | "expires" | "expired";

export class CertificateExpiry {
  private readonly thread: Thread;
  private watched = new Map<string, { readonly certificate: Expiring; said: Said }>();

  constructor(thread: Thread) {
    this.thread = thread;
  }

  /** Replaces what is watched. What was said of a certificate that stays is not said again. */
  watch(certificates: readonly Expiring[]): void {
    const before = this.watched;
    this.watched = new Map();
    for (const certificate of certificates) {
      const { file, notAfter } = certificate;
      const known = before.get(file);
      const said = known?.certificate.notAfter === notAfter ? known.said : "nothing";
      this.watched.set(file, { certificate, said });
      this.thread.metrics.gauge("outrigger_certificate_expiry_timestamp_seconds", { file }).set(notAfter / 1000);
    }
    this.look();
  }

  /** Says what has become due. A few comparisons: made to be called every second. */
  look(): void {
    if (this.watched.size === 0) return;
    const now = this.thread.clock.wall();
    for (const entry of this.watched.values()) {
      const due = stateOf(entry.certificate, now);
      if (due === "nothing" || due === entry.said) continue;
      entry.said = due;
      const { file, notAfter } = entry.certificate;
      const event = due === "expired" ? "certificate_expired" : "certificate_expires";
      this.thread.emit(event, { file, expires: new Date(notAfter).toISOString() });
    }
  }
}

function stateOf({ notBefore, notAfter }: Expiring, now: number): Said {
  if (now >= notAfter) return "expired";
  return now >= notAfter - (notAfter - notBefore) * warningShare ? "expires" : "nothing";
}

/** A certificate in files: of cert-manager, or of the user. Read again when they change; the caBundle is not ours then. */
import { ConfigWatch } from "../config/watch.ts";
import type { Clock } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { CertificateFault, readKeyPair } from "../net/certificates.ts";
import type { Timing } from "../schedules/clock.ts";
import type { CertificateReports, CertificateSource, ServedCertificate } from "./certificate-source.ts";
import { tellServed, warnOfExpiry } from "./certificate-telling.ts";

export interface CertificateFilesOptions extends CertificateReports {
  readonly cert: string;
  readonly key: string;
  /** True: it is a mistake when they are not there at the start. False: somebody else is about to bring them. */
  readonly mustExist: boolean;
  readonly timing: Timing;
}

const warnEveryMs = 3_600_000;

export class CertificateFiles implements CertificateSource {
  private readonly options: CertificateFilesOptions;
  private readonly watch: ConfigWatch;
  private served: ServedCertificate | undefined;
  private trouble: string | undefined;
  private cancel: (() => void) | undefined;

  /** @throws UserError when they must be there, and cannot be used */
  constructor(options: CertificateFilesOptions) {
    this.options = options;
    this.watch = new ConfigWatch(options.timing);
    this.watch.watch([options.cert, options.key]);
    this.read();
    if (options.mustExist && this.trouble !== undefined) {
      this.watch.stop();
      throw new UserError(this.trouble, 1);
    }
  }

  get current(): ServedCertificate | undefined {
    return this.served;
  }

  troubles(): readonly string[] {
    return this.served === undefined && this.trouble !== undefined ? [this.trouble] : [];
  }

  start(): void {
    if (this.trouble !== undefined) this.tellTrouble(this.trouble);
    this.watch.changed = () => this.changed();
    this.warn();
  }

  stop(): void {
    this.watch.stop();
    this.cancel?.();
  }

  private get clock(): Clock {
    return this.options.timing.clock;
  }

  private changed(): void {
    this.read();
    if (this.trouble !== undefined) this.tellTrouble(this.trouble);
  }

  /** A pair that does not fit together is one of which the second half is about to come: the old one stays. */
  private read(): void {
    const { cert, key } = this.options;
    try {
      const pair = readKeyPair(cert, key);
      const isNew = pair.cert !== this.served?.cert;
      this.served = pair;
      this.trouble = undefined;
      if (isNew) tellServed(this.options, pair);
    } catch (error) {
      if (!(error instanceof CertificateFault)) throw error;
      this.trouble = `${error.message}; ${error.remedy}`;
    }
  }

  private tellTrouble(trouble: string): void {
    this.options.emit("webhook_certificate_trouble", { trouble });
  }

  private warn(): void {
    warnOfExpiry(this.options, this.served, this.clock.wall());
    this.cancel = this.options.timing.after(warnEveryMs, () => this.warn());
  }
}

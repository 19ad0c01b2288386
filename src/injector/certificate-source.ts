/** Where the webhook's certificate comes from. */
import type { Emit, Metrics } from "../contracts.ts";

/** PEM texts, the chain beginning with the certificate itself. */
export interface ServedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateSource {
  /** What new connections are served with; undefined while there is none. */
  readonly current: ServedCertificate | undefined;
  /** Why nobody can call us yet; none when it is served and known. */
  troubles(): readonly string[];
  start(): void;
  stop(): void;
}

/** What a source reports to. */
export interface CertificateReports {
  readonly emit: Emit;
  readonly metrics: Metrics;
}

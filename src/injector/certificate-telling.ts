/** What is said of the certificate that is served. */
import { expiryOf, readCertificate } from "./certificate-material.ts";
import type { CertificateReports, ServedCertificate } from "./certificate-source.ts";

/** Less than this left, and somebody should look. */
const shortMs = 7 * 86_400_000;
const expiryMetric = "outrigger_webhook_certificate_expiry_timestamp_seconds";

/** A certificate is served from now on. */
export function tellServed({ emit, metrics }: CertificateReports, { cert }: ServedCertificate): void {
  const leaf = readCertificate(cert)!;
  const until = expiryOf(cert);
  metrics.gauge(expiryMetric).set(until / 1000);
  emit("webhook_certificate_serving", {
    serial: leaf.serialNumber,
    names: leaf.subjectAltName ?? "no name",
    until: new Date(until).toISOString(),
  });
}

/** Says so when it is about to expire. */
export function warnOfExpiry({ emit }: CertificateReports, served: ServedCertificate | undefined, now: number): void {
  if (served === undefined) return;
  const until = expiryOf(served.cert);
  if (until - now < shortMs) emit("webhook_certificate_expiring", { until: new Date(until).toISOString() });
}

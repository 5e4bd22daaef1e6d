import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Finding } from '../../wire/local-api.ts';
import { failure, fine, warning } from './finding.ts';

const check = 'certificate';
const dayMs = 86_400_000;
/** Renewal is tried from 60 days before the end (create-identity.ts); a month later something keeps it from happening. */
const expiresSoonMs = 30 * dayMs;

/** Pure: a certificate's validity against this machine's clock. */
export function judgeCertificate(
  { notBeforeMs, notAfterMs }: Pick<CertificateClaims, 'notBeforeMs' | 'notAfterMs'>,
  nowMs: number,
): Finding {
  const end = new Date(notAfterMs).toISOString().slice(0, 10);
  if (nowMs > notAfterMs)
    return failure(check, {
      code: 'certificate_expired',
      message: `Your certificate expired on ${end}: relay and houses refuse it`,
      advice:
        'A certificate that Flashback made is renewed at the next start: flashback up. Your own: renew it for the same key, in its place',
    });
  if (nowMs < notBeforeMs)
    return failure(check, {
      code: 'clock_off',
      message: `Your certificate is valid from ${new Date(notBeforeMs).toISOString()} on, and this machine's clock says ${new Date(nowMs).toISOString()}`,
      advice: 'Set the clock, best by a time service (NTP)',
    });
  const days = Math.floor((notAfterMs - nowMs) / dayMs);
  if (notAfterMs - nowMs < expiresSoonMs)
    return warning(check, {
      code: 'certificate_expires_soon',
      message: `Your certificate expires on ${end}, in ${days} days`,
      advice:
        'Flashback renews its own while it runs: flashback up. Your own: renew it for the same key, in its place',
    });
  return fine(check, `valid until ${end}`);
}

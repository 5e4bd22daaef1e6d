import type { X509Certificate } from 'node:crypto';
import {
  type CertificateClaims,
  CertificateError,
  checkValidity,
  claimsOf,
} from '../../identity/certificate.ts';
import type { Email } from '../../wire/email.ts';
import type { Policy } from '../../wire/settings.ts';
import type { Registrations } from './registrations.ts';

export interface AdmissionOptions {
  /** The house's own certificate: its owner's interface may come in, from this machine only. */
  readonly ownPublicKeyHash: string;
  readonly policy: () => Policy;
  /** Whether the certificate is a friend's: the pinned one, or a renewed one for the same key. */
  readonly isFriend: (claims: CertificateClaims) => boolean;
  /** Whether a friend goes by this e-mail, whoever comes under it now. */
  readonly isFriendsEmail: (email: Email) => boolean;
  readonly registrations: Registrations;
  /** Called for somebody who is who they say and is not admitted: the owner may want to know. */
  readonly onKnock: (claims: CertificateClaims, address: string) => void;
  /** Called when somebody comes under a friend's e-mail with another key for which the relay vouches. */
  readonly onChangedIdentity: (claims: CertificateClaims, address: string) => void;
  readonly nowMs?: () => number;
}

export type Decision =
  | { readonly kind: 'admitted'; readonly claims: CertificateClaims; readonly isFriend: boolean }
  | { readonly kind: 'refused'; readonly status: 401 | 403 | 503; readonly error: string };

/**
 * Decides who may come in (mission H5): the one authorisation of every route of the house.
 *
 * Friends are known by the key pinned for them and need no relay. Everybody else must show a certificate that the relay
 * has for their e-mail, so without the relay they wait outside (503).
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #nowMs: () => number;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /**
   * @param claims the visitor's certificate, whose key TLS has proven; undefined when none was shown.
   * @param address where the visitor comes from, without port.
   */
  async decide(claims: CertificateClaims | CertificateError | undefined, address: string): Promise<Decision> {
    if (claims === undefined) return refused(401, 'a client certificate is required');
    if (claims instanceof CertificateError) return refused(401, claims.message);
    try {
      checkValidity(claims, this.#nowMs());
    } catch (error) {
      if (error instanceof CertificateError) return refused(401, error.message);
      throw error;
    }
    if (claims.publicKeyHash === this.#options.ownPublicKeyHash)
      return isLoopback(address)
        ? { kind: 'admitted', claims, isFriend: true }
        : refused(403, 'this is your own certificate: visit your house from its own machine');
    if (this.#options.isFriend(claims)) return { kind: 'admitted', claims, isFriend: true };
    return this.#decideStranger(claims, address);
  }

  async #decideStranger(claims: CertificateClaims, address: string): Promise<Decision> {
    const registered = await this.#options.registrations.has(claims.email, claims.fingerprint, address);
    if (registered === 'unknown')
      return refused(503, 'the relay cannot be asked who you are right now, so only friends get in');
    if (registered === 'busy') return refused(503, 'too many visitors are being checked, try again shortly');
    if (registered === 'no') return refused(403, 'this certificate is not registered at the relay');
    if (this.#options.isFriendsEmail(claims.email)) {
      // Only now: whoever makes up a certificate with a friend's e-mail must not be able to raise this alarm.
      this.#options.onChangedIdentity(claims, address);
      return refused(
        403,
        'this house knows another key under your e-mail: its owner has to confirm the change',
      );
    }
    const policy = this.#options.policy();
    if (policy === 'registered' || (policy !== 'friends' && policy.includes(claims.email)))
      return { kind: 'admitted', claims, isFriend: false };
    this.#options.onKnock(claims, address);
    return refused(403, 'you are not admitted yet: the owner has been told that you knocked');
  }
}

/** What a connection's certificate says, read once a connection by the caller. */
export function readVisitor(
  certificate: X509Certificate | undefined,
): CertificateClaims | CertificateError | undefined {
  if (certificate === undefined) return undefined;
  try {
    return claimsOf(certificate);
  } catch (error) {
    if (error instanceof CertificateError) return error;
    throw error;
  }
}

function refused(status: 401 | 403 | 503, error: string): Decision {
  return { kind: 'refused', status, error };
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

import { EventEmitter } from 'node:events';
import { type CertificateClaims, CertificateError, checkValidity } from '../../identity/certificate.ts';
import { type Fingerprint, isFingerprint } from '../../identity/fingerprint.ts';
import { type Clock, systemClock } from '../../util/clock.ts';
import { printable } from '../../util/printable.ts';
import type { Email } from '../../wire/email.ts';
import type { RelayClient } from '../relay-client/relay-client.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import { type KnownPeer, matchesPin, type Pin, type PinOrigin, pinOf } from '../state/known-peers.ts';
import type { StateStore } from '../state/state-store.ts';
import type { VisitorRequest } from '../state/visitor-requests.ts';
import { FriendError } from './friend-error.ts';

export interface FriendBookOptions {
  readonly ownEmail: Email;
  readonly state: StateStore;
  readonly relay: RelayClient | undefined;
  readonly clock?: Clock;
}

export interface FriendBookEvents {
  friendAdded: [email: Email];
  friendRemoved: [email: Email];
  /** Another certificate took the place of a friend's, because the user said so. */
  friendChanged: [email: Email];
  /** Somebody knocked who had not before. */
  requestArrived: [request: VisitorRequest];
}

export interface AddFriendOptions {
  /** What the friend told the user: 64 hex digits, colons allowed. Without it the pinned key of an earlier visit or the relay's word counts. */
  readonly fingerprint?: string;
  /** Replaces another pinned key; needs `fingerprint`. */
  readonly acceptChange?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Who is a friend, and who asks to be one. A friend is a pinned key: everything here takes care that it is the right one. */
export class FriendBook extends EventEmitter<FriendBookEvents> {
  readonly #ownEmail: Email;
  readonly #state: StateStore;
  readonly #relay: RelayClient | undefined;
  readonly #clock: Clock;

  constructor(options: FriendBookOptions) {
    super();
    this.#ownEmail = options.ownEmail;
    this.#state = options.state;
    this.#relay = options.relay;
    this.#clock = options.clock ?? systemClock;
  }

  /** For the house: is the holder of this certificate, proved by TLS, a friend? A renewed certificate is taken note of. */
  recognise(claims: CertificateClaims): boolean {
    const known = this.#state.peers.get(claims.email);
    if (known?.friendSinceMs === undefined || !matchesPin(known, claims)) return false;
    this.#state.peers.confirm(claims.email, claims, this.#clock.nowMs());
    return true;
  }

  /** By e-mail. */
  friends(): KnownPeer[] {
    return this.#state.peers.friends();
  }

  /** @throws {FriendError}, or the signal's reason. */
  async add(email: Email, options: AddFriendOptions = {}): Promise<KnownPeer> {
    const { acceptChange = false, signal } = options;
    if (email === this.#ownEmail) throw new FriendError('bad_request', `${email} is you`);
    const fingerprint = options.fingerprint === undefined ? undefined : parseFingerprint(options.fingerprint);
    if (fingerprint !== undefined) return this.#addByFingerprint(email, fingerprint, acceptChange, signal);
    if (acceptChange)
      throw new FriendError(
        'bad_request',
        'Accepting a changed identity needs the new fingerprint, as your friend told you over another way',
      );
    return this.#addByPinOrRelay(email, signal);
  }

  /** The key stays pinned: who comes back under this e-mail must have it. @throws {FriendError} `not_found`. */
  remove(email: Email): void {
    if (!this.#state.peers.unmakeFriend(email))
      throw new FriendError('not_found', `${printable(email)} is not among your friends`);
    this.emit('friendRemoved', email);
  }

  /** For the house: somebody whom the policy does not admit knocked, with a certificate that the relay vouches for. */
  recordRequest(claims: CertificateClaims, address: string): void {
    if (claims.email === this.#ownEmail) return;
    if (!this.#state.requests.record(claims, address, this.#clock.nowMs())) return;
    const request = this.#state.requests
      .waitingOf(claims.email)
      .find(({ publicKeyHash }) => publicKeyHash === claims.publicKeyHash);
    if (request !== undefined) this.emit('requestArrived', request);
  }

  /** Newest first. */
  requests(): VisitorRequest[] {
    return this.#state.requests.waiting();
  }

  get requestsWaiting(): number {
    return this.#state.requests.waitingCount();
  }

  /** Pins the certificate that the visitor proved, and makes a friend. @throws {FriendError} */
  accept(email: Email): KnownPeer {
    const [request, ...others] = this.#state.requests.waitingOf(email);
    if (request === undefined)
      throw new FriendError('not_found', `No request of ${printable(email)} is waiting`);
    if (others.length > 0)
      throw new FriendError(
        'bad_request',
        `Several keys knock as ${email} (${[request, ...others].map(({ fingerprint }) => fingerprint).join(', ')}): ` +
          'ask them for their fingerprint, and add them as a friend with it',
      );
    const known = this.#state.peers.get(email);
    if (known !== undefined && !matchesPin(known, request)) throw differs(known, request.fingerprint);
    const { fingerprint, publicKeyHash, certificatePem } = request;
    return this.#befriend(email, { fingerprint, publicKeyHash, certificatePem }, 'request');
  }

  /** They may knock again, and are not heard. @throws {FriendError} `not_found`. */
  refuse(email: Email): void {
    if (this.#state.requests.refuse(email, this.#clock.nowMs()) === 0)
      throw new FriendError('not_found', `No request of ${printable(email)} is waiting`);
  }

  async #addByFingerprint(
    email: Email,
    fingerprint: Fingerprint,
    acceptChange: boolean,
    signal: AbortSignal | undefined,
  ): Promise<KnownPeer> {
    const known = this.#state.peers.get(email);
    if (known?.fingerprint === fingerprint) return this.#befriend(email, known, known.origin);
    const registered = await this.#askRelay(email, signal).catch((error: unknown) => {
      // The user's word is enough; the relay's would only have made it sure sooner.
      if (error instanceof FriendError && error.code !== 'failed') return [];
      throw error;
    });
    const claims = registered.find((candidate) => candidate.fingerprint === fingerprint);
    // A renewed certificate for the pinned key is no change.
    if (known !== undefined && !(claims !== undefined && matchesPin(known, claims)) && !acceptChange)
      throw differs(known, fingerprint);
    if (claims === undefined && registered.length > 0)
      throw new FriendError(
        'identity_changed',
        `The relay knows ${email} by another certificate (${registered.map((other) => other.fingerprint).join(', ')}) ` +
          `than ${fingerprint}. Compare with ${email} once more, then use the fingerprint that they see in their own status`,
      );
    return this.#befriend(email, claims === undefined ? { fingerprint } : pinOf(claims), 'user');
  }

  async #addByPinOrRelay(email: Email, signal: AbortSignal | undefined): Promise<KnownPeer> {
    const known = this.#state.peers.get(email);
    if (known?.changed !== undefined) throw differs(known, known.changed.fingerprint);
    if (known !== undefined) return this.#befriend(email, known, known.origin);
    const registered = await this.#askRelay(email, signal);
    const valid = registered.filter((claims) => isValid(claims, this.#clock.nowMs()));
    const newest = valid.toSorted((a, b) => b.notAfterMs - a.notAfterMs)[0];
    if (newest === undefined)
      throw new FriendError(
        'failed',
        `The certificate of ${email} at the relay has expired, or is not valid yet`,
      );
    if (new Set(valid.map(({ publicKeyHash }) => publicKeyHash)).size > 1)
      throw new FriendError(
        'bad_request',
        `The relay has several keys of ${email} (${valid.map(({ fingerprint }) => fingerprint).join(', ')}): ` +
          'ask them for the fingerprint, and add them with it',
      );
    // Asked again: another request may have pinned meanwhile.
    const meanwhile = this.#state.peers.get(email);
    if (meanwhile !== undefined && !matchesPin(meanwhile, newest))
      throw differs(meanwhile, newest.fingerprint);
    return this.#befriend(email, pinOf(newest), 'relay');
  }

  async #askRelay(email: Email, signal: AbortSignal | undefined): Promise<CertificateClaims[]> {
    if (this.#relay === undefined)
      throw new FriendError('relay_away', `No relay is set to ask for ${email}: give their fingerprint`);
    try {
      return await this.#relay.certificates(email, { signal });
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      const cause = { cause: error };
      if (error.code === 'not_found')
        throw new FriendError('not_found', `Nobody is registered at the relay as ${email}`, cause);
      const isAway = error.code === 'unreachable' || error.code === 'rate_limited';
      if (!isAway) throw new FriendError('failed', error.message, cause);
      const advice = 'Give the fingerprint of your friend to add them without the relay';
      throw new FriendError('relay_away', `${error.message}. ${advice}`, cause);
    }
  }

  #befriend(email: Email, pin: Pin, origin: PinOrigin): KnownPeer {
    const nowMs = this.#clock.nowMs();
    const { isNew, isReplaced, friend } = this.#state.transaction(() => {
      const known = this.#state.peers.get(email);
      const isSame = known !== undefined && known.fingerprint === pin.fingerprint;
      // The same key again is no news, except that it settles a change.
      if (!isSame || known.changed !== undefined) this.#state.peers.pin(email, pin, origin, nowMs);
      const isNewFriend = this.#state.peers.makeFriend(email, nowMs);
      this.#state.requests.forget(email);
      const made = this.#state.peers.get(email);
      if (made === undefined) throw new Error(`The pin of ${email} vanished while it was written`);
      return { isNew: isNewFriend, isReplaced: known !== undefined && !isSame, friend: made };
    });
    if (isNew) this.emit('friendAdded', email);
    else if (isReplaced) this.emit('friendChanged', email);
    return friend;
  }
}

function differs(known: KnownPeer, fingerprint: Fingerprint): FriendError {
  return new FriendError(
    'identity_changed',
    `${known.email} is known by the certificate ${known.fingerprint}, and ${fingerprint} is another one. ` +
      'Ask them over another way which one is theirs; if it is the new one, add them with its fingerprint and accept the change',
  );
}

function parseFingerprint(text: string): Fingerprint {
  const fingerprint = text.replaceAll(/[\s:]/g, '').toLowerCase();
  if (!isFingerprint(fingerprint))
    throw new FriendError('bad_request', 'A fingerprint has 64 hexadecimal digits (SHA-256)');
  return fingerprint;
}

function isValid(claims: CertificateClaims, nowMs: number): boolean {
  try {
    checkValidity(claims, nowMs);
    return true;
  } catch (error) {
    if (error instanceof CertificateError) return false;
    throw error;
  }
}

import type { CertificateClaims } from '../../identity/certificate.ts';
import type { Identity } from '../../identity/key-store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import type { AnnouncedPeer, ReadyRequest } from '../../wire/relay-http.ts';
import type { RelayUrl } from '../../wire/relay-url.ts';

export interface RelayClientOptions {
  readonly url: RelayUrl;
  readonly identity: Identity;
  readonly clock?: Clock;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

/** The tracker's calls, typed (docs/protocol/tracker.md). Each rejects with a RelayError, or the signal's reason. */
export class RelayClient implements Disposable {
  readonly url: RelayUrl;

  constructor(options: RelayClientOptions) {
    this.url = options.url;
    throw new Error('not built yet');
  }

  /** How far the relay's clock is ahead of ours, milliseconds, by its last answer (to the second). */
  get clockOffsetMs(): number | undefined {
    throw new Error('not built yet');
  }

  /** Later calls show this identity. */
  useIdentity(_identity: Identity): void {
    throw new Error('not built yet');
  }

  /** `certificatePem` may be another one than the one shown: that is how a renewed one is added to the account. */
  register(_certificatePem?: string, _options?: CallOptions): Promise<{ clientId: string }> {
    throw new Error('not built yet');
  }

  ready(
    _request: ReadyRequest,
    _options?: CallOptions,
  ): Promise<{ broadcastId: string; expiresInMs: number }> {
    throw new Error('not built yet');
  }

  withdraw(_options?: CallOptions): Promise<void> {
    throw new Error('not built yet');
  }

  lookup(_email: Email, _options?: CallOptions): Promise<AnnouncedPeer> {
    throw new Error('not built yet');
  }

  /** Every announced peer, page by page. */
  list(_options?: CallOptions): Promise<AnnouncedPeer[]> {
    throw new Error('not built yet');
  }

  /** The certificates registered for this e-mail: read, and checked to carry it. */
  certificates(_email: Email, _options?: CallOptions): Promise<CertificateClaims[]> {
    throw new Error('not built yet');
  }

  [Symbol.dispose](): void {
    throw new Error('not built yet');
  }
}

import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Identity } from '../../identity/key-store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Email } from '../../wire/email.ts';
import type { FailureCode } from '../../wire/local-api.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { FriendBook } from './friend-book.ts';

export interface PingerOptions {
  readonly friends: FriendBook;
  readonly discovery: Discovery;
  readonly identity: () => Identity;
  /** The setting `friendPingSeconds`. */
  readonly pingSeconds: number;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** What the last health check of a peer found. */
export type CheckResult =
  | {
      readonly kind: 'online';
      readonly checkedAtMs: number;
      readonly roundTripMs: number;
      readonly address: string;
      /** Online, but: does not admit us, shares nothing now, is busy. */
      readonly cause?: string;
    }
  | { readonly kind: 'offline'; readonly checkedAtMs: number; readonly cause: string }
  | {
      readonly kind: 'error';
      readonly checkedAtMs: number;
      readonly cause: string;
      readonly code: FailureCode;
    };

export interface PingerEvents {
  checked: [email: Email, result: CheckResult];
}

/** Asks each friend's house for `/health`, on and on. Starts at once; disposal stops it and closes its connections. */
export class Pinger extends EventEmitter<PingerEvents> implements AsyncDisposable {
  constructor(_options: PingerOptions) {
    super();
    throw new Error('not built yet');
  }

  /** The last result, while it is fresh: a health check of the last minute, as the mission defines *reachable*. */
  resultOf(_email: Email): CheckResult | undefined {
    throw new Error('not built yet');
  }

  /** Checks one person now, friend or not, and waits for the result. */
  check(_email: Email, _options?: { readonly signal?: AbortSignal }): Promise<CheckResult> {
    throw new Error('not built yet');
  }

  /** After a network change: kept connections are dropped and everybody is asked again. */
  networkChanged(): void {
    throw new Error('not built yet');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    throw new Error('not built yet');
  }
}

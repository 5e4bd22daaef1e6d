import type { Fingerprint } from '../../identity/fingerprint.ts';
import { TokenBuckets } from '../../util/token-bucket.ts';
import type { Email } from '../../wire/email.ts';
import { networkOf } from '../../wire/ip-address.ts';

/** Whether the relay has a certificate for an e-mail; `unknown` when it cannot be asked, `busy` when too many are being asked. */
export type Registered = 'yes' | 'no' | 'unknown' | 'busy';

export interface RegistrationsOptions {
  /** Asks the relay for the fingerprints of an e-mail, none when it knows no such client. @throws when it cannot be asked. */
  readonly fingerprintsOf: (email: Email) => Promise<readonly Fingerprint[]>;
  readonly nowMs?: () => number;
}

/** A page with a hundred pictures asks once; a certificate that the relay no longer has is out within seconds. */
const answerLifetimeMs = 15_000;
/** Certificates remembered at once. */
const answersMax = 1000;
/** Questions to the relay under way at once. */
const questionsMax = 16;
/** New certificates that one network address (of IPv6 the /64) may have checked: a made-up one costs its maker nothing and us a question. */
const checksPerAddress = { burst: 20, perSecond: 0.5, keysMax: 10_000 } as const;

interface Answer {
  readonly registered: Promise<Registered>;
  readonly untilMs: number;
}

/** The relay's word on visitors' certificates, cached and limited. */
export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, Answer>();
  readonly #checks = new TokenBuckets(checksPerAddress);
  #questions = 0;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
  }

  /** @param address where the visitor comes from: what questions are limited by. */
  has(email: Email, fingerprint: Fingerprint, address: string): Promise<Registered> {
    const nowMs = this.#nowMs();
    // An e-mail holds no space.
    const key = `${email} ${fingerprint}`;
    const cached = this.#answers.get(key);
    if (cached !== undefined && nowMs < cached.untilMs) return cached.registered;
    this.#answers.delete(key);
    if (this.#questions >= questionsMax || this.#checks.take(networkOf(address), nowMs) > 0)
      return Promise.resolve('busy');
    const answer = { registered: this.#ask(email, fingerprint), untilMs: nowMs + answerLifetimeMs };
    if (this.#answers.size >= answersMax) this.#forgetOldest();
    this.#answers.set(key, answer);
    void answer.registered.then((registered) => {
      // The next visitor asks again: the relay may be back by then.
      if (registered === 'unknown' && this.#answers.get(key) === answer) this.#answers.delete(key);
    });
    return answer.registered;
  }

  async #ask(email: Email, fingerprint: Fingerprint): Promise<Registered> {
    this.#questions += 1;
    try {
      const fingerprints = await this.#options.fingerprintsOf(email);
      return fingerprints.includes(fingerprint) ? 'yes' : 'no';
    } catch {
      return 'unknown';
    } finally {
      this.#questions -= 1;
    }
  }

  #forgetOldest(): void {
    for (const key of this.#answers.keys()) {
      this.#answers.delete(key);
      return;
    }
  }
}

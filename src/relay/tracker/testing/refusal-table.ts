import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createIdentity, type KeyAndCertificate } from '../../../identity/create-identity.ts';
import { type Answer, TestRelay } from '../../testing/relay-fixture.ts';

const hourMs = 3_600_000;

/** Me and Ann are registered, and so was the one whose certificate has expired since; the impostor bears my e-mail. */
const people = {
  me: ['me@example.com', {}],
  ann: ['ann@example.com', {}],
  expired: ['expired@example.com', { validityMs: hourMs }],
  unregistered: ['unregistered@example.com', {}],
  impostor: ['me@example.com', {}],
  old: ['old@example.com', { nowMs: Date.UTC(2001, 0, 1), validityMs: 0 }],
  soon: ['soon@example.com', { nowMs: Date.UTC(2100, 0, 2) }],
} as const;
type Person = keyof typeof people;

/** What the cases of a group share. */
export interface RefusalGroup {
  /** Whose certificate is shown. */
  readonly as: Person | 'nobody';
  /** Method and path; for {@link RefusalTable.paths} the case adds the rest of it. */
  readonly ask: string;
  readonly status: number;
}

type Body = string | object | undefined;
type BodyCase = readonly [what: string, body: Body | ((of: Certificates) => object), error: string];
type PathCase = readonly [what: string, rest: string, error: string];
type Certificates = Readonly<Record<Person, KeyAndCertificate>>;

/** What a hostile or careless client may put where a word is expected. */
export const sqlText = "'; DROP TABLE clients; --";
export const headerText = 'x\r\nSet-Cookie: stolen=1';

/** The rows of a table case → status → error text, each a test of its own against one real relay. */
export class RefusalTable {
  #relay: TestRelay | undefined;
  readonly #of: Partial<Record<Person, KeyAndCertificate>> = {};
  #nowMs = Date.now();

  /** Call inside `describe`. */
  constructor() {
    before(async () => {
      const relay = await TestRelay.start({ nowMs: () => this.#nowMs });
      this.#relay = relay;
      for (const [person, [email, options]] of Object.entries(people)) {
        const identity = await createIdentity(email, options);
        this.#of[person as Person] = identity;
        if (['me', 'ann', 'expired'].includes(person))
          assert.equal((await relay.register(identity, email)).status, 200);
      }
      this.#nowMs += 2 * hourMs;
    });
    after(async () => {
      for (const person of ['me', 'ann'] as const)
        assert.equal((await this.relay.register(this.certificates[person], people[person][0])).status, 200);
      assert.deepEqual(
        this.relay.logLines.filter(({ level }) => Number(level) >= 40),
        [],
        'a client who errs is nothing to warn the operator of',
      );
      await this.relay[Symbol.asyncDispose]();
    });
  }

  get relay(): TestRelay {
    assert.ok(this.#relay);
    return this.#relay;
  }

  get certificates(): Certificates {
    return this.#of as Certificates;
  }

  /** Cases that differ in their body. */
  bodies(group: RefusalGroup, cases: readonly BodyCase[]): void {
    for (const [what, body, error] of cases)
      this.#row(group, what, error, () =>
        this.#ask(group, group.ask, typeof body === 'function' ? body(this.certificates) : body),
      );
  }

  /** Cases that differ in the end of their path, or in their query. */
  paths(group: RefusalGroup, cases: readonly PathCase[]): void {
    for (const [what, rest, error] of cases)
      this.#row(group, what, error, () => this.#ask(group, group.ask + rest, undefined));
  }

  #row(group: RefusalGroup, what: string, error: string, ask: () => Promise<Answer>): void {
    const { status } = group;
    void test(`${group.ask}: ${what} → ${status} ${error}`, async () => {
      const answer = await ask();
      assert.deepEqual([answer.status, answer.json()], [status, { error }]);
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
      if (status === 405) assert.equal(answer.headers['allow'], /takes (\w+) only/.exec(error)?.[1]);
    });
  }

  #ask({ as }: RefusalGroup, methodAndPath: string, body: Body): Promise<Answer> {
    const at = methodAndPath.indexOf(' ');
    const client = as === 'nobody' ? undefined : this.certificates[as];
    return this.relay.ask(client, methodAndPath.slice(at + 1), {
      method: methodAndPath.slice(0, at),
      ...(body !== undefined && { body }),
    });
  }
}

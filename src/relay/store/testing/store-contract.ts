import { describe, test } from 'node:test';
import { broadcastContract } from './broadcast-contract.ts';
import { lifeContract } from './life-contract.ts';
import { registrationContract } from './registration-contract.ts';
import type { StoreFixture } from './store-fixture.ts';
import { valueContract } from './value-contract.ts';

const parts = {
  registrations: registrationContract,
  broadcasts: broadcastContract,
  values: valueContract,
  'life of a store': lifeContract,
};

/** What every engine must do; each engine's test file calls it with its own kind of database. */
export function storeContract(engine: string, makeFixture: () => Promise<StoreFixture>): void {
  for (const [part, contract] of Object.entries(parts)) {
    void describe(`${engine}: ${part}`, () => {
      for (const [name, check] of Object.entries(contract)) {
        void test(name, async () => {
          await using fixture = await makeFixture();
          await check(fixture);
        });
      }
    });
  }
}

import { after, before } from 'node:test';
import { openTestPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { makePostgresFixture } from './testing/postgres-fixture.ts';
import { storeContract } from './testing/store-contract.ts';

let postgres: TestPostgres;

before(async () => {
  postgres = await openTestPostgres();
});

after(() => postgres[Symbol.asyncDispose]());

storeContract('PostgreSQL', () => makePostgresFixture(postgres));

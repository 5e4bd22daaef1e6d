import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openTestPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { migrations } from './migrations/migrations.ts';
import { migratePostgres } from './postgres-schema.ts';
import { makePostgresFixture } from './testing/postgres-fixture.ts';

let postgres: TestPostgres;

before(async () => {
  postgres = await openTestPostgres();
});

after(() => postgres[Symbol.asyncDispose]());

const connectTo = (url: string) => ({ connectionString: url, connectionTimeoutMillis: 10_000 });

test('relays that start at the same time migrate an empty database once', async () => {
  await using fixture = await makePostgresFixture(postgres);
  const newest = migrations.at(-1)?.version;

  const versions = await Promise.all(
    Array.from({ length: 8 }, () => migratePostgres(connectTo(fixture.url))),
  );

  assert.deepEqual(new Set(versions), new Set([newest]));
  assert.deepEqual(
    await fixture.query('SELECT version, name FROM schema_migrations ORDER BY version'),
    migrations.map(({ version, name }) => ({ version, name })),
  );
});

test('a migration that fails leaves the database as it was, and a later one continues from there', async () => {
  await using fixture = await makePostgresFixture(postgres);
  const version = migrations.length + 1;
  const next = { version, name: 'next', sqlite: '', postgres: 'CREATE TABLE next (id integer)' };
  const broken = { ...next, postgres: 'CREATE TABLE next (id integer); SELECT 1 / 0' };
  await migratePostgres(connectTo(fixture.url));

  await assert.rejects(migratePostgres(connectTo(fixture.url), [...migrations, broken]), /division by zero/);
  assert.deepEqual(await fixture.query(`SELECT to_regclass('next') AS next`), [{ next: null }]);

  assert.equal(await migratePostgres(connectTo(fixture.url), [...migrations, next]), version);
  assert.deepEqual(await fixture.query('SELECT * FROM next'), []);
});

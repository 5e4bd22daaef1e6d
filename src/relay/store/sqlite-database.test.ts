import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrations } from './migrations/migrations.ts';
import { openDatabase } from './sqlite-database.ts';
import { makeSqliteFixture } from './testing/sqlite-fixture.ts';

test('a migration that fails leaves the database as it was, and a later one continues from there', async () => {
  await using fixture = await makeSqliteFixture();
  const version = migrations.length + 1;
  const next = { version, name: 'next', sqlite: 'CREATE TABLE next (id INTEGER) STRICT', postgres: '' };
  const broken = { ...next, sqlite: 'CREATE TABLE next (id INTEGER) STRICT; SELECT no_such_function()' };
  openDatabase(fixture.file).close();

  assert.throws(() => openDatabase(fixture.file, [...migrations, broken]), /no_such_function/);

  const opened = openDatabase(fixture.file, [...migrations, next]);
  assert.equal(opened.schemaVersion, version);
  assert.deepEqual(opened.database.prepare('SELECT * FROM next').all(), []);
  opened.close();
});

test('the migrations are numbered from 1 without gaps', () => {
  assert.deepEqual(
    migrations.map((migration) => migration.version),
    migrations.map((_, index) => index + 1),
  );
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { backUpDatabase } from './sqlite-backup.ts';
import { openSqliteStore } from './sqlite-store.ts';
import { silentLog } from './testing/silent-log.ts';
import { makeSqliteFixture } from './testing/sqlite-fixture.ts';
import { loadEverything, withCode } from './testing/store-fixture.ts';
import type { AcknowledgedWrite } from './testing/write-until-killed.ts';

/** The crash suite does this hundreds of times with a whole relay; this many show that it works at all. */
const rounds = 6;
const acknowledgementsMax = 3_000;

const writer = join(import.meta.dirname, 'testing', 'write-until-killed.ts');

/** Runs the writer until it has acknowledged `count` writes, kills it, and returns all that it acknowledged. */
async function writeUntilKilled(
  file: string,
  count: number,
  whileWriting: () => Promise<void>,
): Promise<AcknowledgedWrite[]> {
  const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const acknowledged: AcknowledgedWrite[] = [];
  let checking: Promise<void> | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(JSON.parse(line) as AcknowledgedWrite);
    checking ??= whileWriting();
    if (acknowledged.length === count) void checking.finally(() => child.kill('SIGKILL'));
  }
  await checking;
  const [, signal] = await exit;
  assert.equal(signal, 'SIGKILL');
  return acknowledged;
}

test('a process killed while it writes keeps the folder to itself until then, and loses nothing it acknowledged', async () => {
  await using fixture = await makeSqliteFixture();
  const { file, folder } = fixture;
  const expected = new Map<string, AcknowledgedWrite>();

  for (let round = 0; round < rounds; round++) {
    const count = 1 + Math.floor(Math.random() * acknowledgementsMax);
    const copy = join(folder, `copy-${round}`);
    const acknowledged = await writeUntilKilled(file, count, async () => {
      await assert.rejects(openSqliteStore({ file, log: silentLog }), (error: Error) => {
        withCode('store_locked')(error);
        assert.ok(error.message.includes(folder), error.message);
        return true;
      });
      await backUpDatabase(file, copy);
    });
    for (const write of acknowledged) expected.set(write.clientId, write);

    await using store = await fixture.open();
    const stored = new Map((await loadEverything(store)).map((client) => [client.client.clientId, client]));
    for (const { clientId, fingerprint, broadcast } of expected.values()) {
      const client = stored.get(clientId);
      const context = `round ${round}, killed after ${count}: client ${clientId}`;
      assert.deepEqual(
        client?.certificates.map((certificate) => certificate.fingerprint),
        [fingerprint],
        context,
      );
      assert.ok((client?.broadcast?.port ?? 0) >= broadcast, context);
    }
    // Whatever was under way when the process died is there whole or not at all.
    for (const client of stored.values()) assert.equal(client.certificates.length, 1);
  }
});

/**
 * Writes to the database named by its argument as fast as it can, and prints a line for each write that was
 * acknowledged, until it is killed. Lines are `AcknowledgedWrite` as JSON; what was not acknowledged is not printed.
 */
import { openSqliteStore } from '../sqlite-store.ts';
import type { Store } from '../store.ts';
import { makeBroadcast, makeRegistration } from './records.ts';
import { silentLog } from './silent-log.ts';

export interface AcknowledgedWrite {
  readonly clientId: string;
  readonly fingerprint: string;
  /** Counts the client's broadcasts from 1; 0 is its registration. */
  readonly broadcast: number;
}

const writers = 32;
const broadcastsPerClient = 5;

async function writeOn(store: Store): Promise<never> {
  for (;;) {
    const registration = makeRegistration();
    const { clientId, certificate } = registration;
    const acknowledge = (broadcast: number): void => {
      const write: AcknowledgedWrite = { clientId, fingerprint: certificate.fingerprint, broadcast };
      // A pipe is written before this returns, so nothing printed is lost with the process.
      process.stdout.write(`${JSON.stringify(write)}\n`);
    };
    await store.registerClient(registration);
    acknowledge(0);
    for (let count = 1; count <= broadcastsPerClient; count++) {
      await store.putBroadcast(makeBroadcast(clientId, { port: count }));
      acknowledge(count);
    }
  }
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('Cannot write: the database file is missing');
const store = await openSqliteStore({ file, log: silentLog });
await Promise.all(Array.from({ length: writers }, () => writeOn(store)));

/**
 * A process that downloads one file, to be killed by a test. Takes a JSON object as its argument, prints each event as
 * a line of JSON.
 */
import pino from 'pino';
import { testIdentity } from '../../../identity/testing/test-identity.ts';
import { HouseClient } from '../../visit/house-client.ts';
import { ActiveDownloads } from '../active-downloads.ts';
import { runDownload } from '../downloads.ts';

export interface ChildTask {
  readonly host: string;
  readonly port: number;
  readonly fingerprint: string;
  readonly path: string;
  readonly target: string;
}

const { host, port, fingerprint, path, target } = JSON.parse(process.argv[2] ?? '') as ChildTask;
const identity = await testIdentity('visitor@example.com');
const expected = { kind: 'pinned', fingerprints: [fingerprint] } as const;
const events = runDownload(
  { peer: 'owner@example.com', path, target, overwrite: false, recursive: false },
  {
    connect: () => Promise.resolve(new HouseClient({ host, port, expected, identity, via: 'direct' })),
    active: new ActiveDownloads(),
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
  },
  new AbortController().signal,
);
for await (const event of events) process.stdout.write(`${JSON.stringify(event)}\n`);

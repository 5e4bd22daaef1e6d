import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Person } from './certificate-fixtures.ts';
import { findProgram } from './find-program.ts';
import { onCore } from './pinning.ts';
import type { Bench } from './question.ts';

const run = promisify(execFile);

/** A download that takes longer than this has hung. */
const downloadMs = 120_000;

interface CurlDownload {
  readonly bytes: number;
  /** From connecting to the last byte. */
  readonly seconds: number;
}

/** Downloads `url` to `output` with curl, as `visitor`, on the load's core. */
export type CurlGet = (url: string, output: string) => Promise<CurlDownload>;

/** Prepares curl with the visitor's certificate; `undefined`, with a note, when it is not installed. */
export function prepareCurl(bench: Bench, visitor: Person): CurlGet | undefined {
  const program = findProgram('curl');
  if (program === undefined) {
    bench.note('skipped: curl is not installed (apt install curl)');
    return undefined;
  }
  const folder = join(bench.folder, 'curl');
  mkdirSync(folder);
  const certificatePath = join(folder, 'visitor.crt');
  const keyPath = join(folder, 'visitor.key');
  writeFileSync(certificatePath, visitor.certificatePem);
  writeFileSync(keyPath, visitor.keyPem, { mode: 0o600 });
  // Servers' certificates are self-signed (-k); who may come in is what the client certificate decides.
  const fixed = ['-sS', '-k', '--http1.1', '--cert', certificatePath, '--key', keyPath];
  return async (url, output) => {
    const [command, args] = onCore(bench.cores?.load, program, [
      ...fixed,
      '--fail',
      '--output',
      output,
      '--write-out',
      '%{size_download} %{time_total}',
      url,
    ]);
    const { stdout } = await run(command, args, { signal: bench.signal, timeout: downloadMs });
    const [bytes = Number.NaN, seconds = Number.NaN] = stdout.split(' ').map(Number);
    return { bytes, seconds };
  };
}

/** `npm ci`, the first line of the README, refuses a lock file that lacks a package which another one may want, even one for another platform. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { z } from 'zod';

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ optionalDependencies: z.record(z.string(), z.string()).optional() }),
  ),
});

test('the lock file holds every optional package of every package, for platforms other than this one too', async () => {
  const lockUrl = new URL('../../package-lock.json', import.meta.url);
  const { packages } = lockSchema.parse(JSON.parse(await readFile(lockUrl, 'utf8')));
  const missing: string[] = [];
  let optionalCount = 0;
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      optionalCount += 1;
      const isLocked = `node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages;
      if (!isLocked) missing.push(`${name}, which ${path} may want`);
    }
  }
  assert.ok(optionalCount > 0, 'no optional package was found: the lock file has another shape now');
  assert.deepEqual(missing, []);
});

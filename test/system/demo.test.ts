import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const demo = fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url));

function demoFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('flashback-demo-'));
}

/** Command lines of the processes in a process group. */
function processesOf(group: number): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pgid=,args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => Number.parseInt(line, 10) === group);
}

/** The demo in a process group of its own, as a terminal gives it: Ctrl-C reaches everything in it. */
function startDemo(...args: string[]): { child: ChildProcessByStdio<null, Readable, null>; group: number } {
  const child = spawn(process.execPath, [demo, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  assert.ok(child.pid !== undefined);
  return { child, group: child.pid };
}

test('npm run demo -- --once shows the main job and leaves nothing behind', {
  timeout: 120_000,
}, async (t) => {
  const before = demoFolders();
  const { child, group } = startDemo('--once');
  t.after(() => killGroup(group));
  const exited = once(child, 'exit');
  const stdout = await text(child.stdout);
  assert.deepEqual(await exited, [0, null], stdout);
  assert.match(stdout, /ben sees anna@example\.com online/);
  assert.match(stdout, /67108864 bytes, direct/);
  assert.match(stdout, /SHA-256 of what arrived is that of what was shared: [0-9a-f]{64}/);
  assert.deepEqual(processesOf(group), []);
  const [, folder = 'no folder was named'] = /sample houses in (\S+)/.exec(stdout) ?? [];
  assert.deepEqual(
    demoFolders().filter((name) => !before.includes(name) && folder.endsWith(name)),
    [],
  );
});

test('Ctrl-C ends the demo and everything it started', { timeout: 120_000 }, async (t) => {
  const { child, group } = startDemo();
  t.after(() => killGroup(group));
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith('Ctrl-C ends it')) break;
  assert.ok(processesOf(group).length >= 4, 'the demo, a relay and two daemons run');
  process.kill(-group, 'SIGINT');
  assert.deepEqual(await exited, [0, null]);
  assert.deepEqual(processesOf(group), []);
});

function killGroup(group: number): void {
  if (processesOf(group).length > 0) process.kill(-group, 'SIGKILL');
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url).pathname;

/** Runs the layer check on a made-up tree: file names and their text. */
function checkLayers(files: Readonly<Record<string, string>>): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'flashback-layers-'));
  try {
    for (const [name, text] of Object.entries({ 'tsconfig.json': '{"compilerOptions":{}}', ...files })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
        '--config',
        join(root, '.dependency-cruiser.cjs'),
        'src',
      ],
      { cwd: folder, encoding: 'utf8' },
    );
    return { status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const value = 'export const value = 1;\n';
const importing = (path: string): string => `import { value } from '${path}';\nexport const copy = value;\n`;

const wrongImports: readonly [from: string, to: string, rule: string][] = [
  ['src/util/a.ts', 'src/wire/b.ts', 'layer-util'],
  ['src/wire/a.ts', 'src/identity/b.ts', 'layer-wire'],
  ['src/identity/a.ts', 'src/relay/b.ts', 'layer-identity'],
  ['src/link/a.ts', 'src/peer/b.ts', 'layer-link'],
  ['src/relay/a.ts', 'src/link/b.ts', 'layer-relay'],
  ['src/relay/a.ts', 'src/peer/b.ts', 'layer-relay'],
  ['src/peer/a.ts', 'src/relay/b.ts', 'layer-peer'],
  ['src/cli/a.ts', 'src/identity/b.ts', 'layer-cli'],
  ['src/cli/a.ts', 'src/peer/house/b.ts', 'layer-cli'],
];

for (const [from, to, rule] of wrongImports) {
  test(`check:layers refuses that ${dirname(from)} imports ${dirname(to)}`, () => {
    const path = `../../${to}`.replace('../../src', '..');
    const { status, output } = checkLayers({ [from]: importing(path), [to]: value });
    assert.notEqual(status, 0, output);
    assert.match(output, new RegExp(rule));
  });
}

test('check:layers refuses Node built-ins in wire, which runs in browsers', () => {
  const { status, output } = checkLayers({
    'src/wire/a.ts': "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n",
  });
  assert.notEqual(status, 0, output);
  assert.match(output, /wire-is-browser-safe/);
});

test('check:layers accepts imports that point down, and has looked at them', () => {
  const { status, output } = checkLayers({
    'src/util/c.ts': value,
    'src/wire/b.ts': importing('../util/c.ts'),
    'src/peer/a.ts': importing('../wire/b.ts'),
  });
  assert.equal(status, 0, output);
  assert.match(output, /3 modules/);
});

/**
 * Makes `dist/`, the package that is published: compiled JavaScript (Node strips no types under `node_modules`), the
 * launcher, the documents. `npm publish ./dist`, or `npm install -g ./dist` to try it.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const documents = ['README.md', 'SECURITY.md', 'docs'];

const ManifestSchema = z.looseObject({
  bin: z.object({ flashback: z.string() }),
  scripts: z.unknown(),
  devDependencies: z.unknown(),
  allowScripts: z.unknown(),
  private: z.unknown(),
});

rmSync('dist', { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});

// TypeScript 6.0 leaves `import('./x.ts')` as it is where it finds nothing else to change in a statement.
for (const file of globSync('dist/**/*.js')) {
  const code = readFileSync(file, 'utf8');
  const rewritten = code.replace(/\bimport\((['"])(\.[^'"]*)\.ts\1\)/g, 'import($1$2.js$1)');
  if (rewritten !== code) writeFileSync(file, rewritten);
}

mkdirSync('dist/bin');
// The launcher is plain JavaScript already.
cpSync('bin/flashback.ts', 'dist/bin/flashback.js');
cpSync('bin/package.json', 'dist/bin/package.json');
chmodSync('dist/bin/flashback.js', 0o755);
for (const document of documents) cpSync(document, `dist/${document}`, { recursive: true });

const manifest = ManifestSchema.parse(JSON.parse(readFileSync('package.json', 'utf8')));
const { scripts: _s, devDependencies: _d, allowScripts: _a, private: _p, ...published } = manifest;
const files = ['bin', 'src', ...documents];
writeFileSync(
  'dist/package.json',
  `${JSON.stringify({ ...published, bin: { flashback: 'bin/flashback.js' }, files }, undefined, 2)}\n`,
);
console.log('dist/ is ready');

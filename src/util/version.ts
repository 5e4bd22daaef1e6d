import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

let known: string | undefined;

/** This program's version, as its package.json says; in a checkout and in the published package alike. */
export function programVersion(): string {
  known ??= readVersion();
  return known;
}

function readVersion(): string {
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) throw new Error('Cannot tell the version: no package.json above the program');
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  throw new Error(`Cannot tell the version: ${path} holds none`);
}

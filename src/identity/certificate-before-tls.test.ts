import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { createIdentity } from './create-identity.ts';

test('a program that reads a certificate before anything else can still open a TLS server', async () => {
  const { certificatePem } = await createIdentity('me@example.com');
  const program = `
    const { readCertificate } = await import(${JSON.stringify(new URL('./certificate.ts', import.meta.url).href)});
    readCertificate(process.env.CERTIFICATE);
    const { createServer } = await import('node:https');
    createServer({});
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, CERTIFICATE: certificatePem },
  });
  assert.equal(status, 0, stderr);
});

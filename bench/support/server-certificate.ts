import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificate } from './certificate-fixtures.ts';

export interface ServerCertificateFiles {
  readonly folder: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

/** Writes a certificate and its key as PEM into a new folder under `parent`: what a server under test is started with. */
export function writeServerCertificate(parent: string, serverName: string): ServerCertificateFiles {
  const folder = mkdtempSync(join(parent, `${serverName}-`));
  const certificatePath = join(folder, 'cert.pem');
  const keyPath = join(folder, 'key.pem');
  const { certificatePem, keyPem } = createCertificate('localhost');
  writeFileSync(certificatePath, certificatePem);
  writeFileSync(keyPath, keyPem, { mode: 0o600 });
  return { folder, certificatePath, keyPath };
}

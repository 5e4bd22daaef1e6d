import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../../util/testing/temporary-folder.ts';
import type { KeyAndCertificate } from '../create-identity.ts';

/** Why tests with certificates of OpenSSL's own making cannot run; false when they can: made for `skip`. */
export const opensslObstacle: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : '`openssl` is not installed';

/**
 * A certificate as people make them by hand: `openssl req -x509 -newkey … -nodes -subj …`.
 *
 * @param subject as `-subj` takes it: `/CN=me@example.com`.
 * @param newKey arguments that say which key: `['-newkey', 'rsa:2048']`.
 */
export async function opensslIdentity(
  subject: string,
  newKey: readonly string[] = ['-newkey', 'rsa:2048'],
  more: readonly string[] = [],
): Promise<KeyAndCertificate> {
  await using folder = await temporaryFolder();
  const [key, certificate] = [join(folder.path, 'client.key'), join(folder.path, 'client.crt')];
  const output = ['-keyout', key, '-out', certificate, '-days', '365', '-nodes', '-subj', subject];
  await promisify(execFile)('openssl', ['req', '-x509', ...newKey, ...output, ...more]);
  return {
    keyPem: await readFile(key, 'utf8'),
    certificatePem: await readFile(certificate, 'utf8'),
  };
}

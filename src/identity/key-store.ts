import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateFolder, privateFileMode, writeFileAtomically } from '../util/atomic-file.ts';
import type { Email } from '../wire/email.ts';
import { type CertificateClaims, checkValidity, readCertificate } from './certificate.ts';
import type { KeyAndCertificate } from './create-identity.ts';

/** Who this program is: the secret key, and what its certificate says. */
export interface Identity extends KeyAndCertificate {
  readonly claims: CertificateClaims;
}

export type IdentityProblem = 'missing' | 'exists' | 'unreadable' | 'mismatch';

export class IdentityError extends Error {
  readonly code: IdentityProblem;

  constructor(code: IdentityProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IdentityError';
    this.code = code;
  }
}

/** File names match what people know from curl: `--cert client.crt --key client.key`. */
export function identityFiles(folder: string): { key: string; certificate: string } {
  return { key: join(folder, 'client.key'), certificate: join(folder, 'client.crt') };
}

/**
 * Reads the identity in `folder`.
 *
 * @throws {IdentityError} `missing` when there is none, `unreadable` when a file is damaged, `mismatch` when key
 * and certificate do not belong together.
 */
export async function loadIdentity(folder: string): Promise<Identity> {
  const files = identityFiles(folder);
  const [keyPem, certificatePem] = await Promise.all([readPart(files.key), readPart(files.certificate)]);
  return checkIdentity({ keyPem, certificatePem }, folder);
}

/** Makes an identity in `folder`; one that is there already is never overwritten. */
export async function createIdentityIn(folder: string, email: Email): Promise<Identity> {
  if (await exists(identityFiles(folder).key))
    throw new IdentityError('exists', `Cannot make an identity: there is one in ${folder} already`);
  const { createIdentity } = await import('./create-identity.ts');
  return saveIdentity(folder, await createIdentity(email));
}

/** Writes key and certificate, mode 0600 in a folder of mode 0700, the key first: a crash leaves no certificate without one. */
export async function saveIdentity(folder: string, parts: KeyAndCertificate): Promise<Identity> {
  const identity = checkIdentity(parts, folder);
  const files = identityFiles(folder);
  await makePrivateFolder(folder);
  await writeFileAtomically(files.key, parts.keyPem);
  await writeFileAtomically(files.certificate, parts.certificatePem);
  return identity;
}

/**
 * The same identity with a fresh certificate for the same key, when the one at hand ends within `renewBeforeExpiryMs`;
 * undefined when there is time. Only ECDSA keys are renewed: others were brought by their owner, who renews them.
 */
export async function renewedIdentity(
  identity: Identity,
  nowMs: number,
): Promise<KeyAndCertificate | undefined> {
  const { createIdentity, renewBeforeExpiryMs } = await import('./create-identity.ts');
  if (identity.claims.notAfterMs - nowMs > renewBeforeExpiryMs) return undefined;
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(identity.keyPem);
  if (asymmetricKeyType !== 'ec' || asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
  return createIdentity(identity.claims.email, { keyPem: identity.keyPem, nowMs });
}

/** @throws {IdentityError | CertificateError} */
export function checkIdentity(parts: KeyAndCertificate, origin: string): Identity {
  const claims = readCertificate(parts.certificatePem);
  let isPair: boolean;
  try {
    isPair = new X509Certificate(parts.certificatePem).checkPrivateKey(createPrivateKey(parts.keyPem));
  } catch (cause) {
    throw new IdentityError('unreadable', `The private key in ${origin} cannot be read`, { cause });
  }
  if (!isPair)
    throw new IdentityError(
      'mismatch',
      `The private key and the certificate in ${origin} do not belong together`,
    );
  return { ...parts, claims };
}

/** Says whether others may read the key, which only its owner should; undefined where the platform has no modes. */
export async function isKeyExposed(folder: string): Promise<boolean | undefined> {
  if (process.platform === 'win32') return undefined;
  const { mode } = await stat(identityFiles(folder).key);
  return (mode & 0o777 & ~privateFileMode) !== 0;
}

/** @throws {CertificateError} when the identity cannot be used at `nowMs`. */
export function checkIdentityValidity(identity: Identity, nowMs: number): void {
  checkValidity(identity.claims, nowMs);
}

async function readPart(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (isMissing(cause))
      throw new IdentityError(
        'missing',
        `There is no identity yet: ${path} does not exist. Run: flashback init`,
        {
          cause,
        },
      );
    throw new IdentityError('unreadable', `Cannot read ${path}`, { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

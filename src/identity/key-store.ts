import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createFileAtomically,
  makePrivateFolder,
  privateFileMode,
  writeFileAtomically,
} from '../util/atomic-file.ts';
import { errorCode } from '../util/error-code.ts';
import { pathExists } from '../util/path-exists.ts';
import type { Email } from '../wire/email.ts';
import { type CertificateClaims, CertificateError, checkValidity, readCertificate } from './certificate.ts';
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
 * @throws {IdentityError} `missing` when there is none, `unreadable` when a file or the key cannot be read, `mismatch`
 * when key and certificate do not belong together; {@link CertificateError} when the certificate cannot stand for a person.
 */
export async function loadIdentity(folder: string): Promise<Identity> {
  const files = identityFiles(folder);
  const keyPem = await readPart(files.key);
  return checkIdentity({ keyPem, certificatePem: await readPart(files.certificate) }, folder);
}

/**
 * Makes an identity in `folder`; one that is there already, or half of one, is never overwritten.
 *
 * @throws {IdentityError} `exists`, also to the second of two programs that make one at the same moment.
 */
export async function createIdentityIn(folder: string, email: Email): Promise<Identity> {
  const files = identityFiles(folder);
  for (const file of [files.key, files.certificate]) if (await pathExists(file)) throw existsError(file);
  const { createIdentity } = await import('./create-identity.ts');
  const parts = await createIdentity(email);
  await makePrivateFolder(folder);
  try {
    await createFileAtomically(files.key, parts.keyPem);
  } catch (error) {
    throw errorCode(error) === 'EEXIST' ? existsError(files.key) : error;
  }
  await writeFileAtomically(files.certificate, parts.certificatePem);
  return checkIdentity(parts, folder);
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
  const claims = readClaims(parts.certificatePem, origin);
  let isPair: boolean;
  try {
    isPair = new X509Certificate(claims.pem).checkPrivateKey(createPrivateKey(parts.keyPem));
  } catch (cause) {
    const hint = /-----BEGIN ENCRYPTED|ENCRYPTED$/m.test(parts.keyPem)
      ? ': it is protected by a passphrase, and a program that starts by itself cannot be asked for one. Remove it with: openssl pkey'
      : '';
    throw new IdentityError('unreadable', `The private key in ${origin} cannot be read${hint}`, { cause });
  }
  if (!isPair)
    throw new IdentityError(
      'mismatch',
      `The private key and the certificate in ${origin} do not belong together`,
    );
  return { ...parts, claims };
}

function readClaims(certificatePem: string, origin: string): CertificateClaims {
  try {
    return readCertificate(certificatePem);
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause;
    throw new CertificateError(cause.code, `Cannot use the identity in ${origin}: ${cause.message}`, {
      cause,
    });
  }
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
    const code = errorCode(cause);
    throw code === 'ENOENT'
      ? new IdentityError(
          'missing',
          `There is no identity yet: ${path} does not exist. Run: flashback init`,
          { cause },
        )
      : new IdentityError('unreadable', `Cannot read ${path} (${String(code)})`, { cause });
  }
}

function existsError(file: string): IdentityError {
  return new IdentityError('exists', `Cannot make an identity: ${file} is there already`);
}

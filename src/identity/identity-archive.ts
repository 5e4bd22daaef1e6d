import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { z } from 'zod';
import type { KeyAndCertificate } from './create-identity.ts';
import { checkIdentity, type Identity } from './key-store.ts';

/** OWASP Password Storage Cheat Sheet (2024): scrypt with N = 2^17, r = 8, p = 1; 128 MB and a few tenths of a second. */
const scryptCost = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;
const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;
/** An archive is an attacker's file until it opened: identity, friends and nothing large. */
export const archiveCharactersMax = 1_048_576;
/** Below this a stolen archive is opened by trying. */
export const passphraseCharactersMin = 10;

export class ArchiveError extends Error {
  readonly code: 'malformed' | 'wrong-passphrase' | 'weak-passphrase';

  constructor(code: ArchiveError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ArchiveError';
    this.code = code;
  }
}

const ArchiveSchema = z.object({
  format: z.literal('flashback-identity'),
  version: z.literal(1),
  salt: z.base64(),
  nonce: z.base64(),
  /** AES-256-GCM ciphertext and its 16-byte tag. */
  sealed: z.base64(),
});

const ContentSchema = z.object({
  keyPem: z.string(),
  certificatePem: z.string(),
  extra: z.unknown().optional(),
});

/** What an archive carries: the identity, and what the daemon wants to take along (friends, pins). */
export interface ArchiveContent {
  readonly identity: Identity;
  readonly extra?: unknown;
}

/** Seals an identity under a passphrase: scrypt (RFC 7914), AES-256-GCM; the result is one JSON document. */
export async function exportIdentity(
  content: { readonly parts: KeyAndCertificate; readonly extra?: unknown },
  passphrase: string,
): Promise<string> {
  if (passphrase.length < passphraseCharactersMin)
    throw new ArchiveError(
      'weak-passphrase',
      `The passphrase has ${passphrase.length} characters, at least ${passphraseCharactersMin} are needed`,
    );
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', await deriveKey(passphrase, salt), nonce);
  const { keyPem, certificatePem } = content.parts;
  const plain = JSON.stringify({ keyPem, certificatePem, extra: content.extra });
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  const archive: z.infer<typeof ArchiveSchema> = {
    format: 'flashback-identity',
    version: 1,
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    sealed: sealed.toString('base64'),
  };
  return `${JSON.stringify(archive, undefined, 2)}\n`;
}

/**
 * @throws {ArchiveError} `malformed` or `wrong-passphrase`; nothing is learnt from the file before it authenticated.
 * {@link IdentityError} or {@link CertificateError} when what was sealed is no identity that can be used.
 */
export async function importIdentity(text: string, passphrase: string): Promise<ArchiveContent> {
  const archive = parseArchive(text);
  const sealed = Buffer.from(archive.sealed, 'base64');
  const key = await deriveKey(passphrase, Buffer.from(archive.salt, 'base64'));
  let plain: string;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(archive.nonce, 'base64'), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    plain = decipher.update(sealed.subarray(0, -tagBytes), undefined, 'utf8') + decipher.final('utf8');
  } catch (cause) {
    throw new ArchiveError('wrong-passphrase', 'The passphrase is wrong, or the archive was altered', {
      cause,
    });
  }
  const { keyPem, certificatePem, extra } = parseContent(plain);
  return { identity: checkIdentity({ keyPem, certificatePem }, 'the archive'), extra };
}

function parseArchive(text: string): z.infer<typeof ArchiveSchema> {
  if (text.length > archiveCharactersMax)
    throw new ArchiveError('malformed', `Not an identity archive: it is longer than ${archiveCharactersMax}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ArchiveError('malformed', 'Not an identity archive: it is not JSON', { cause });
  }
  const parsed = ArchiveSchema.safeParse(value);
  if (!parsed.success)
    throw new ArchiveError('malformed', 'Not an identity archive that this version of flashback can read');
  return parsed.data;
}

function parseContent(plain: string): z.infer<typeof ContentSchema> {
  try {
    return ContentSchema.parse(JSON.parse(plain));
  } catch (cause) {
    throw new ArchiveError('malformed', 'The archive was opened, and holds no identity', { cause });
  }
}

function deriveKey(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // NFKC: the same passphrase typed on another keyboard or system is the same bytes.
    scrypt(passphrase.normalize('NFKC'), salt, keyBytes, scryptCost, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerCertificate, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { type Fingerprint, fingerprintOf } from '../../identity/fingerprint.ts';
import { makePrivateFolder, writeFileAtomically } from '../../util/atomic-file.ts';
import { pathExists } from '../../util/path-exists.ts';

export interface ServerCertificate extends KeyAndCertificate {
  readonly fingerprint: Fingerprint;
  /** Nobody else vouches for it: clients must pin the fingerprint. */
  readonly isSelfSigned: boolean;
}

/** Clients pin it, so changing it is an event for all of them: it lives as long as a relay might. */
const selfSignedValidityMs = 20 * 365 * 86_400_000;

/**
 * The certificate that the operator gave, to be read again on SIGHUP.
 *
 * @throws an error that names the file which is missing, cannot be read, or does not belong to the other.
 */
export async function readServerCertificate(
  certificateFile: string,
  keyFile: string,
): Promise<ServerCertificate> {
  const certificatePem = await readPart(certificateFile);
  return describe({ certificatePem, keyPem: await readPart(keyFile) }, certificateFile, keyFile);
}

/** The relay's own certificate: made at the first start, kept in the data folder. */
export async function ownServerCertificate(
  dataFolder: string,
  hostNames: readonly string[],
): Promise<ServerCertificate> {
  const certificateFile = join(dataFolder, 'relay.crt');
  const keyFile = join(dataFolder, 'relay.key');
  // The certificate is written last: without it there never was one, with it there is one that clients have pinned.
  if (await pathExists(certificateFile)) return readServerCertificate(certificateFile, keyFile);
  const made = await createServerCertificate(hostNames, { validityMs: selfSignedValidityMs });
  await makePrivateFolder(dataFolder);
  await writeFileAtomically(keyFile, made.keyPem);
  await writeFileAtomically(certificateFile, made.certificatePem);
  return describe(made, certificateFile, keyFile);
}

async function readPart(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot read the relay's certificate or its key: ${reason}`, { cause });
  }
}

function describe(parts: KeyAndCertificate, certificateFile: string, keyFile: string): ServerCertificate {
  const certificate = readX509(parts.certificatePem, certificateFile);
  if (!isPair(certificate, parts.keyPem, keyFile))
    throw new Error(
      `The relay's certificate ${certificateFile} and the key ${keyFile} do not belong together`,
    );
  return {
    ...parts,
    fingerprint: fingerprintOf(certificate),
    // `checkIssued` says no here: it wants the right to sign certificates, which an end entity has not.
    isSelfSigned: certificate.verify(certificate.publicKey),
  };
}

function readX509(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`Cannot read the relay's certificate in ${file}: it is not a PEM certificate`, { cause });
  }
}

function isPair(certificate: X509Certificate, keyPem: string, keyFile: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch (cause) {
    throw new Error(
      `Cannot read the relay's key in ${keyFile}: it is not a PEM private key without passphrase`,
      {
        cause,
      },
    );
  }
}

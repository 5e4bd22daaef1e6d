import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServerCertificate, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { type Fingerprint, fingerprintOf } from '../../identity/fingerprint.ts';
import { makePrivateFolder, writeFileAtomically } from '../../util/atomic-file.ts';

export interface ServerCertificate extends KeyAndCertificate {
  readonly fingerprint: Fingerprint;
  /** Nobody else vouches for it: clients must pin the fingerprint. */
  readonly isSelfSigned: boolean;
}

/** Clients pin it, so changing it is an event for all of them: it lives as long as a relay might. */
const selfSignedValidityMs = 20 * 365 * 86_400_000;

/** The certificate that the operator gave, to be read again on SIGHUP. */
export async function readServerCertificate(
  certificateFile: string,
  keyFile: string,
): Promise<ServerCertificate> {
  const [certificatePem, keyPem] = await Promise.all([
    readFile(certificateFile, 'utf8'),
    readFile(keyFile, 'utf8'),
  ]);
  return describe({ certificatePem, keyPem }, certificateFile);
}

/** The relay's own certificate: made at the first start, kept in the data folder. */
export async function ownServerCertificate(
  dataFolder: string,
  hostNames: readonly string[],
): Promise<ServerCertificate> {
  const certificateFile = join(dataFolder, 'relay.crt');
  const keyFile = join(dataFolder, 'relay.key');
  try {
    return await readServerCertificate(certificateFile, keyFile);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const made = await createServerCertificate(hostNames, { validityMs: selfSignedValidityMs });
  await makePrivateFolder(dataFolder);
  await writeFileAtomically(keyFile, made.keyPem);
  await writeFileAtomically(certificateFile, made.certificatePem);
  return describe(made, certificateFile);
}

function describe(parts: KeyAndCertificate, origin: string): ServerCertificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(parts.certificatePem);
  } catch (cause) {
    throw new Error(`Cannot read the relay's certificate in ${origin}: it is not a PEM certificate`, {
      cause,
    });
  }
  return {
    ...parts,
    fingerprint: fingerprintOf(certificate),
    // `checkIssued` says no here: it wants the right to sign certificates, which an end entity has not.
    isSelfSigned: certificate.verify(certificate.publicKey),
  };
}

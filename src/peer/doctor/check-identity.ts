import { CertificateError } from '../../identity/certificate.ts';
import {
  type Identity,
  IdentityError,
  identityFiles,
  isKeyExposed,
  loadIdentity,
} from '../../identity/key-store.ts';
import type { Finding } from '../../wire/local-api.ts';
import { failure, fine, reasonOf } from './finding.ts';

const check = 'identity';

/** Is there one, can it be read, and can others read it? */
export async function checkIdentity(
  folder: string,
  configuredEmail: string | undefined,
): Promise<{ findings: Finding[]; identity?: Identity }> {
  let identity: Identity;
  try {
    identity = await loadIdentity(folder);
  } catch (error) {
    return { findings: [judgeLoadError(error, folder)] };
  }
  const findings = [
    ...(await checkExposure(folder)),
    ...judgeEmail(identity.claims.email, configuredEmail, folder),
  ];
  if (findings.length === 0) findings.push(fine(check, `you are ${identity.claims.email}`));
  return { findings, identity };
}

function judgeLoadError(error: unknown, folder: string): Finding {
  if (error instanceof IdentityError && error.code === 'missing')
    return failure(check, {
      code: 'not_initialised',
      message: `There is no identity in ${folder} yet`,
      advice: 'Make one: flashback init. Or bring yours from another machine: flashback identity import FILE',
    });
  if (error instanceof IdentityError || error instanceof CertificateError)
    return failure(check, {
      code: 'identity_unreadable',
      message: `The identity in ${folder} cannot be used: ${error.message}`,
      advice: `Put client.key and client.crt back from a backup, or import an archive: flashback identity import FILE --replace`,
    });
  throw error;
}

async function checkExposure(folder: string): Promise<Finding[]> {
  const { key } = identityFiles(folder);
  let isExposed: boolean | undefined;
  try {
    isExposed = await isKeyExposed(folder);
  } catch (error) {
    return [
      failure(check, {
        code: 'identity_unreadable',
        message: `Cannot look at ${key}: ${reasonOf(error)}`,
        advice: 'Check that the folder and the file are yours',
      }),
    ];
  }
  if (isExposed !== true) return [];
  return [
    failure(check, {
      code: 'identity_exposed',
      message: `Other users of this machine may read your private key ${key}, and could pose as you`,
      advice: `Close it: chmod 600 "${key}". If somebody else uses this machine, make a new identity`,
    }),
  ];
}

function judgeEmail(email: string, configured: string | undefined, folder: string): Finding[] {
  if (configured === undefined || configured === email) return [];
  return [
    failure(check, {
      code: 'config_invalid',
      message: `The settings say that you are ${configured}, and the certificate in ${folder} says ${email}`,
      advice: `Correct the setting: flashback config set email ${email}`,
    }),
  ];
}

import { readFile, stat } from 'node:fs/promises';
import type { TLSSocket } from 'node:tls';
import { connectPinned, type Expected, PeerMismatchError } from '../identity/connect-pinned.ts';
import {
  createIdentityIn,
  type Identity,
  IdentityError,
  identityFiles,
  loadIdentity,
  saveIdentity,
} from '../identity/key-store.ts';
import { safetyWords } from '../identity/safety-words.ts';
import { makePrivateFolder } from '../util/atomic-file.ts';
import { withDeadline } from '../util/deadline.ts';
import { errorCode } from '../util/error-code.ts';
import type { DataFolders } from '../util/platform/data-folder.ts';
import { type Email, parseEmail } from '../wire/email.ts';
import type { RelayUrl } from '../wire/relay-url.ts';
import type { SettingName } from '../wire/settings.ts';
import { configFileOf, loadSettings, saveSettings } from './settings/load-settings.ts';
import { SettingsError } from './settings/settings-error.ts';

export interface InitialiseOptions {
  readonly folders: DataFolders;
  readonly environment: NodeJS.ProcessEnv;
  readonly currentDirectory: string;
  /** What the person chose, as text; what is not given stays as it is. */
  readonly choices: Readonly<Partial<Record<InitialSetting, string>>>;
}

type InitialSetting = Extract<
  SettingName,
  'email' | 'relayTrackerUrl' | 'fileRootDirectory' | 'certificatePath' | 'policy' | 'announce'
>;

/** Who this folder belongs to, and what was chosen. */
export interface Initialised {
  readonly email: string;
  /** Of the certificate: 64 hex digits. */
  readonly fingerprint: string;
  readonly safetyWords: readonly string[];
  /** False when the identity was there already: then only settings changed. */
  readonly isNew: boolean;
  readonly identityFolder: string;
  readonly configFile: string;
  readonly house?: string;
  /** False when the folder to share does not exist (yet): visitors are told that it is away. */
  readonly isHouseThere: boolean;
  readonly relay?: string;
}

/**
 * Makes key, certificate and config file where there are none (mission C1), and changes the settings that were chosen.
 * An identity that is there is never replaced.
 *
 * @throws {SettingsError} when a choice cannot be used; {@link IdentityError} `exists` when the identity there is
 * another person's, `missing` when no e-mail was given to make one. Then nothing was changed.
 */
export async function initialise(options: InitialiseOptions): Promise<Initialised> {
  const { folders, currentDirectory, choices } = options;
  const before = await loadSettings({ ...options, flags: choices });
  const { identityFolder } = before;
  const there = await loadIdentityIfAny(identityFolder);
  const email = before.settings.email ?? there?.claims.email;
  if (email === undefined)
    throw new SettingsError(['Cannot make an identity without an e-mail: give --email']);
  if (there !== undefined && there.claims.email !== email)
    throw new IdentityError(
      'exists',
      `The identity in ${identityFolder} is ${there.claims.email}'s, not ${email}'s. ` +
        'To be somebody else as well, set FLASHBACK_HOME to another folder',
    );
  const house = before.settings.fileRootDirectory;
  const isHouseThere = house !== undefined && (await isFolder(house));
  await makePrivateFolder(folders.data);
  const identity = there ?? (await makeIdentity(identityFolder, email));
  await saveSettings({ ...choices, email }, { folders, currentDirectory });
  const { relayTrackerUrl } = before.settings;
  return {
    email,
    fingerprint: identity.claims.fingerprint,
    safetyWords: safetyWords(identity.claims.fingerprint),
    isNew: there === undefined,
    identityFolder,
    configFile: configFileOf(folders),
    isHouseThere,
    ...(house !== undefined && { house }),
    ...(relayTrackerUrl !== undefined && { relay: relayTrackerUrl }),
  };
}

/** Why `email` cannot be somebody's e-mail, for a prompt that asks again. */
export function emailProblem(email: string): string | undefined {
  const parsed = parseEmail(email.trim());
  return 'problem' in parsed ? parsed.problem : undefined;
}

/** What a relay's certificate says when its URL carries no fingerprint. */
export type RelayLook =
  /** A certificate authority of this machine vouches for it. */
  | { readonly kind: 'authority' }
  /** Nobody vouches for it: the person compares the fingerprint with what the operator says. */
  | { readonly kind: 'self-signed'; readonly fingerprint: string }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Long enough for a slow network, short enough for somebody who waits at a prompt. */
const lookTimeoutMs = 8000;

/** Connects to a relay to see its certificate; sends nothing but the handshakes. */
export async function lookAtRelay(url: RelayUrl, signal: AbortSignal): Promise<RelayLook> {
  const { host, port } = url;
  const connect = (expected: Expected): Promise<TLSSocket> =>
    withDeadline(`Cannot reach ${host}:${port}`, lookTimeoutMs, signal, (deadline) =>
      connectPinned({ host, port, expected, signal: deadline }),
    );
  try {
    (await connect({ kind: 'authority' })).destroy();
    return { kind: 'authority' };
  } catch (error) {
    if (!isUntrustedCertificate(error)) return { kind: 'unreachable', reason: messageOf(error) };
  }
  try {
    // No fingerprint is expected, so whatever is shown ends in the mismatch that tells it.
    (await connect({ kind: 'pinned', fingerprints: [] })).destroy();
    return { kind: 'unreachable', reason: 'it changed its certificate while being asked' };
  } catch (error) {
    if (error instanceof PeerMismatchError && error.presented !== undefined)
      return { kind: 'self-signed', fingerprint: error.presented };
    return { kind: 'unreachable', reason: messageOf(error) };
  }
}

/** OpenSSL's verification errors for a chain that ends in no known authority (X509_V_ERR_…). */
const untrustedCodes = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
];

function isUntrustedCertificate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && untrustedCodes.includes(String(error.code));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A key without a certificate is what a crash between the two leaves: it gets the certificate it was made for. */
async function makeIdentity(folder: string, email: Email): Promise<Identity> {
  const keyPem = await readIfThere(identityFiles(folder).key);
  if (keyPem === undefined) return createIdentityIn(folder, email);
  const { createIdentity } = await import('../identity/create-identity.ts');
  try {
    return await saveIdentity(folder, await createIdentity(email, { keyPem }));
  } catch (cause) {
    throw new IdentityError(
      'unreadable',
      `${folder} holds a key without a certificate, and none can be made for it. Put its client.crt beside it, or move the key away`,
      { cause },
    );
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function loadIdentityIfAny(folder: string): Promise<Identity | undefined> {
  try {
    return await loadIdentity(folder);
  } catch (error) {
    if (error instanceof IdentityError && error.code === 'missing') return undefined;
    throw error;
  }
}

/** @throws {SettingsError} when something else than a folder is there. */
async function isFolder(path: string): Promise<boolean> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  if (found.isDirectory()) return true;
  throw new SettingsError([`Cannot share ${path}: it is not a folder`]);
}

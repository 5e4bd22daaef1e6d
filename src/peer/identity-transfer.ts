import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { archiveCharactersMax, exportIdentity, importIdentity } from '../identity/identity-archive.ts';
import {
  type Identity,
  IdentityError,
  identityFiles,
  loadIdentity,
  saveIdentity,
} from '../identity/key-store.ts';
import { safetyWords } from '../identity/safety-words.ts';
import { makePrivateFolder, privateFolderMode, writeFileAtomically } from '../util/atomic-file.ts';
import { errorCode } from '../util/error-code.ts';
import type { DataFolders } from '../util/platform/data-folder.ts';
import { type Email, EmailSchema } from '../wire/email.ts';
import { loadSettings, saveSettings } from './settings/load-settings.ts';
import type { KnownPeer } from './state/known-peers.ts';
import { StateStore } from './state/state-store.ts';

/** Where this user's files and settings are found. */
export interface TransferSurroundings {
  readonly folders: DataFolders;
  readonly environment: NodeJS.ProcessEnv;
  readonly currentDirectory: string;
}

/** Who this user is, for people to read. */
export interface IdentityCard {
  readonly email: Email;
  readonly fingerprint: string;
  readonly safetyWords: readonly string[];
  /** RFC 3339. */
  readonly validFrom: string;
  readonly validUntil: string;
  readonly folder: string;
}

/** What goes along with the identity. Certificates do not: the key's hash recognises them, and each friend shows its own. */
const ExtraSchema = z.object({
  friends: z
    .array(
      z.object({
        email: EmailSchema,
        fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
        publicKeyHash: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .optional(),
        friendSinceMs: z.number().optional(),
      }),
    )
    .default([]),
});
type Extra = z.output<typeof ExtraSchema>;

/** @throws {IdentityError | CertificateError} */
export async function readIdentityCard(surroundings: TransferSurroundings): Promise<IdentityCard> {
  const { identityFolder } = await loadSettings(surroundings);
  const { claims } = await loadIdentity(identityFolder);
  return {
    email: claims.email,
    fingerprint: claims.fingerprint,
    safetyWords: safetyWords(claims.fingerprint),
    validFrom: new Date(claims.notBeforeMs).toISOString(),
    validUntil: new Date(claims.notAfterMs).toISOString(),
    folder: identityFolder,
  };
}

/**
 * One encrypted document that holds identity and friends.
 *
 * @throws {ArchiveError} `weak-passphrase`
 */
export async function exportArchive(
  identity: Identity,
  friends: readonly KnownPeer[],
  passphrase: string,
): Promise<string> {
  const extra: Extra = {
    friends: friends.map(({ email, fingerprint, publicKeyHash, friendSinceMs, pinnedAtMs }) => ({
      email,
      fingerprint,
      ...(publicKeyHash !== undefined && { publicKeyHash }),
      friendSinceMs: friendSinceMs ?? pinnedAtMs,
    })),
  };
  const archive = await exportIdentity({ parts: identity, extra }, passphrase);
  // An archive that could not be read back would be found out when it is needed.
  if (archive.length > archiveCharactersMax)
    throw new Error(
      `Cannot export ${friends.length} friends: the archive has ${archive.length} characters, ${archiveCharactersMax} is the limit`,
    );
  return archive;
}

/** The same where no daemon runs. @throws {StateError} `in_use` when one does. */
export async function exportFromFolder(
  surroundings: TransferSurroundings,
  passphrase: string,
): Promise<string> {
  const { identityFolder } = await loadSettings(surroundings);
  const identity = await loadIdentity(identityFolder);
  using state = StateStore.open(surroundings.folders.data);
  return exportArchive(identity, state.peers.friends(), passphrase);
}

export interface ImportOptions extends TransferSurroundings {
  readonly archive: string;
  readonly passphrase: string;
  /** Takes the place of another identity, which is kept beside it. */
  readonly isReplacing: boolean;
  readonly nowMs?: number;
}

export interface Imported {
  readonly card: IdentityCard;
  readonly friendsImported: number;
  /** Friends that were here already stay as they are. */
  readonly friendsKept: number;
  /** Folder of the identity that was replaced. */
  readonly backupFolder?: string;
}

/**
 * Takes over the identity and the friends of an archive. Everything is read and checked before anything is written, and an
 * import that was cut short can be run again.
 *
 * @throws {ArchiveError} for the archive; {@link IdentityError} `exists` when there is another identity and `isReplacing`
 * is not set; {@link StateError} `in_use` while the daemon runs.
 */
export async function importArchive(options: ImportOptions): Promise<Imported> {
  const { folders, archive, passphrase, isReplacing, nowMs = Date.now() } = options;
  const { identity, extra } = await importIdentity(archive, passphrase);
  const { friends } = ExtraSchema.parse(extra ?? {});
  const { identityFolder, settings } = await loadSettings(options);
  const there = await look(identityFolder);
  const isSame =
    there.kind === 'identity' && there.identity.claims.fingerprint === identity.claims.fingerprint;
  if (there.kind !== 'nothing' && !isSame && !isReplacing)
    throw new IdentityError(
      'exists',
      `There is ${there.kind === 'identity' ? `an identity of ${there.identity.claims.email}` : 'a damaged identity'} in ${identityFolder}. To put the archive's (${identity.claims.email}) in its place, add --replace; the old one is kept`,
    );
  await makePrivateFolder(folders.data);
  // The lock is the daemon's: while it runs, it would go on as the old identity.
  using state = StateStore.open(folders.data);
  const backupFolder =
    there.kind === 'nothing' || isSame
      ? undefined
      : await keepOld(identityFolder, state.peers.friends(), nowMs);
  await saveIdentity(identityFolder, identity);
  const { email } = identity.claims;
  if (settings.email !== email) await saveSettings({ email }, options);
  const isOtherPerson = there.kind === 'identity' && there.identity.claims.email !== email;
  const friendsImported = importFriends(state, friends, isOtherPerson, nowMs);
  return {
    card: await readIdentityCard(options),
    friendsImported,
    friendsKept: friends.length - friendsImported,
    ...(backupFolder !== undefined && { backupFolder }),
  };
}

/** @param isOtherPerson the friends here are somebody else's, and are none of the new owner's. */
function importFriends(
  state: StateStore,
  friends: Extra['friends'],
  isOtherPerson: boolean,
  nowMs: number,
): number {
  return state.transaction(() => {
    if (isOtherPerson) for (const { email } of state.peers.friends()) state.peers.unmakeFriend(email);
    let imported = 0;
    for (const { email, fingerprint, publicKeyHash, friendSinceMs = nowMs } of friends) {
      if (state.peers.get(email)?.friendSinceMs !== undefined) continue;
      const pin = { fingerprint, ...(publicKeyHash !== undefined && { publicKeyHash }) };
      state.peers.pin(email, pin, 'import', nowMs);
      state.peers.makeFriend(email, friendSinceMs);
      imported += 1;
    }
    return imported;
  });
}

type Found =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'identity'; readonly identity: Identity };

async function look(folder: string): Promise<Found> {
  try {
    return { kind: 'identity', identity: await loadIdentity(folder) };
  } catch (error) {
    if (!(error instanceof IdentityError) || error.code !== 'missing') return { kind: 'damaged' };
    // A key without its certificate is worth keeping, too.
    return (await isThere(identityFiles(folder).key)) ? { kind: 'damaged' } : { kind: 'nothing' };
  }
}

/** Copies what will be replaced into a new folder beside it, and the friends in plain JSON. @returns the folder. */
async function keepOld(folder: string, friends: readonly KnownPeer[], nowMs: number): Promise<string> {
  const time = new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-');
  const backup = `${folder}-replaced-${time}`;
  await mkdir(backup, { mode: privateFolderMode });
  const from = identityFiles(folder);
  const to = identityFiles(backup);
  for (const part of ['key', 'certificate'] as const) {
    if (await isThere(from[part])) await copyFile(from[part], to[part]);
  }
  await writeFileAtomically(join(backup, 'friends.json'), `${JSON.stringify(friends, undefined, 2)}\n`);
  return backup;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

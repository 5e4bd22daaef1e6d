import type { Command } from 'commander';
import { printable } from '../../util/printable.ts';
import {
  type FriendRequest,
  FriendRequestsSchema,
  FriendsSchema,
  localApiPaths,
  type Peer,
  PeerSchema,
} from '../../wire/local-api.ts';
import { CommandError, usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import { asDefault } from '../default-command.ts';
import { canAsk, confirm } from '../prompt.ts';
import { formatAge } from '../render/quantities.ts';
import { renderTable } from '../render/table.ts';
import { renderPeers, requireEmail } from './peers.ts';

const jsonFlag = ['--json', 'print the result as lines of JSON'] as const;

interface FingerprintOption {
  readonly fingerprint?: string;
}

export function declareFriends(command: Command, context: CommandContext): void {
  command.option(...jsonFlag).addHelpText(
    'after',
    `
Friends may visit your house under every policy, and are asked once a minute whether they are there. At the first
contact the relay's word about their certificate is taken and kept; compare the safety words with them by phone.

Examples:
  flashback friends
  flashback friends add anna@example.com
  flashback friends requests
  flashback friends accept ben@example.com`,
  );
  const listing = command
    .command('list', { isDefault: true })
    .description('your friends and whether they are there')
    .option(...jsonFlag);
  asDefault(listing, () => list(context));
  command
    .command('add <email>')
    .description('make somebody a friend')
    .option('--fingerprint <hex>', "their certificate's, as they told you: checked before anything is kept")
    .option(...jsonFlag)
    .action((email: string, options: FingerprintOption) => add(email, options, context));
  command
    .command('remove <email>')
    .description('no longer a friend')
    .option(...jsonFlag)
    .action((email: string) => remove(email, context));
  command
    .command('requests')
    .description('who knocked and waits for your answer')
    .option(...jsonFlag)
    .action(() => requests(context));
  command
    .command('accept <email>')
    .description('make somebody who knocked a friend')
    .option(...jsonFlag)
    .action((email: string) => accept(email, context));
  command
    .command('refuse <email>')
    .description('turn somebody who knocked away')
    .option(...jsonFlag)
    .action((email: string) => refuse(email, context));
  command
    .command('trust <email>')
    .description('take the new identity of a friend whose certificate changed')
    .option('--fingerprint <hex>', 'the new one, as they told you; needed where nobody can be asked')
    .option(...jsonFlag)
    .action((email: string, options: FingerprintOption) => trust(email, options, context));
}

function friendPath(email: string): string {
  return `${localApiPaths.friends}/${encodeURIComponent(requireEmail(email))}`;
}

function requestPath(email: string, answer: 'accept' | 'refuse'): string {
  return `${localApiPaths.requests}/${encodeURIComponent(requireEmail(email))}/${answer}`;
}

async function list(context: CommandContext): Promise<void> {
  const { output } = context;
  const daemon = await DaemonClient.open(context);
  const { friends } = await daemon.ask(FriendsSchema, { path: localApiPaths.friends });
  for (const friend of friends) output.object(friend);
  if (friends.length === 0) output.note('You have no friends here yet: flashback friends add EMAIL');
  else for (const line of renderPeers(friends, output, Date.now())) output.line(line);
}

async function add(email: string, options: FingerprintOption, context: CommandContext): Promise<void> {
  const request = { method: 'PUT', path: friendPath(email), body: fingerprintBody(options) } as const;
  const daemon = await DaemonClient.open(context);
  const friend = await daemon.ask(PeerSchema, request);
  showFriend(friend, 'is a friend now', context);
}

async function remove(email: string, context: CommandContext): Promise<void> {
  const path = friendPath(email);
  const daemon = await DaemonClient.open(context);
  await daemon.tell({ method: 'DELETE', path });
  context.output.result(`${email} is no friend any more`, { event: 'removed', email: requireEmail(email) });
}

async function requests(context: CommandContext): Promise<void> {
  const { output } = context;
  const daemon = await DaemonClient.open(context);
  const { requests: waiting } = await daemon.ask(FriendRequestsSchema, { path: localApiPaths.requests });
  for (const request of waiting) output.object(request);
  if (waiting.length === 0) output.note('Nobody waits for an answer');
  else for (const line of renderRequests(waiting, context)) output.line(line);
}

async function accept(email: string, context: CommandContext): Promise<void> {
  const path = requestPath(email, 'accept');
  const daemon = await DaemonClient.open(context);
  const friend = await daemon.ask(PeerSchema, { method: 'POST', path });
  showFriend(friend, 'is a friend now and may visit', context);
}

async function refuse(email: string, context: CommandContext): Promise<void> {
  const path = requestPath(email, 'refuse');
  const daemon = await DaemonClient.open(context);
  await daemon.tell({ method: 'POST', path });
  context.output.result(`${email} was turned away`, { event: 'refused', email: requireEmail(email) });
}

async function trust(email: string, options: FingerprintOption, context: CommandContext): Promise<void> {
  const { output } = context;
  const path = friendPath(email);
  const daemon = await DaemonClient.open(context);
  const fingerprint = options.fingerprint ?? (await askFingerprint(daemon, email, context));
  const friend = await daemon.ask(PeerSchema, {
    method: 'PUT',
    path,
    body: { ...fingerprintBody({ fingerprint }), acceptChange: true },
  });
  showFriend(friend, 'is trusted with the new identity', context);
  output.note('The old certificate is not accepted any more.');
}

async function askFingerprint(daemon: DaemonClient, email: string, context: CommandContext): Promise<string> {
  const { output } = context;
  if (!canAsk(context))
    throw usageError(
      'A changed identity is not trusted without --fingerprint',
      'Ask your friend for the new fingerprint, by another way than this (they see it with: flashback identity show)',
    );
  const peer = await daemon.ask(PeerSchema, {
    path: `${localApiPaths.peers}/${encodeURIComponent(requireEmail(email))}`,
    query: { check: '1' },
  });
  const { changedFingerprint } = peer;
  if (changedFingerprint === undefined)
    throw new CommandError(
      'not_found',
      `The identity of ${peer.email} has not changed: there is nothing to trust anew`,
    );
  output.note(`${peer.email} was known by  ${peer.fingerprint ?? 'no fingerprint'}`);
  output.note(`somebody there shows  ${changedFingerprint}`);
  if (peer.changedSafetyWords !== undefined)
    output.note(`                      ${printable(peer.changedSafetyWords.join(' '))}`);
  if (
    await confirm(context, 'Has your friend told you this new fingerprint, by another way than this?', false)
  )
    return changedFingerprint;
  throw new CommandError('refused', 'The new identity was not trusted, and nothing was changed');
}

function fingerprintBody({ fingerprint }: FingerprintOption): { fingerprint?: string } {
  if (fingerprint === undefined) return {};
  // OpenSSL prints AA:BB:…, which is the same.
  const hex = fingerprint.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { fingerprint: hex };
  throw usageError(`--fingerprint must be 64 hex digits (SHA-256), with or without colons`);
}

function showFriend(friend: Peer, what: string, { output }: CommandContext): void {
  output.object(friend);
  output.line(`${friend.email} ${what}`);
  if (friend.safetyWords !== undefined)
    output.line(`Compare by phone: ${printable(friend.safetyWords.join(' '))}`);
}

function renderRequests(waiting: readonly FriendRequest[], { output }: CommandContext): string[] {
  const nowMs = Date.now();
  return renderTable({
    columns: [
      { title: 'E-MAIL' },
      { title: 'LAST' },
      { title: 'TIMES', align: 'right' },
      { title: 'FROM' },
      { title: 'SAFETY WORDS' },
    ],
    rows: waiting.map(({ email, lastAt, times, address, safetyWords }) => [
      email,
      formatAge(lastAt, nowMs),
      String(times),
      printable(address),
      printable(safetyWords.join(' ')),
    ]),
    width: output.isTerminal ? output.columns : undefined,
  });
}

import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { sleep } from '../../util/deadline.ts';
import { printable } from '../../util/printable.ts';
import { type Email, parseEmail } from '../../wire/email.ts';
import { localApiPaths, type Peer, PeerSchema, PeersSchema } from '../../wire/local-api.ts';
import { usageError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import type { Output } from '../output.ts';
import { exitUnlessOnline } from '../peer-status.ts';
import { formatAge } from '../render/quantities.ts';
import { renderTable } from '../render/table.ts';

interface PeersOptions {
  readonly watch?: boolean;
  readonly interval?: string;
  readonly json?: boolean;
}

/** The daemon answers from memory; a person sees a change soon enough. */
const watchSecondsDefault = '2';
/** A day: what is longer is no watching, and no timer of Node. */
const watchSecondsMax = 86_400;
const clearScreen = '\u001b[H\u001b[2J';

export function declarePeers(command: Command, context: CommandContext): void {
  command
    .argument('[email]', 'check this one now, and exit with 4 when it is not there')
    .option('-w, --watch', 'go on showing them until Ctrl-C; with --json a line for each change')
    .option('--interval <seconds>', 'how often to look again while watching', watchSecondsDefault)
    .option('--json', 'print one line of JSON a peer')
    .addHelpText(
      'after',
      `
Status is online, offline, checking or error. Friends are online when they answer. Others are shown announced when the
relay announces them: nobody has asked them, and with --json they are online.

Examples:
  flashback peers --watch
  flashback peers anna@example.com && flashback ls anna@example.com:/`,
    )
    .action(async (email: string | undefined, options: PeersOptions) => {
      const intervalMs = readInterval(options.interval ?? watchSecondsDefault);
      const daemon = await DaemonClient.open(context);
      if (email !== undefined) await checkOne(daemon, requireEmail(email), context);
      else if (options.watch === true) await watch(daemon, intervalMs, context);
      else showAll(await daemon.ask(PeersSchema, { path: localApiPaths.peers }), context.output);
    });
}

export function requireEmail(text: string): Email {
  const parsed = parseEmail(text);
  if ('problem' in parsed) throw usageError(`"${printable(text)}" is not an e-mail: ${parsed.problem}`);
  return parsed.email;
}

async function checkOne(daemon: DaemonClient, email: Email, { output }: CommandContext): Promise<void> {
  const peer = await daemon.ask(PeerSchema, {
    path: `${localApiPaths.peers}/${encodeURIComponent(email)}`,
    query: { check: '1' },
  });
  output.object(peer);
  for (const line of renderPeers([peer], output, Date.now())) output.line(line);
  exitUnlessOnline(peer);
}

interface PeerList {
  readonly peers: readonly Peer[];
  readonly relayProblem?: string | undefined;
}

function showAll({ peers, relayProblem }: PeerList, output: Output): void {
  for (const peer of peers) output.object(peer);
  if (peers.length > 0) for (const line of renderPeers(peers, output, Date.now())) output.line(line);
  else
    output.note(
      'Nobody is announced at the relay, and you have no friends here yet: flashback friends add EMAIL',
    );
  if (relayProblem !== undefined)
    output.warning(`The relay could not be asked, so only friends are listed: ${printable(relayProblem)}`);
}

function readInterval(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= watchSecondsMax) return seconds * 1000;
  throw usageError(`--interval is "${printable(text)}": allowed is a number of seconds above 0`);
}

async function watch(
  daemon: DaemonClient,
  intervalMs: number,
  { output, interrupted }: CommandContext,
): Promise<void> {
  let shown = new Map<string, Peer>();
  while (!interrupted.aborted) {
    const list = await daemon.ask(PeersSchema, { path: localApiPaths.peers });
    if (output.isJson) {
      for (const peer of list.peers) if (!isSame(shown.get(peer.email), peer)) output.object(peer);
      const listed = new Set(list.peers.map(({ email }) => email));
      for (const [email, peer] of shown)
        if (!listed.has(email)) output.object({ ...peer, status: 'offline' });
    } else {
      if (output.isTerminal) output.stdout.write(clearScreen);
      showAll(list, output);
    }
    shown = new Map(list.peers.map((peer) => [peer.email, peer]));
    await sleep(intervalMs, interrupted);
  }
}

/** The time of a check that found the same is no change. */
function isSame(before: Peer | undefined, after: Peer): boolean {
  const essence = (peer: Peer): object => ({
    ...peer,
    checkedAt: undefined,
    lastSeen: undefined,
    roundTripMs: undefined,
  });
  return before !== undefined && isDeepStrictEqual(essence(before), essence(after));
}

const colourByStatus = {
  online: 'green',
  announced: 'cyan',
  offline: 'dim',
  checking: 'yellow',
  error: 'red',
} as const;

/** A table of peers; words from other machines are made printable. */
export function renderPeers(
  peers: readonly Peer[],
  output: Pick<Output, 'paint' | 'isTerminal' | 'columns'>,
  nowMs: number,
): string[] {
  return renderTable({
    columns: [
      { title: 'STATUS' },
      { title: 'E-MAIL' },
      { title: 'FRIEND' },
      { title: 'SEEN' },
      { title: 'ADDRESS' },
      { title: 'REMARK', isFlexible: true },
    ],
    rows: peers.map((peer) => [
      shownStatus(peer),
      peer.email,
      peer.friend ? 'yes' : '',
      seen(peer, nowMs),
      printable(peer.address ?? ''),
      printable(peer.cause ?? ''),
    ]),
    width: output.isTerminal ? output.columns : undefined,
    paint: (text, row, column) => {
      const peer = peers[row];
      return column === 0 && peer !== undefined
        ? output.paint(colourByStatus[shownStatus(peer)], text)
        : text;
    },
  });
}

/** Who is only announced has not answered anybody: an answer would have taken its time. */
function shownStatus({ status, friend, roundTripMs }: Peer): keyof typeof colourByStatus {
  return status === 'online' && !friend && roundTripMs === undefined ? 'announced' : status;
}

function seen(peer: Peer, nowMs: number): string {
  const { lastSeen, checkedAt } = peer;
  // The time of asking the relay is not when they were seen.
  const time = shownStatus(peer) === 'online' ? (checkedAt ?? lastSeen) : lastSeen;
  return time === undefined ? '' : formatAge(time, nowMs);
}

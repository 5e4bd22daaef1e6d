import type { Command } from 'commander';
import { printable } from '../../util/printable.ts';
import { localApiPaths, type RelayState, type Status, StatusSchema } from '../../wire/local-api.ts';
import type { CommandContext } from '../context.ts';
import { DaemonClient } from '../daemon-client.ts';
import type { Output } from '../output.ts';
import { formatAge, formatLocalTime, formatSeconds } from '../render/quantities.ts';

export function declareStatus(command: Command, context: CommandContext): void {
  command
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExits with 4 when Flashback is not running here.')
    .action(async () => {
      const daemon = await DaemonClient.open(context);
      const status = await daemon.ask(StatusSchema, { path: localApiPaths.status });
      const { output } = context;
      output.object(status);
      for (const line of renderStatus(status, output, Date.now())) output.line(line);
    });
}

/** Lines for people, widths as they come: each fits in 80 cells unless a path is long. */
export function renderStatus(status: Status, output: Pick<Output, 'paint'>, nowMs: number): string[] {
  const { house, relay } = status;
  const upSeconds = (nowMs - Date.parse(status.startedAt)) / 1000;
  const lines = [
    `You        ${status.email}`,
    `           ${status.safetyWords.join(' ')}`,
    `House      ${houseWord(house, output)}  ${printable(house.folder)}`,
    ...(house.reason === undefined ? [] : [`           ${printable(house.reason)}`]),
    `           visitors: ${house.policy}`,
    ...(house.port === undefined
      ? []
      : [`           port ${house.port} on ${house.addresses.join(', ') || 'no address'}`]),
    `Relay      ${relayWord(relay, output)}  ${relay.url}`,
    ...relayDetails(relay, nowMs).map((detail) => `           ${detail}`),
    `Web app    ${status.ui}`,
    `Running    version ${status.version}, process ${status.pid}, for ${formatSeconds(upSeconds)}`,
    `Certificate until ${formatLocalTime(status.certificateExpiresAt)}`,
  ];
  if (status.requestsWaiting > 0)
    lines.push('', `${status.requestsWaiting} waiting for your answer: flashback friends requests`);
  return lines;
}

function houseWord({ state }: Status['house'], output: Pick<Output, 'paint'>): string {
  return output.paint(state === 'shared' ? 'green' : state === 'away' ? 'red' : 'yellow', state);
}

function relayWord({ state }: RelayState, output: Pick<Output, 'paint'>): string {
  const isBad = state === 'away' || state === 'refused';
  return output.paint(state === 'announced' ? 'green' : isBad ? 'red' : 'yellow', state);
}

function relayDetails({ reason, announcedAt, nextTryAt }: RelayState, nowMs: number): string[] {
  return [
    ...(reason === undefined ? [] : [printable(reason)]),
    ...(announcedAt === undefined ? [] : [`announced ${formatAge(announcedAt, nowMs)}`]),
    ...(nextTryAt === undefined
      ? []
      : [`next try in ${formatSeconds((Date.parse(nextTryAt) - nowMs) / 1000)}`]),
  ];
}

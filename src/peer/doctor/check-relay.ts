import type { Identity } from '../../identity/key-store.ts';
import type { Finding } from '../../wire/local-api.ts';
import { parseRelayUrl } from '../../wire/relay-url.ts';
import { RelayClient } from '../relay-client/relay-client.ts';
import { RelayError } from '../relay-client/relay-error.ts';
import { judgeClock } from './check-clock.ts';
import { failure, fine, warning } from './finding.ts';

const check = 'relay';
/** A person waits; a relay that needs longer is as good as away. */
const deadlineMs = 8000;

/**
 * Registers, as each start of the daemon does (it changes nothing the second time): that one call tells whether the relay
 * is there, is who it should be, takes us, and what time it has.
 */
export async function checkRelay(
  url: string | undefined,
  identity: Identity,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (url === undefined) return [noRelay()];
  using client = new RelayClient({ url: parseRelayUrl(url), identity });
  let finding: Finding;
  try {
    await client.register(undefined, { signal, deadlineMs });
    finding = fine(check, `${client.url.origin} answers and knows you`);
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
    finding = judgeRelayError(error);
  }
  const offsetMs = client.clockOffsetMs;
  return offsetMs === undefined ? [finding] : [finding, judgeClock(offsetMs)];
}

function noRelay(): Finding {
  return warning(check, {
    code: 'relay_unreachable',
    message: 'No relay is set: nobody can look you up, and only friends at known addresses are found',
    advice:
      'Ask somebody who runs one for its URL, or run your own (flashback relay), then: flashback init --relay URL',
  });
}

/** Pure: each way of failing at the relay has its own sentence already; here it gets a code and advice. */
function judgeRelayError({ code, message }: RelayError): Finding {
  switch (code) {
    case 'identity_mismatch':
      return failure(check, {
        code: 'relay_identity_changed',
        message,
        advice:
          'Ask the operator, by another way than this, for the whole URL; then: flashback init --relay URL',
      });
    case 'refused':
    case 'unregistered':
    case 'not_found':
      return failure(check, {
        code: 'relay_refuses',
        message,
        advice:
          'If the e-mail is taken by an older identity of yours, import that one, or ask the operator to reset it',
      });
    case 'rate_limited':
      return warning(check, {
        code: 'relay_refuses',
        message,
        advice: 'Wait a minute. Flashback does so by itself',
      });
    default:
      return failure(check, {
        code: 'relay_unreachable',
        message,
        advice:
          'Check the URL (flashback config get relayTrackerUrl) and your network; ask the operator whether the relay runs. Friends at known addresses work meanwhile',
      });
  }
}

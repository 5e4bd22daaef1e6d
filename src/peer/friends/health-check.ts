import { type PinnedClient, readBody } from '../../identity/pinned-client.ts';
import { printable } from '../../util/printable.ts';
import { HouseErrorSchema, HouseHealthSchema, houseErrors, houseRoutes } from '../../wire/house-http.ts';
import type { FailureCode } from '../../wire/local-api.ts';

/** What a house says to `GET /health`. Whoever answers has proved the peer's key: the peer is there, whatever it says. */
export type HealthAnswer =
  | {
      readonly kind: 'online';
      readonly roundTripMs: number;
      /** Online, but: does not admit us, shares nothing now, is busy. In words for a person. */
      readonly cause?: string;
    }
  | { readonly kind: 'error'; readonly cause: string; readonly code: FailureCode };

/** A house answers well under 500 ms (mission T5); a phone network may add seconds. */
const headTimeoutMs = 5000;
/** The answer is a line. */
const bodyBytesMax = 16 * 1024;

/** @throws when there was no answer: errors of {@link PinnedClient}, or the signal's reason. */
export async function askHealth(client: PinnedClient, signal: AbortSignal): Promise<HealthAnswer> {
  const startedMs = performance.now();
  const response = await client.send({ method: 'GET', path: houseRoutes.health, headTimeoutMs, signal });
  const roundTripMs = Math.round((performance.now() - startedMs) * 10) / 10;
  const body = parseJson(await readBody(response, bodyBytesMax));
  const cause = causeOf(response.statusCode ?? 0, body);
  if (cause === 'none') return { kind: 'online', roundTripMs };
  if (cause !== undefined) return { kind: 'online', roundTripMs, cause };
  return {
    kind: 'error',
    code: 'failed',
    cause: `its house answers strangely (HTTP ${response.statusCode ?? 0})`,
  };
}

/** `none` when all is well, undefined when this is no answer of a house. */
function causeOf(status: number, body: unknown): string | undefined {
  if (status === 200) {
    const health = HouseHealthSchema.safeParse(body);
    if (!health.success) return undefined;
    return { shared: 'none', away: houseErrors.away, off: houseErrors.off }[health.data.house];
  }
  const refusal = HouseErrorSchema.safeParse(body);
  if (!refusal.success) return undefined;
  const reason = printable(refusal.data.error);
  switch (status) {
    case 401:
      return `does not accept your certificate: ${reason}`;
    case 403:
      return `has not accepted you yet: ${reason}`;
    case 429:
    case 503:
      return reason;
    default:
      return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No JSON is no answer of a house either.
    return undefined;
  }
}

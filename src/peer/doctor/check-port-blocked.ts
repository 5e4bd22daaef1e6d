import { connectPinned, PeerMismatchError } from '../../identity/connect-pinned.ts';
import type { Identity } from '../../identity/key-store.ts';
import { withDeadline } from '../../util/deadline.ts';
import { addressKind, bracketed } from '../../wire/ip-address.ts';
import type { Finding, Status } from '../../wire/local-api.ts';
import { describeConnectionFailure } from '../network/connection-failure.ts';
import { failure, fine, warning } from './finding.ts';

const check = 'reachable';
/** From a machine to itself: longer than this, and something swallows the packets. */
const deadlineMs = 3000;

/** What became of a connection to one of the house's own addresses. */
interface AddressTry {
  readonly address: string;
  /** Absent when the house answered. */
  readonly problem?: string;
}

/** Visits the running house at the addresses it announces, from this machine: a local firewall shows, a router's does not. */
export async function checkPortBlocked(
  house: Status['house'],
  identity: Identity,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const { port } = house;
  // A link-local address needs its interface's name, which is not announced.
  const addresses = house.addresses.filter((address) => addressKind(address) !== 'link-local-ipv6');
  if (port === undefined || addresses.length === 0) return undefined;
  const tries = await Promise.all(addresses.map((address) => tryAddress(address, port, identity, signal)));
  return judgeTries(tries, port);
}

/** Pure. */
function judgeTries(tries: readonly AddressTry[], port: number): Finding {
  const failed = tries.filter(({ problem }) => problem !== undefined);
  if (failed.length === 0)
    return fine(check, `your house answers at ${tries.map(({ address }) => address).join(', ')}`);
  const places = failed
    .map(({ address, problem }) => `${bracketed(address)}:${port} (${problem})`)
    .join(', ');
  const problem = {
    code: 'port_blocked',
    message: `Your house does not answer, not even from this machine, at ${places}`,
    advice: `Allow port ${port} in this machine's firewall. Is the address another program's or another machine's? Choose a fixed port with: flashback config set housePort PORT`,
  } as const;
  return failed.length === tries.length ? failure(check, problem) : warning(check, problem);
}

async function tryAddress(
  address: string,
  port: number,
  identity: Identity,
  signal: AbortSignal,
): Promise<AddressTry> {
  const { fingerprint, publicKeyHash } = identity.claims;
  try {
    const socket = await withDeadline(`Cannot reach ${address}:${port}`, deadlineMs, signal, (deadline) =>
      connectPinned({
        host: address,
        port,
        expected: { kind: 'pinned', fingerprints: [fingerprint], publicKeyHashes: [publicKeyHash] },
        identity,
        signal: deadline,
      }),
    );
    socket.destroy();
    return { address };
  } catch (error) {
    signal.throwIfAborted();
    const problem =
      error instanceof PeerMismatchError ? 'somebody else answers there' : describeConnectionFailure(error);
    return { address, problem };
  }
}

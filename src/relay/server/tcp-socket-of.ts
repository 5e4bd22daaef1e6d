import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** The TCP connection under a server's TLS socket, which Node names only `_parent`; undefined when it does no longer. */
export function tcpSocketOf(socket: TLSSocket): Socket | undefined {
  const parent: unknown = Reflect.get(socket, '_parent');
  return parent instanceof Socket ? parent : undefined;
}

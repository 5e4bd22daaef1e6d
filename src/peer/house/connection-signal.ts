import type { Duplex } from 'node:stream';

const controllers = new WeakMap<Duplex, AbortController>();

/**
 * A signal that aborts when `connection` closes. Responses cannot tell: one that waits behind another on the same
 * connection (pipelining) is never told that it has gone. One listener a connection, however many requests it carries.
 */
export function connectionSignal(connection: Duplex): AbortSignal {
  let controller = controllers.get(connection);
  if (controller === undefined) {
    const created = new AbortController();
    controller = created;
    controllers.set(connection, created);
    const gone = new Error('the visitor has gone');
    if (connection.destroyed) created.abort(gone);
    else connection.once('close', () => created.abort(gone));
  }
  return controller.signal;
}

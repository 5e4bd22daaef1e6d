import type { Socket } from 'node:net';

/** Resolves when the connection is over, politely or not; what still comes over it is dropped. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    socket.on('error', () => {}).on('close', () => resolve());
    socket.resume();
  });
}

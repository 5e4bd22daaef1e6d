import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay in front of a PostgreSQL server that can lose an answer. */
export interface AnswerCutter extends AsyncDisposable {
  /** The server's URL, by way of this relay. */
  readonly url: string;
  /** From now on the first answer that reports `COMMIT` is lost together with its connection. */
  cutNextCommit(): void;
  /** How many answers were lost. */
  readonly cuts: number;
}

export async function openAnswerCutter(serverUrl: string): Promise<AnswerCutter> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let isArmed = false;
  let cuts = 0;
  const listener = createServer((near) => {
    const far = connect(Number(target.port || 5432), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // The other side of a connection that this relay or a peer has cut.
      socket.on('error', () => undefined);
    }
    near.pipe(far);
    far.on('data', (data) => {
      // CommandComplete carries the command's name and a NUL.
      if (!isArmed || !data.includes('COMMIT\0')) {
        near.write(data);
        return;
      }
      isArmed = false;
      cuts += 1;
      near.destroy();
      far.destroy();
    });
    far.on('end', () => near.end());
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const url = new URL(serverUrl);
  url.hostname = '127.0.0.1';
  url.port = String((listener.address() as AddressInfo).port);
  return {
    url: url.href,
    cutNextCommit() {
      isArmed = true;
    },
    get cuts() {
      return cuts;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
    },
  };
}

import { rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { writeFileAtomically } from '../../util/atomic-file.ts';
import { errorCode } from '../../util/error-code.ts';
import { type LocalApiAccess, localApiAccessFileName } from '../../wire/local-api.ts';
import { ApiError, describeFailure } from './api-error.ts';
import { Guard } from './guard.ts';

export interface LocalApiOptions {
  /** Ports from this one on are tried, 0 takes any. */
  readonly port: number;
  /** Where `local-api.json` goes. */
  readonly dataFolder: string;
  readonly log: Logger;
  readonly registerRoutes: (app: FastifyInstance, guard: Guard) => void;
}

/** Another daemon of this user has the default port; twenty of them are a test, not a life. */
const portsTriedMax = 20;
/** Longest request of ours: a passphrase, a path, a fingerprint. */
const bodyBytesMax = 65_536;

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** HTTP on loopback for the local user (design §7). */
export class LocalApi implements AsyncDisposable {
  readonly url: string;
  readonly #app: FastifyInstance;
  readonly #guard: Guard;
  readonly #accessFile: string;

  private constructor(app: FastifyInstance, guard: Guard, url: string, accessFile: string) {
    this.#app = app;
    this.#guard = guard;
    this.url = url;
    this.#accessFile = accessFile;
  }

  static async open(options: LocalApiOptions): Promise<LocalApi> {
    await using cleanup = new AsyncDisposableStack();
    const guard = new Guard();
    const app = createApp(guard, options);
    cleanup.defer(() => app.close());
    const port = await listen(app, options.port);
    guard.listeningOn(port);
    const access: LocalApiAccess = {
      url: `http://127.0.0.1:${port}`,
      token: guard.token,
      pid: process.pid,
    };
    const accessFile = join(options.dataFolder, localApiAccessFileName);
    await writeFileAtomically(accessFile, `${JSON.stringify(access, undefined, 2)}\n`);
    cleanup.move();
    return new LocalApi(app, guard, access.url, accessFile);
  }

  /** A link that opens the app in the browser which uses it first. */
  oneTimeLink(): string {
    return this.url + this.#guard.oneTimePath();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#accessFile, { force: true });
    await this.#app.close();
  }
}

function createApp(guard: Guard, options: LocalApiOptions): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    // Downloads in progress must not keep a stopping daemon alive.
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    // What cannot be routed at all comes past the guard, and is told nothing.
    frameworkErrors: refuseUnreadablePath,
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders);
    const origin = guard.checkOrigin(request.headers);
    if (origin.kind === 'refused') throw new ApiError(origin.status, 'refused', origin.error);
    if (request.routeOptions.config.isOpen === true) return;
    const user = guard.checkUser(request.headers);
    if (user.kind === 'refused') throw new ApiError(user.status, 'refused', user.error);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'there is nothing at this path', code: 'not_found' }),
  );
  app.setErrorHandler((error, request, reply) => {
    const { status, failure } = describeFailure(error);
    if (status === 500) options.log.error({ err: error, path: request.routeOptions.url }, 'a request failed');
    return reply.code(status).send(failure);
  });
  options.registerRoutes(app, guard);
  return app;
}

function refuseUnreadablePath(_error: unknown, _request: unknown, reply: FastifyReply): void {
  void reply
    .headers(securityHeaders)
    .code(400)
    .send({ error: 'the path cannot be read', code: 'bad_request' });
}

async function listen(app: FastifyInstance, first: number): Promise<number> {
  const last = first === 0 ? 0 : Math.min(65_535, first + portsTriedMax - 1);
  for (let port = first; port <= last; port += 1) {
    try {
      await app.listen({ port, host: '127.0.0.1' });
      return (app.server.address() as AddressInfo).port;
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error;
    }
  }
  throw new Error(
    `Cannot open the local interface: ports ${first} to ${last} are in use. Choose another with --ui-port`,
  );
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served without a token; the origin is checked all the same. */
    isOpen?: boolean;
  }
}

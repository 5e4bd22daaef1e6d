import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import pino, { type Logger } from 'pino';
import { z } from 'zod';
import type { Fingerprint } from '../identity/fingerprint.ts';
import { makePrivateFolder } from '../util/atomic-file.ts';
import { errorCode } from '../util/error-code.ts';
import { bracketed } from '../wire/ip-address.ts';
import { formatRelayUrl } from '../wire/relay-url.ts';
import { OpenConnections } from './server/open-connections.ts';
import { type RateLimitOptions, RateLimits, rateLimitDefaults } from './server/rate-limits.ts';
import { createRestApp, refuseOtherMethods } from './server/rest-app.ts';
import {
  ownServerCertificate,
  readServerCertificate,
  type ServerCertificate,
} from './server/server-certificate.ts';
import { createPlainListener, createTlsListener, renewTlsCertificate } from './server/tls-listener.ts';
import { databaseFileName, openStore } from './store/open-store.ts';
import type { Store } from './store/store.ts';
import { ExpiryJob } from './tracker/expiry-job.ts';
import { HotRoutes } from './tracker/hot-routes.ts';
import { registerTrackerRoutes } from './tracker/rest-routes.ts';
import { Tracker } from './tracker/tracker.ts';

export interface RunRelayOptions {
  /** 0 takes any free one. */
  readonly port: number;
  /** Address to listen on; default: all, IPv6 and IPv4. */
  readonly host?: string;
  /** Name or address that clients reach the relay at, for the URL that is printed; default 127.0.0.1. */
  readonly publicHost?: string;
  /** Plain HTTP on loopback, for development and for a proxy that ends TLS. */
  readonly httpPort?: number;
  /** Holds the certificate and, without `databaseUrl`, the database. */
  readonly dataFolder: string;
  /** `postgres://…` */
  readonly databaseUrl?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly broadcastLifetimeSeconds?: number;
  readonly cleanupIntervalSeconds?: number;
  readonly rateLimits?: Partial<RateLimitOptions>;
  readonly connectionsMax?: number;
  readonly log?: Logger;
  /** Wall clock, for expiry and rate limits; the cleanup job keeps its own pace. */
  readonly nowMs?: () => number;
  /** A store that is open already, in place of the one that the settings name; the caller closes it. */
  readonly store?: Store;
}

export interface RunningRelay extends AsyncDisposable {
  /** With `#sha256=` when the certificate is the relay's own. */
  readonly url: string;
  readonly port: number;
  readonly httpPort: number | undefined;
  /** Of the certificate that new connections are shown. */
  readonly fingerprint: Fingerprint;
  /** Reads the certificate files again (SIGHUP). Rejects when they cannot be used; the old certificate then stays. */
  reloadCertificate(): Promise<void>;
}

/** Longest wait at the end for answers that are under way; then their connections are cut. */
export const drainTimeoutMs = 3000;
/** How often connections are looked through meanwhile. */
const sweepIntervalMs = 50;
/** A store that does not answer within this is down for a load balancer. */
const probeTimeoutMs = 2000;

/** Starts a relay and resolves when it answers. Dispose it to stop: answers under way are finished, writes are kept. */
export async function runRelay(options: RunRelayOptions): Promise<RunningRelay> {
  const log = options.log ?? pino({ level: 'silent' });
  const nowMs = options.nowMs ?? Date.now;
  await makePrivateFolder(options.dataFolder);
  await using cleanup = new AsyncDisposableStack();
  let certificate = await loadCertificate(options);
  const store = options.store ?? cleanup.use(await openStore({ log, ...storePlace(options) }));
  const tracker = new Tracker({
    store,
    nowMs,
    ...(options.broadcastLifetimeSeconds !== undefined && {
      broadcastLifetimeMs: options.broadcastLifetimeSeconds * 1000,
    }),
  });
  await tracker.load();
  const intervalMs =
    options.cleanupIntervalSeconds === undefined ? undefined : options.cleanupIntervalSeconds * 1000;
  cleanup.use(new ExpiryJob(tracker, log, intervalMs));
  const limits = cleanup.use(new RateLimits({ ...rateLimitDefaults, ...options.rateLimits }, nowMs));
  const hotRoutes = new HotRoutes({ tracker, limits, log });
  const app = await createRestApp({ tracker, limits, log });
  registerTrackerRoutes(app, tracker, limits, hotRoutes);
  registerHealthRoutes(app, store, log);
  await app.ready();

  const server = createTlsListener({
    certificate,
    onRequest: (request, response) => {
      if (!hotRoutes.serve(request, response)) app.routing(request, response);
    },
    ...(options.connectionsMax !== undefined && { connectionsMax: options.connectionsMax }),
  });
  const port = await open(cleanup, server, options.port, options.host, log);
  const httpPort =
    options.httpPort === undefined
      ? undefined
      : await open(
          cleanup,
          createPlainListener((request, response) => app.routing(request, response)),
          options.httpPort,
          '127.0.0.1',
          log,
        );
  const { accountCount: clients, listedCount: announced } = tracker.directory;
  log.info({ port, store: store.engine, clients, announced }, 'relay is listening');

  const owned = cleanup.move();
  const origin = `https://${bracketed(options.publicHost ?? '127.0.0.1')}:${port}`;
  return {
    get url() {
      return formatRelayUrl(origin, certificate.isSelfSigned ? certificate.fingerprint : undefined);
    },
    port,
    httpPort,
    get fingerprint() {
      return certificate.fingerprint;
    },
    async reloadCertificate() {
      const next = await loadCertificate(options);
      renewTlsCertificate(server, next);
      certificate = next;
      log.info({ fingerprint: certificate.fingerprint }, 'certificate was read again');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function storePlace({ databaseUrl, dataFolder }: RunRelayOptions) {
  return databaseUrl === undefined ? { sqliteFile: join(dataFolder, databaseFileName) } : { databaseUrl };
}

/** Listens, and closes with `cleanup`. @returns the port. */
async function open(
  cleanup: AsyncDisposableStack,
  server: HttpServer,
  wantedPort: number,
  host: string | undefined,
  log: Logger,
): Promise<number> {
  const connections = new OpenConnections(server, { log });
  const port = await listen(server, wantedPort, host);
  // A connection that cannot be accepted (no file descriptor, no memory) is this connection's end, not the relay's.
  server.on('error', (error) => log.error({ err: error }, 'cannot accept a connection'));
  cleanup.defer(() => close(server, connections));
  return port;
}

function loadCertificate(options: RunRelayOptions): Promise<ServerCertificate> {
  const { tlsCertFile, tlsKeyFile, dataFolder, publicHost } = options;
  if (tlsCertFile !== undefined && tlsKeyFile !== undefined)
    return readServerCertificate(tlsCertFile, tlsKeyFile);
  if (tlsCertFile !== undefined || tlsKeyFile !== undefined)
    throw new Error('A certificate needs its key: give both --tls-cert and --tls-key');
  return ownServerCertificate(dataFolder, [publicHost ?? 'localhost']);
}

function registerHealthRoutes(app: FastifyInstance, store: Store, log: Logger): void {
  const tags = ['operations'];
  const config = { isUncounted: true };
  const HealthSchema = z.object({ status: z.string(), timestamp: z.string(), uptime: z.number() });
  const health = { tags, summary: 'Is it alive', response: { 200: HealthSchema } };
  app.get('/health', { config, schema: health }, () => ({
    status: 'ok',
    timestamp: new Date().toISOString(),
    uptime: Math.round(process.uptime()),
  }));
  refuseOtherMethods(app, '/health', ['GET']);

  const ReadySchema = z.object({ status: z.string() });
  const response = { 200: ReadySchema, 503: ReadySchema };
  const ready = { tags, summary: 'Can it serve: asks the store', response };
  let asking: Promise<boolean> | undefined;
  app.get('/ready', { config, schema: ready }, async (_request, reply) => {
    // Anybody may ask as often as they like: one question at a time reaches the store.
    asking ??= doesAnswer(store, log).finally(() => {
      asking = undefined;
    });
    return (await asking) ? { status: 'ok' } : reply.code(503).send({ status: 'the store does not answer' });
  });
  refuseOtherMethods(app, '/ready', ['GET']);
}

async function doesAnswer(store: Store, log: Logger): Promise<boolean> {
  try {
    await store.probe({ timeoutMs: probeTimeoutMs });
    return true;
  } catch (error) {
    log.warn({ err: error }, 'the store does not answer');
    return false;
  }
}

/** Listens on `host`, or on everything: IPv6 with IPv4, or IPv4 alone where the machine has no IPv6. */
async function listen(server: NetServer, port: number, host: string | undefined): Promise<number> {
  try {
    await listenOn(server, port, host ?? '::');
  } catch (error) {
    const code = errorCode(error);
    if (host === undefined && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
      await listenOn(server, port, '0.0.0.0');
    else if (code === 'EADDRINUSE')
      throw new Error(`Port ${port} is in use: stop what listens there, or choose another with --port`, {
        cause: error,
      });
    else if (code === 'EACCES')
      throw new Error(`Not allowed to listen on port ${port}: choose one above 1023 with --port`, {
        cause: error,
      });
    else throw error;
  }
  // A listening TCP server has this form of address; the other two are for pipes and for servers that do not listen.
  return (server.address() as AddressInfo).port;
}

function listenOn(server: NetServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // A burst of clients that come back after a restart must not be refused.
    server.listen({ port, host, backlog: 1024 }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function close(server: HttpServer, connections: OpenConnections): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const closeIdle = (): void => server.closeIdleConnections();
  closeIdle();
  connections.destroyUnused();
  // A connection is idle once its answer is out, and would stay open for the next request.
  const sweeper = setInterval(closeIdle, sweepIntervalMs);
  const timer = setTimeout(() => connections.destroyAll(), drainTimeoutMs);
  await closed;
  clearInterval(sweeper);
  clearTimeout(timer);
}

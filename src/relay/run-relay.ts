import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { z } from 'zod';
import type { Fingerprint } from '../identity/fingerprint.ts';
import { makePrivateFolder } from '../util/atomic-file.ts';
import { bracketed } from '../wire/ip-address.ts';
import { formatRelayUrl } from '../wire/relay-url.ts';
import { type RateLimitOptions, RateLimits, rateLimitDefaults } from './server/rate-limits.ts';
import { createRestApp } from './server/rest-app.ts';
import {
  ownServerCertificate,
  readServerCertificate,
  type ServerCertificate,
} from './server/server-certificate.ts';
import { createTlsListener, renewTlsCertificate } from './server/tls-listener.ts';
import { openStore } from './store/open-store.ts';
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
}

export interface RunningRelay extends AsyncDisposable {
  /** With `#sha256=` when the certificate is the relay's own. */
  readonly url: string;
  readonly port: number;
  readonly httpPort: number | undefined;
  readonly fingerprint: Fingerprint;
  /** Reads the certificate files again (SIGHUP). */
  reloadCertificate(): Promise<void>;
}

/** Longest wait at the end for answers that are under way; then their connections are cut. */
const drainTimeoutMs = 3000;
/** A store that does not answer within this is down for a load balancer. */
const probeTimeoutMs = 2000;

/** Starts a relay and resolves when it answers. Dispose it to stop: answers under way are finished, writes are kept. */
export async function runRelay(options: RunRelayOptions): Promise<RunningRelay> {
  const log = options.log ?? pino({ level: 'silent' });
  await makePrivateFolder(options.dataFolder);
  await using cleanup = new AsyncDisposableStack();
  const certificate = await loadCertificate(options);
  const store = cleanup.use(
    await openStore({
      log,
      ...(options.databaseUrl === undefined
        ? { sqliteFile: join(options.dataFolder, 'relay.sqlite') }
        : { databaseUrl: options.databaseUrl }),
    }),
  );
  const tracker = new Tracker({
    store,
    ...(options.broadcastLifetimeSeconds !== undefined && {
      broadcastLifetimeMs: options.broadcastLifetimeSeconds * 1000,
    }),
  });
  await tracker.load();
  const intervalMs =
    options.cleanupIntervalSeconds === undefined ? undefined : options.cleanupIntervalSeconds * 1000;
  cleanup.use(new ExpiryJob(tracker, log, intervalMs));
  const limits = cleanup.use(new RateLimits({ ...rateLimitDefaults, ...options.rateLimits }));
  const hotRoutes = new HotRoutes({ tracker, limits, log });
  const app = await createRestApp(limits, log);
  registerTrackerRoutes(app, tracker, limits, hotRoutes);
  registerHealthRoutes(app, store);
  await app.ready();

  const server = createTlsListener(
    certificate,
    (request, response) => {
      if (!hotRoutes.serve(request, response)) app.routing(request, response);
    },
    options.connectionsMax,
  );
  const port = await listen(server, options.port, options.host);
  cleanup.defer(() => close(server));
  let httpPort: number | undefined;
  if (options.httpPort !== undefined) {
    const plain = createServer((request, response) => app.routing(request, response));
    httpPort = await listen(plain, options.httpPort, '127.0.0.1');
    cleanup.defer(() => close(plain));
  }
  const { accountCount: clients, announcedCount: announced } = tracker.directory;
  log.info({ port, store: store.engine, clients, announced }, 'relay is listening');

  const owned = cleanup.move();
  const origin = `https://${bracketed(options.publicHost ?? '127.0.0.1')}:${port}`;
  return {
    url: formatRelayUrl(origin, certificate.isSelfSigned ? certificate.fingerprint : undefined),
    port,
    httpPort,
    fingerprint: certificate.fingerprint,
    async reloadCertificate() {
      renewTlsCertificate(server, await loadCertificate(options));
      log.info('certificate was read again');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function loadCertificate(options: RunRelayOptions): Promise<ServerCertificate> {
  const { tlsCertFile, tlsKeyFile, dataFolder, publicHost } = options;
  if (tlsCertFile !== undefined && tlsKeyFile !== undefined)
    return readServerCertificate(tlsCertFile, tlsKeyFile);
  if (tlsCertFile !== undefined || tlsKeyFile !== undefined)
    throw new Error('A certificate needs its key: give both --tls-cert and --tls-key');
  return ownServerCertificate(dataFolder, [publicHost ?? 'localhost']);
}

function registerHealthRoutes(app: Awaited<ReturnType<typeof createRestApp>>, store: Store): void {
  const tags = ['operations'];
  const HealthSchema = z.object({ status: z.string(), timestamp: z.string(), uptime: z.number() });
  app.get('/health', { schema: { tags, summary: 'Is it alive', response: { 200: HealthSchema } } }, () => ({
    status: 'ok',
    timestamp: new Date().toISOString(),
    uptime: Math.round(process.uptime()),
  }));
  const ReadySchema = z.object({ status: z.string() });
  app.get(
    '/ready',
    {
      schema: {
        tags,
        summary: 'Can it serve: asks the store',
        response: { 200: ReadySchema, 503: ReadySchema },
      },
    },
    async (_request, reply) => {
      try {
        await store.probe({ timeoutMs: probeTimeoutMs });
        return { status: 'ok' };
      } catch {
        return reply.code(503).send({ status: 'the store does not answer' });
      }
    },
  );
}

/** Listens on `host`, or on everything: IPv6 with IPv4, or IPv4 alone where the machine has no IPv6. */
async function listen(server: NetServer, port: number, host: string | undefined): Promise<number> {
  try {
    await listenOn(server, port, host ?? '::');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
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

async function close(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainTimeoutMs);
  await closed;
  clearTimeout(timer);
}

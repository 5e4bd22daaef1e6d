import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import pino from 'pino';
import { temporaryFolder } from '../../../util/testing/temporary-folder.ts';
import {
  type DownloadEvent,
  LocalApiAccessSchema,
  localApiAccessFileName,
  type Peer,
  type Status,
} from '../../../wire/local-api.ts';
import { ApiError } from '../api-error.ts';
import { LocalApi } from '../local-api.ts';
import { type DaemonActions, registerLocalRoutes } from '../routes.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export const status: Status = {
  email: 'me@example.com',
  fingerprint: 'ab'.repeat(32),
  safetyWords: ['abandon', 'ability'],
  certificateExpiresAt: '2028-01-01T00:00:00Z',
  version: '1.0.0',
  pid: 4711,
  startedAt: '2026-01-01T00:00:00Z',
  ui: 'http://127.0.0.1:8787/',
  house: {
    state: 'shared',
    folder: '/home/me/<b>"Shared"</b>',
    port: 4711,
    addresses: ['10.0.0.1'],
    policy: 'friends',
  },
  relay: { state: 'announced', url: 'https://relay.example:3000' },
  requestsWaiting: 1,
};
export const ann: Peer = {
  email: 'ann@example.com',
  status: 'error',
  cause: '\u202e<script>alert(1)</script>',
  friend: true,
};

/** A daemon that does nothing and remembers what it was asked to do. */
export class TestDaemon {
  readonly done: string[] = [];
  readonly aborted: Promise<void>;
  #onAborted: () => void = () => {};

  constructor() {
    this.aborted = new Promise((resolve) => {
      this.#onAborted = resolve;
    });
  }

  readonly actions: DaemonActions = {
    status: () => status,
    peers: async () => ({ peers: [ann] }),
    peer: async (email) => {
      if (email === 'nobody@example.com')
        throw new ApiError(404, 'not_found', 'nobody is known by that e-mail');
      if (email === 'changed@example.com')
        throw Object.assign(new Error('its identity changed'), { code: 'identity_changed' });
      if (email === 'broken@example.com') throw new Error('a bug');
      return ann;
    },
    friends: () => [ann],
    addFriend: async (email, options) => {
      this.done.push(`add ${email} ${JSON.stringify(options)}`);
      return ann;
    },
    removeFriend: (email) => void this.done.push(`remove ${email}`),
    requests: () => [],
    acceptRequest: async (email) => {
      this.done.push(`accept ${email}`);
      return ann;
    },
    refuseRequest: (email) => void this.done.push(`refuse ${email}`),
    share: async (sharing) => {
      this.done.push(`share ${sharing}`);
      return status.house;
    },
    list: async (email, path, page) => {
      this.done.push(`list ${email} ${path} ${JSON.stringify(page)}`);
      return { path, entries: [] };
    },
    content: async () => {
      throw new Error('not in this test');
    },
    download: (_request, signal) => this.#download(signal),
    exportIdentity: async (passphrase) => `sealed under ${passphrase.length} characters`,
    stop: () => void this.done.push('stop'),
  };

  async *#download(signal: AbortSignal): AsyncGenerator<DownloadEvent> {
    yield { event: 'started', path: '/a', total: 10, via: 'direct' };
    await once(signal, 'abort');
    this.#onAborted();
  }
}

/** A local API on loopback before a daemon that does nothing. */
export class TestLocalApi implements AsyncDisposable {
  readonly api: LocalApi;
  readonly daemon: TestDaemon;
  /** Holds `local-api.json`. */
  readonly folder: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly token: string;
  readonly #cleanup: AsyncDisposable;

  private constructor(
    api: LocalApi,
    daemon: TestDaemon,
    folder: string,
    token: string,
    cleanup: AsyncDisposable,
  ) {
    this.api = api;
    this.daemon = daemon;
    this.folder = folder;
    this.port = Number(new URL(api.url).port);
    this.token = token;
    this.#cleanup = cleanup;
  }

  static async open(): Promise<TestLocalApi> {
    const folder = await temporaryFolder();
    const daemon = new TestDaemon();
    const api = await LocalApi.open({
      port: 0,
      dataFolder: folder.path,
      log: pino({ level: 'silent' }),
      registerRoutes: (app, guard) => registerLocalRoutes(app, guard, daemon.actions),
    });
    const file = await readFile(join(folder.path, localApiAccessFileName), 'utf8');
    const { token } = LocalApiAccessSchema.parse(JSON.parse(file));
    return new TestLocalApi(api, daemon, folder.path, token, folder);
  }

  /** As anything on this machine may ask. */
  ask(path: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Answer> {
    const { host, port } = this;
    return new Promise((resolve, reject) => {
      const own = { host: `${host}:${port}`, ...headers };
      const outgoing = request({ host, port, path, method, headers: own, agent: false });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const json = (): unknown => JSON.parse(text);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      });
      outgoing.end(body);
    });
  }

  /** As a program of the user asks: with the token from the file. */
  askAsUser(path: string, asking: Asking = {}): Promise<Answer> {
    const content = asking.body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization: `Bearer ${this.token}`, ...content, ...asking.headers };
    return this.ask(path, { ...asking, headers });
  }

  /** `name=value` of the cookie that a browser gets for a one-time link. */
  async session(): Promise<string> {
    const { pathname, search } = new URL(this.api.oneTimeLink());
    const answer = await this.ask(pathname + search);
    return String(answer.headers['set-cookie']).split(';')[0] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await this.#cleanup[Symbol.asyncDispose]();
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAbsolute } from 'node:path';
import type { Logger } from 'pino';
import { linkAbort } from '../../util/deadline.ts';
import { choosePathHolder, holdByHandle, type PathHolder } from '../../util/platform/handle-path.ts';
import { printable } from '../../util/printable.ts';
import type { HouseHealth } from '../../wire/house-http.ts';
import { connectionSignal } from './connection-signal.ts';
import { DigestService, digestJobsMax } from './digest-service.ts';
import { refusalOfError } from './errno-refusal.ts';
import type { Exchange } from './exchange.ts';
import type { HouseView } from './open-inside.ts';
import {
  awayRefusal,
  busyRefusal,
  isRefusal,
  offRefusal,
  type Refusal,
  refuse,
  sendJson,
  sendRefusal,
} from './refusal.ts';
import { type HouseRoute, parseRequestTarget } from './request-target.ts';
import { listFolder } from './routes/list-folder.ts';
import { sendArchive } from './routes/send-archive.ts';
import { sendDigest } from './routes/send-digest.ts';
import { downloadFile, showFile } from './routes/send-file.ts';
import { type FolderState, type HouseSettings, SharedFolder } from './shared-folder.ts';
import { Slots } from './slots.ts';
import type { HouseVisitor } from './visitor.ts';

export type HouseState = FolderState | { readonly kind: 'off' };

/** The file server of one shared folder. It does not listen and admits nobody: it answers whom it is handed. */
export interface House extends AsyncDisposable {
  /** Answers one request of an admitted visitor, always and to its end; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse, visitor: HouseVisitor): Promise<void>;
  /** As it was found at the last request or look. */
  state(): HouseState;
  /** Looks at the folder now. */
  look(): Promise<HouseState>;
  /** Off: what runs is cut, and all but `/health` is refused. On: the folder that is there now is the shared one. */
  switchSharing(isOn: boolean): Promise<HouseState>;
}

/** Routes that need the folder. */
type FolderRoute = Exclude<HouseRoute, 'health'>;

/** Requests answered at once. A download holds two buffers of 512 KiB: 256 MiB at the worst. */
const requestsMax = 256;
/** A browser opens six connections, a downloader of folders some more. */
const requestsPerVisitorMax = 64;
/** An archive keeps a processor busy: a few share it with everything else. */
const archivesMax = 4;
const archivesPerVisitorMax = 2;
/** Several may wait for the same job. */
const digestsMax = 4 * digestJobsMax;
const digestsPerVisitorMax = 4;

/** On every answer, errors too: nothing of another person's folder may run, load, frame or be guessed at in a browser. */
const commonHeaders: readonly (readonly [string, string])[] = [
  ['Content-Security-Policy', "default-src 'none'; sandbox"],
  ['X-Content-Type-Options', 'nosniff'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Referrer-Policy', 'no-referrer'],
];

/** Opens the house and looks at its folder once. `hold` is chosen by the platform unless a test says otherwise. */
export async function createHouse(settings: HouseSettings, log: Logger, hold?: PathHolder): Promise<House> {
  if (!isAbsolute(settings.root)) {
    throw new Error(
      `Cannot share folder: its path must be absolute, and is ${JSON.stringify(settings.root)}`,
    );
  }
  const holder = hold ?? (await choosePathHolder());
  if (process.platform === 'linux' && holder !== holdByHandle) {
    log.warn('/proc is not mounted: links that are swapped during a request may not be noticed');
  }
  const house = new FolderHouse(new SharedFolder(settings, holder, log), log);
  await house.look();
  return house;
}

class FolderHouse implements House {
  readonly #folder: SharedFolder;
  readonly #log: Logger;
  readonly #digests = new DigestService();
  readonly #requestSlots = new Slots(requestsMax, requestsPerVisitorMax);
  readonly #archiveSlots = new Slots(archivesMax, archivesPerVisitorMax);
  readonly #digestSlots = new Slots(digestsMax, digestsPerVisitorMax);
  /** What runs, with the way to stop it. */
  readonly #running = new Map<Promise<unknown>, (reason: Error) => void>();
  #isOn = true;
  #looking: Promise<void> | undefined;

  constructor(folder: SharedFolder, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  async handle(request: IncomingMessage, response: ServerResponse, visitor: HouseVisitor): Promise<void> {
    // A connection that breaks while its last bytes leave is nobody's error.
    response.on('error', () => undefined);
    for (const [name, value] of commonHeaders) response.setHeader(name, value);
    using link = linkAbort(connectionSignal(request.socket));
    const answered = this.#answer(request, response, visitor, link.signal);
    this.#running.set(answered, (reason) => link.abort(reason));
    try {
      const refusal = await answered;
      if (refusal !== undefined) sendRefusal(response, refusal);
    } catch (error) {
      this.#fail(request, response, error, link.signal);
    } finally {
      this.#running.delete(answered);
    }
  }

  state(): HouseState {
    return this.#isOn ? this.#folder.state : { kind: 'off' };
  }

  async look(): Promise<HouseState> {
    const view = await this.#folder.open();
    await view?.[Symbol.asyncDispose]();
    return this.state();
  }

  async switchSharing(isOn: boolean): Promise<HouseState> {
    if (isOn && !this.#isOn) this.#folder.acceptReplacement();
    this.#isOn = isOn;
    if (isOn) return await this.look();
    await this.#stopRunning(new Error('sharing was switched off'));
    return this.state();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOn = false;
    await this.#stopRunning(new Error('the house is closing'));
    await this.#digests[Symbol.asyncDispose]();
    await this.#looking;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    visitor: HouseVisitor,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      return refuse(405, 'only GET and HEAD are answered here', { Allow: 'GET, HEAD' });
    }
    const target = parseRequestTarget(request.url ?? '');
    if (isRefusal(target)) return target;
    if (target.route === 'health') return this.#sendHealth(response);
    if (!this.#isOn) return offRefusal;
    using slot = this.#requestSlots.take(visitor.fingerprint);
    if (slot === undefined) return busyRefusal;
    const view = await this.#folder.open();
    if (view === undefined) return awayRefusal;
    await using _ = view;
    signal.throwIfAborted();
    return await this.#route(
      target.route,
      { method, target, request, response, visitor, signal, log: this.#log },
      view,
    );
  }

  #route(route: FolderRoute, exchange: Exchange, view: HouseView): Promise<Refusal | undefined> {
    const answers: Readonly<Record<FolderRoute, () => Promise<Refusal | undefined>>> = {
      files: () => listFolder(exchange, view),
      content: () => showFile(exchange, view),
      download: () => downloadFile(exchange, view),
      archive: () => sendArchive(exchange, view, this.#archiveSlots),
      digest: () => sendDigest(exchange, view, this.#digests, this.#digestSlots),
    };
    return answers[route]();
  }

  /** Answers at once with what is known, however slow the disk, and finds out more for the next one who asks. */
  #sendHealth(response: ServerResponse): undefined {
    const health: HouseHealth = { status: 'ok', house: this.state().kind };
    sendJson(response, 200, health);
    if (this.#isOn) this.#lookForNext();
    return undefined;
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown, signal: AbortSignal): void {
    const details = { path: printable(request.url ?? ''), error };
    if (response.headersSent || signal.aborted) {
      // Cut, so that nobody takes what was sent for the whole.
      response.destroy();
      this.#log.debug(details, 'answer was cut');
      return;
    }
    const refusal = refusalOfError(error);
    if (refusal === undefined) this.#log.error(details, 'request failed');
    sendRefusal(response, refusal ?? refuse(500, 'the house failed to answer this'));
  }

  /** One at a time, however many ask for health. */
  #lookForNext(): void {
    this.#looking ??= this.look().then(
      () => this.#looked(),
      (error: unknown) => this.#looked(error),
    );
  }

  #looked(error?: unknown): void {
    this.#looking = undefined;
    if (error !== undefined) this.#log.error({ error }, 'look at the shared folder failed');
  }

  async #stopRunning(reason: Error): Promise<void> {
    const running = [...this.#running];
    for (const [, stop] of running) stop(reason);
    await Promise.allSettled(running.map(([answered]) => answered));
  }
}

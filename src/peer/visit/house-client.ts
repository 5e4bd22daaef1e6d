import type { IncomingMessage } from 'node:http';
import type { PinnedConnectOptions } from '../../identity/connect-pinned.ts';
import { PinnedClient, type PinnedClientOptions } from '../../identity/pinned-client.ts';
import { withDeadline } from '../../util/deadline.ts';
import { errorCode } from '../../util/error-code.ts';
import {
  type ArchiveFormat,
  digestBlocksMax,
  type HouseDigest,
  HouseDigestSchema,
  type HouseHealth,
  HouseHealthSchema,
  type HouseListing,
  HouseListingSchema,
  houseTarget,
  listingLimitDefault,
  listingLimitMax,
} from '../../wire/house-http.ts';
import { pathRefusal } from '../../wire/house-path.ts';
import { bracketed } from '../../wire/ip-address.ts';
import type { Via } from '../../wire/local-api.ts';
import { type BodySource, ResponseBody } from './body-source.ts';
import { openBulk } from './bulk-connection.ts';
import { type AskedDigests, checkDigest } from './digest-answer.ts';
import { type FileBody, type FileHead, type FilePart, readFileHead, readFilePart } from './file-answer.ts';
import { readJson, readText } from './read-answer.ts';
import {
  answerVisitError,
  connectionVisitError,
  statusVisitError,
  subjectOf,
  VisitError,
} from './visit-error.ts';
import { whileAlive } from './while-alive.ts';

export interface HouseClientOptions
  extends Pick<
    PinnedClientOptions,
    'host' | 'port' | 'expected' | 'identity' | 'firstSocket' | 'localAddress'
  > {
  /** How the connection came about; it is only passed on. */
  readonly via: Via;
}

export interface ListOptions {
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
  readonly signal?: AbortSignal;
}

export interface DigestOptions {
  readonly blocks?: AskedDigests;
  readonly signal?: AbortSignal;
}

export interface DownloadOptions {
  /** First byte wanted. */
  readonly from?: number;
  /** Last byte wanted, inclusive. */
  readonly to?: number;
  /** Version that `from` and `to` belong to (`If-Range`): when the file is another one now, all of it comes. */
  readonly etag?: string;
  readonly signal?: AbortSignal;
}

/** What is verified and resumed are the file's own bytes, never a packing of them. */
const commonHeaders = { 'accept-encoding': 'identity' };
/** Past a slow phone network's worst handshake, before a person gives up. */
const connectTimeoutMs = 10_000;
/** A folder's download asks for four files and their four digests at a time; a connection each costs more than the file. */
const idleSocketsMax = 8;
/** A head has to come within a round trip, the house's disk waking up, and its asking the relay who we are. */
const headTimeoutMs = 30_000;
/** A page of 10,000 entries is 2 MB, 10 with every name at its longest. Enough for a modem. */
const bodyTimeoutMs = 120_000;
/** An entry with its name of 255 bytes and a link's target, every other character escaped in JSON; most are 150 bytes. */
const entryBytesMax = 2500;
/** What an answer holds beside its entries or digests. */
const answerFrameBytesMax = 32 * 1024;
/** 65,536 digests of 64 digits with quotes and comma. */
const digestBytesMax = digestBlocksMax * 67 + answerFrameBytesMax;
const errorBytesMax = 16 * 1024;
/** Below the shortest time after which routers forget a quiet TCP connection. */
const keepAliveAfterMs = 30_000;

/** 100 GB from a USB 2 disk, behind another of the same. That it is still at it, {@link aliveEveryMs} tells. */
const digestTimeoutMs = 12 * 3_600_000;
/** While a digest is awaited the house is asked this often whether it is there. */
const aliveEveryMs = 30_000;

/**
 * A visit to one house, over HTTP/1.1 on connections that {@link PinnedClient} opens and checks.
 *
 * What the house says is hostile until it was parsed: sizes, names and pages are bounded, redirects and encodings are
 * refused. Each method throws {@link VisitError}, or the signal's reason when that aborted.
 */
export class HouseClient implements Disposable {
  readonly via: Via;
  /** Address as in a URL. */
  readonly place: string;
  readonly #peer: PinnedConnectOptions;
  readonly #client: PinnedClient;

  constructor({ via, ...options }: HouseClientOptions) {
    const { firstSocket: _, ...peer } = options;
    this.#peer = peer;
    this.via = via;
    this.place = `${bracketed(options.host)}:${options.port}`;
    this.#client = new PinnedClient({ ...options, idleSocketsMax });
  }

  /** One page of a folder: at most `limit` entries, and memory in proportion. */
  async list(
    path: string,
    { limit = listingLimitDefault, after, signal }: ListOptions = {},
  ): Promise<HouseListing> {
    const entriesMax = Math.min(Math.max(1, limit), listingLimitMax);
    const query = new URLSearchParams({ limit: String(entriesMax) });
    if (after !== undefined) query.set('after', after);
    const response = await this.#get('files', path, { query, signal });
    const bytesMax = entriesMax * entryBytesMax + answerFrameBytesMax;
    const listing = await readJson(response, HouseListingSchema, {
      ...this.#reading(path, signal),
      bytesMax,
    });
    if (listing.entries.length > entriesMax)
      throw answerVisitError(subjectOf(path), `it holds more than the ${entriesMax} entries asked for`);
    return listing;
  }

  async health({ signal }: { readonly signal?: AbortSignal } = {}): Promise<HouseHealth> {
    const response = await this.#get('health', '', { signal });
    return await readJson(response, HouseHealthSchema, {
      ...this.#reading('', signal),
      bytesMax: errorBytesMax,
    });
  }

  /** The answer comes when the house has read the bytes: for a large file in minutes. */
  async digest(path: string, { blocks, signal }: DigestOptions = {}): Promise<HouseDigest> {
    const query = new URLSearchParams();
    if (blocks === 'none') query.set('blocks', 'none');
    else if (blocks !== undefined) {
      query.set('from', String(blocks.from));
      query.set('count', String(blocks.count));
    }
    const digest = await whileAlive(
      (healthSignal) => this.health({ signal: healthSignal }),
      aliveEveryMs,
      signal,
      async (aliveSignal) => {
        const asking = { query, signal: aliveSignal, timeoutMs: digestTimeoutMs };
        const response = await this.#get('digest', path, asking);
        const reading = { ...this.#reading(path, aliveSignal), bytesMax: digestBytesMax };
        return await readJson(response, HouseDigestSchema, reading);
      },
    );
    checkDigest(path, digest, blocks);
    return digest;
  }

  async head(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<FileHead> {
    const response = await this.#get('download', path, { method: 'HEAD', signal });
    response.resume();
    return readFileHead(subjectOf(path), response.headers);
  }

  /**
   * The bytes of a file. The caller reads the body to its end or destroys it, and watches for silence.
   *
   * @param options.isBulk opens a connection for this body alone, which moves a large one at half the cost.
   */
  async openDownload(
    path: string,
    { isBulk = false, ...options }: DownloadOptions & { readonly isBulk?: boolean } = {},
  ): Promise<FileBody> {
    const bulk = isBulk ? await this.#openBulk(path, options) : undefined;
    if (bulk !== undefined) return bulk;
    const { stream, ...part } = await this.#openFile('download', path, options);
    return { ...part, body: new ResponseBody(stream) };
  }

  /** The same bytes for preview, as a stream of Node. The caller reads it to its end or destroys it. */
  openContent(
    path: string,
    options: DownloadOptions = {},
  ): Promise<FilePart & { readonly stream: IncomingMessage }> {
    return this.#openFile('content', path, options);
  }

  /** A folder as one file; its length is not known before. The caller reads the stream to its end or destroys it. */
  async openArchive(
    path: string,
    format: ArchiveFormat,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<IncomingMessage> {
    return await this.#get('archive', path, { query: new URLSearchParams({ format }), signal });
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #openFile(
    route: 'download' | 'content',
    path: string,
    options: DownloadOptions,
  ): Promise<FilePart & { readonly stream: IncomingMessage }> {
    const { range, headers } = rangeOf(options);
    const stream = await this.#get(route, path, { headers, signal: options.signal });
    try {
      const head = { status: stream.statusCode ?? 0, headers: stream.headers };
      return { ...readFilePart(subjectOf(path), head, range), stream };
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  async #openBulk(path: string, options: DownloadOptions): Promise<FileBody | undefined> {
    checkPath(path);
    const { signal } = options;
    const { range, headers } = rangeOf(options);
    const request = {
      path: houseTarget('download', path),
      headers: { host: this.place, ...commonHeaders, ...headers },
      connectTimeoutMs,
      headTimeoutMs,
      signal,
    };
    const answer = await this.#sent(signal, () => openBulk(this.#peer, request));
    if (answer === undefined) return undefined;
    const { head, body } = answer;
    try {
      return { ...readFilePart(subjectOf(path), head, range), body };
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  async #get(
    route: Parameters<typeof houseTarget>[0],
    path: string,
    options: {
      readonly method?: 'GET' | 'HEAD';
      readonly query?: URLSearchParams;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<IncomingMessage> {
    const { method = 'GET', query, headers, timeoutMs = headTimeoutMs, signal } = options;
    checkPath(path);
    const search = query === undefined || query.size === 0 ? '' : `?${query.toString()}`;
    const request = {
      method,
      path: houseTarget(route, path) + search,
      headers: { ...commonHeaders, ...headers },
      headTimeoutMs: timeoutMs,
      ...(signal !== undefined && { signal }),
    };
    const response = await this.#sent(signal, () => this.#client.send(request));
    keepAlive(response);
    const { statusCode = 0 } = response;
    if (isSuccess(statusCode, headers?.['range'] !== undefined)) return response;
    throw await refusal(path, statusCode, new ResponseBody(response));
  }

  /** Tries again once when a kept connection turns out to have been closed by the other side: all our requests may be repeated. */
  async #sent<T>(signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await send();
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        if (!isFirst || !isReset(error)) throw connectionVisitError(this.place, error);
      }
    }
  }

  #reading(path: string, signal: AbortSignal | undefined) {
    return { subject: subjectOf(path), place: this.place, timeoutMs: bodyTimeoutMs, signal };
  }
}

/** What the house says about its refusal, if it comes at all: the refusal counts either way. */
async function refusal(path: string, status: number, body: BodySource): Promise<VisitError> {
  let text = '';
  try {
    text = await withDeadline('Reading the refusal', headTimeoutMs, undefined, (signal) =>
      readText(body, errorBytesMax, signal),
    );
  } catch {
    // It stays without words.
  }
  return statusVisitError(subjectOf(path), status, text);
}

function checkPath(path: string): void {
  const refusal = pathRefusal(path);
  if (refusal !== undefined)
    throw new VisitError('bad_request', `${subjectOf(path)} is no path in a house: it holds ${refusal}`);
}

function rangeOf({ from = 0, to, etag }: DownloadOptions): {
  readonly range: { readonly from: number; readonly to: number | undefined } | undefined;
  readonly headers: Readonly<Record<string, string>>;
} {
  if (from === 0 && to === undefined) return { range: undefined, headers: {} };
  const headers = { range: `bytes=${from}-${to ?? ''}`, ...(etag !== undefined && { 'if-range': etag }) };
  return { range: { from, to }, headers };
}

function isSuccess(status: number, isRange: boolean): boolean {
  return status === 200 || (status === 206 && isRange);
}

/** A digest or a stalled disk over there can be silent for minutes, which home routers take for the end of a connection. */
function keepAlive({ socket }: IncomingMessage): void {
  // A link's stream is no socket of the system: the link keeps itself alive.
  if ('setKeepAlive' in socket) socket.setKeepAlive(true, keepAliveAfterMs);
}

function isReset(error: unknown): boolean {
  return errorCode(error) === 'ECONNRESET' || errorCode(error) === 'EPIPE';
}

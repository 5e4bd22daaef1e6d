/**
 * The floor under the relay's tracker: bare `node:https` with mutual TLS that answers from a Map. It admits
 * by fingerprint, read once per connection, and does nothing else: no validation, no limits, no store.
 *
 * Usage: bare-https.ts CERTIFICATE.pem KEY.pem; prints {"port":N} when it listens.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { TLSSocket } from 'node:tls';

interface Broadcast {
  readonly email: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly last_seen: string;
}

/** As long as the relay's, since questions with many clients leave one alone for longer than Node's default of 5 s. */
const keepAliveMs = 75_000;

const [certificatePath = '', keyPath = ''] = process.argv.slice(2);
const broadcastByEmail = new Map<string, Broadcast>();
const emailByFingerprint = new Map<string, string>();
const fingerprintBySocket = new WeakMap<object, string>();

const server = createServer(
  {
    cert: readFileSync(certificatePath),
    key: readFileSync(keyPath),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    keepAliveTimeout: keepAliveMs,
  },
  (request, response) => {
    const email = emailByFingerprint.get(fingerprintBySocket.get(request.socket) ?? '');
    const { url = '' } = request;
    if (url === '/api/relay/register') register(request, response);
    else if (email === undefined) answer(response, 401, { error: 'unknown certificate' });
    else if (url === '/api/relay/broadcast/ready') ready(email, request, response);
    else if (url.startsWith(lookupPrefix)) lookUp(url, response);
    else list(email, response);
  },
);
server.on('secureConnection', (socket) => {
  const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  if (certificate !== undefined) fingerprintBySocket.set(socket, certificate.fingerprint256);
});
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify(server.address()));
});

const lookupPrefix = '/api/relay/broadcast/lookup?email=';

/** Not measured: it is only here so that the floor is filled the way the relay is. */
function register(request: IncomingMessage, response: ServerResponse): void {
  readJson(request, (body) => {
    const { email } = body as { email: string };
    emailByFingerprint.set(fingerprintBySocket.get(request.socket) ?? '', email);
    answer(response, 200, { client_id: randomUUID() });
  });
}

function ready(email: string, request: IncomingMessage, response: ServerResponse): void {
  readJson(request, (body) => {
    const { port, addresses } = body as Broadcast;
    broadcastByEmail.set(email, { email, port, addresses, last_seen: new Date().toISOString() });
    answer(response, 200, { broadcast_id: randomUUID(), expires_in: 3600 });
  });
}

function lookUp(url: string, response: ServerResponse): void {
  const broadcast = broadcastByEmail.get(decodeURIComponent(url.slice(lookupPrefix.length)));
  if (broadcast === undefined) answer(response, 404, { error: 'not found' });
  else answer(response, 200, broadcast);
}

/** The first peers in the order in which they came: a floor need not sort. */
function list(email: string, response: ServerResponse): void {
  const page: Broadcast[] = [];
  for (const broadcast of broadcastByEmail.values()) {
    if (broadcast.email !== email) page.push(broadcast);
    if (page.length === 1000) break;
  }
  answer(response, 200, page);
}

function readJson(request: IncomingMessage, then: (body: unknown) => void): void {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => then(JSON.parse(text)));
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

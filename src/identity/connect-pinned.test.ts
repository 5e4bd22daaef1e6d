import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { DeadlineError, withDeadline } from '../util/deadline.ts';
import { closed } from '../util/testing/closed.ts';
import { connectPinned, type Expected, PeerMismatchError } from './connect-pinned.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { Identity } from './key-store.ts';
import { type TestAuthority, testAuthority } from './testing/certificate-authority.ts';
import { testIdentity } from './testing/test-identity.ts';
import { tcpServer, tlsServer } from './testing/tls-server.ts';

const host = '127.0.0.1';

let house: Identity;
let visitor: Identity;
before(async () => {
  [house, visitor] = await Promise.all([
    testIdentity('house@example.com'),
    testIdentity('visitor@example.com'),
  ]);
});

function pinnedTo(...identities: readonly Identity[]): Expected {
  return { kind: 'pinned', fingerprints: identities.map(({ claims }) => claims.fingerprint) };
}

describe('connectPinned to the one expected', () => {
  test('gives a connection with the post-quantum hybrid group, and shows the own certificate', async () => {
    await using server = await tlsServer(house);
    const socket = await connectPinned({
      host,
      port: server.port,
      expected: pinnedTo(house),
      identity: visitor,
    });
    assert.equal(Reflect.get(socket.getEphemeralKeyInfo() ?? {}, 'name'), 'X25519MLKEM768');
    socket.end('hello');
    await closed(socket);
    await server.idle();
    assert.equal(server.received(), 'hello');
    assert.deepEqual(server.shown, [visitor.claims.fingerprint]);
  });

  test('takes any of several pinned certificates', async () => {
    await using server = await tlsServer(house);
    const socket = await connectPinned({ host, port: server.port, expected: pinnedTo(visitor, house) });
    socket.destroy();
  });

  test('takes a renewed certificate for a pinned key, and only when the key is pinned', async () => {
    const renewed = await testIdentity('house@example.com', house);
    await using server = await tlsServer(renewed);
    const { fingerprint, publicKeyHash } = house.claims;
    const known: Expected = { kind: 'pinned', fingerprints: [fingerprint], publicKeyHashes: [publicKeyHash] };
    (await connectPinned({ host, port: server.port, expected: known })).destroy();
    await assert.rejects(
      connectPinned({ host, port: server.port, expected: pinnedTo(house) }),
      PeerMismatchError,
    );
  });

  test('negotiates the protocol that is offered', async () => {
    await using server = await tlsServer(house, { ALPNProtocols: ['flashback-link/1', 'http/1.1'] });
    const options = { host, port: server.port, expected: pinnedTo(house) };
    const socket = await connectPinned({ ...options, protocols: ['flashback-link/1'] });
    assert.equal(socket.alpnProtocol, 'flashback-link/1');
    socket.destroy();
  });

  test('leaves no listener on the signal, and aborting it later ends nothing', async () => {
    await using server = await tlsServer(house);
    const controller = new AbortController();
    const options = { host, port: server.port, expected: pinnedTo(house), signal: controller.signal };
    const socket = await connectPinned(options);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    controller.abort();
    socket.end('still here');
    await closed(socket);
    await server.idle();
    assert.equal(server.received(), 'still here');
  });
});

describe('connectPinned to an impostor', () => {
  test('refuses another certificate, tells which, and sends nothing but the handshake', async () => {
    const impostor = await testIdentity('house@example.com');
    await using server = await tlsServer(impostor);
    await assert.rejects(
      connectPinned({ host, port: server.port, expected: pinnedTo(house), identity: visitor }),
      (error) => {
        assert.ok(error instanceof PeerMismatchError);
        assert.equal(error.code, 'identity_mismatch');
        assert.equal(error.presented, impostor.claims.fingerprint);
        assert.equal(error.certificate && fingerprintOf(error.certificate), impostor.claims.fingerprint);
        assert.match(
          error.message,
          new RegExp(`^Cannot trust 127\\.0\\.0\\.1:${server.port}: .*${error.presented}`),
        );
        return true;
      },
    );
    await server.idle();
    assert.equal(server.received(), '');
  });

  test('refuses everybody when nobody is expected', async () => {
    await using server = await tlsServer(house);
    await assert.rejects(
      connectPinned({ host, port: server.port, expected: { kind: 'pinned', fingerprints: [] } }),
      PeerMismatchError,
    );
  });

  test('refuses a server that speaks nothing newer than TLS 1.2', async () => {
    await using server = await tlsServer(house, { maxVersion: 'TLSv1.2' });
    await assert.rejects(connectPinned({ host, port: server.port, expected: pinnedTo(house) }), {
      code: /ERR_SSL_(TLSV1_ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL)/,
    });
    await server.idle();
    assert.equal(server.secured.length, 0);
  });

  test('does not let a pinned certificate stand in for its key: the handshake proves it', async () => {
    // A server that shows the house's certificate has to sign with the house's key; Node refuses to start without it.
    const { certificatePem } = house;
    await assert.rejects(tlsServer({ certificatePem, keyPem: visitor.keyPem }), /key values mismatch/);
  });
});

describe('connectPinned by certificate authority', () => {
  let authority: TestAuthority;
  const trusted = getCACertificates('default');
  before(async () => {
    authority = await testAuthority();
    setDefaultCACertificates([...trusted, authority.certificatePem]);
  });
  after(() => setDefaultCACertificates(trusted));

  const expected: Expected = { kind: 'authority' };

  test('takes a certificate that one of this machine vouches for, under its name or address', async () => {
    await using named = await tlsServer(await authority.issue('localhost'));
    (await connectPinned({ host: 'localhost', port: named.port, expected })).destroy();
    await using numbered = await tlsServer(await authority.issue('127.0.0.1', 'ip'));
    (await connectPinned({ host, port: numbered.port, expected })).destroy();
  });

  test('refuses the certificate of another name, and says nothing to it', async () => {
    await using server = await tlsServer(await authority.issue('relay.example'));
    for (const name of ['localhost', host])
      await assert.rejects(connectPinned({ host: name, port: server.port, expected }), {
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
    await server.idle();
    assert.equal(server.received(), '');
  });

  test('refuses a certificate that nobody vouches for', async () => {
    await using server = await tlsServer(house);
    await assert.rejects(connectPinned({ host: 'localhost', port: server.port, expected }), {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });
});

describe('connectPinned where no TLS server answers', () => {
  const toHouse = (port: number, signal?: AbortSignal) =>
    connectPinned({ host, port, expected: pinnedTo(house), ...(signal !== undefined && { signal }) });

  test('rejects when nobody listens', async () => {
    const server = await tcpServer(() => {});
    await server[Symbol.asyncDispose]();
    await assert.rejects(toHouse(server.port), { code: 'ECONNREFUSED' });
  });

  test('rejects when the connection is reset, at once or in the middle of the handshake', async () => {
    await using atOnce = await tcpServer((socket) => socket.resetAndDestroy());
    await assert.rejects(toHouse(atOnce.port), { code: 'ECONNRESET' });
    await using later = await tcpServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await assert.rejects(toHouse(later.port), { code: 'ECONNRESET' });
  });

  test('rejects when the connection is closed politely before it is secure', async () => {
    await using server = await tcpServer((socket) => socket.once('data', () => socket.end()));
    await assert.rejects(
      toHouse(server.port),
      /before (secure TLS connection was established|it was secure)/,
    );
  });

  test('rejects when something else than TLS answers', async () => {
    await using server = await tcpServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    await assert.rejects(toHouse(server.port), { code: /^ERR_SSL_/ });
  });

  test("gives up with the signal's reason when nobody says anything", async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    await using server = await tcpServer((socket) => socket.on('close', () => resolve()).resume());
    const reach = (signal: AbortSignal): Promise<TLSSocket> => toHouse(server.port, signal);
    await assert.rejects(withDeadline('Cannot reach the house', 50, undefined, reach), DeadlineError);
    await gone;
  });

  test('does not even connect when the signal has aborted already', async () => {
    let connections = 0;
    await using server = await tcpServer(() => (connections += 1));
    const reason = new Error('too late');
    await assert.rejects(toHouse(server.port, AbortSignal.abort(reason)), (error) => error === reason);
    // A connection made in vain would be accepted before this one.
    await assert.rejects(toHouse(server.port, AbortSignal.timeout(20)));
    assert.equal(connections, 1);
  });
});

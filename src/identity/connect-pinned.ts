import { X509Certificate } from 'node:crypto';
import type { OnReadOpts } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { KeyAndCertificate } from './create-identity.ts';
import { type Fingerprint, fingerprintOf, publicKeyHashOf } from './fingerprint.ts';

/**
 * Who must be at the other end:
 * `pinned`: a certificate with one of these fingerprints, or a renewed one for this public key;
 * `authority`: whoever a certificate authority of this machine vouches for under the host name.
 */
export type Expected =
  | {
      readonly kind: 'pinned';
      readonly fingerprints: readonly Fingerprint[];
      readonly publicKeyHashes?: readonly string[];
    }
  | { readonly kind: 'authority' };

export interface PinnedConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly expected: Expected;
  /** The client certificate to show. */
  readonly identity?: KeyAndCertificate;
  /** Offered to the server (RFC 7301), in order of preference. */
  readonly protocols?: readonly string[];
  readonly signal?: AbortSignal;
  /** Local address to connect from. */
  readonly localAddress?: string;
  /**
   * Takes what arrives in place of `data` events, always in the same memory: for bulk, where a buffer for each TLS
   * record would keep the garbage collector busy. Called from `secureConnect` on, and not for a peer that is refused.
   */
  readonly reader?: {
    readonly buffer: Buffer;
    /** The first `bytes` of the buffer are new. After `pause()` more may come, of what was decrypted already. */
    readonly onBytes: (bytes: number) => void;
  };
}

/** The other end showed a certificate that was not expected. Nothing was sent to it beyond the handshake. */
export class PeerMismatchError extends Error {
  readonly code = 'identity_mismatch';
  readonly presented: Fingerprint | undefined;
  /** What it showed, for telling a changed key from somebody else's machine. Its holder proved the key, not the name. */
  readonly certificate: X509Certificate | undefined;

  constructor(host: string, port: number, certificate: X509Certificate | undefined) {
    const presented = certificate === undefined ? undefined : fingerprintOf(certificate);
    super(
      presented === undefined
        ? `Cannot trust ${host}:${port}: it showed no certificate`
        : `Cannot trust ${host}:${port}: it showed the certificate ${presented}, which is not the one expected`,
    );
    this.name = 'PeerMismatchError';
    this.presented = presented;
    this.certificate = certificate;
  }
}

/** Post-quantum hybrid first; X25519 for what cannot do it yet (a CA-terminating proxy, an older OpenSSL). */
const groups = 'X25519MLKEM768:X25519:P-256';

/**
 * The one door through which this program opens TLS: to a relay, to a house, and later for links.
 *
 * With `rejectUnauthorized: false` Node does not call `checkServerIdentity` for a self-signed certificate, so the
 * comparison happens here, at `secureConnect`, before the socket is handed to anybody.
 *
 * @returns a connected socket of the expected peer; the caller owns it.
 * @throws {PeerMismatchError} when somebody else is there; errors of Node's `net` and `tls`; the signal's reason.
 */
export function connectPinned(options: PinnedConnectOptions): Promise<TLSSocket> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    let isTrusted = false;
    const socket = connect(tlsOptions(options, () => isTrusted));
    const onAbort = (): void => settle(signal?.reason ?? new Error('aborted'));
    // TLS over some streams reports one failure twice: `on`, never `once`.
    const onError = (error: Error): void => settle(error);
    const settle = (error?: unknown): void => {
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('secureConnect', onSecure);
      socket.removeListener('close', onClose);
      if (error === undefined) {
        socket.removeListener('error', onError);
        isTrusted = true;
        resolve(socket);
        return;
      }
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onClose = (): void =>
      settle(new Error(`Connection to ${options.host}:${options.port} closed before it was secure`));
    const onSecure = (): void => {
      let mismatch: unknown;
      try {
        mismatch = findMismatch(socket, options);
      } catch (error) {
        // A certificate that cannot be read must end this connection, not the process.
        mismatch = error;
      }
      settle(mismatch);
    };
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.on('secureConnect', onSecure);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function tlsOptions(
  options: PinnedConnectOptions,
  isTrusted: () => boolean,
): ConnectionOptions & { readonly onread?: OnReadOpts } {
  const { host, port, expected, identity, protocols, localAddress, reader } = options;
  const isName = !/^[\d.]+$|:/.test(host);
  return {
    host,
    port,
    ecdhCurve: groups,
    minVersion: expected.kind === 'pinned' ? 'TLSv1.3' : 'TLSv1.2',
    rejectUnauthorized: expected.kind === 'authority',
    ...(isName && { servername: host }),
    ...(identity !== undefined && { cert: identity.certificatePem, key: identity.keyPem }),
    ...(protocols !== undefined && { ALPNProtocols: [...protocols] }),
    ...(localAddress !== undefined && { localAddress }),
    ...(reader !== undefined && {
      onread: {
        buffer: reader.buffer,
        callback: (bytes) => {
          if (isTrusted()) reader.onBytes(bytes);
          return true;
        },
      },
    }),
  };
}

function findMismatch(socket: TLSSocket, options: PinnedConnectOptions): Error | undefined {
  const { expected, host, port } = options;
  // OpenSSL has checked chain and name already.
  if (expected.kind === 'authority') return undefined;
  const certificate = peerCertificate(socket);
  if (certificate === undefined) return new PeerMismatchError(host, port, undefined);
  const presented = fingerprintOf(certificate);
  if (expected.fingerprints.includes(presented)) return undefined;
  if (expected.publicKeyHashes?.includes(publicKeyHashOf(certificate)) === true) return undefined;
  return new PeerMismatchError(host, port, certificate);
}

/** The certificate the other end showed, parsed once; undefined when it showed none. */
export function peerCertificate(socket: TLSSocket): X509Certificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate instanceof X509Certificate ? certificate : undefined;
}

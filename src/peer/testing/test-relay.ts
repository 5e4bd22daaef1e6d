import { X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServerCertificate } from '../../identity/create-identity.ts';
import { fingerprintOf } from '../../identity/fingerprint.ts';
import type { Identity } from '../../identity/key-store.ts';
import { formatRelayUrl, parseRelayUrl } from '../../wire/relay-url.ts';
import { RelayClient } from '../relay-client/relay-client.ts';
import { httpsServer, type TestHttpsServer } from './https-server.ts';

export interface PretendedRelay extends AsyncDisposable {
  readonly server: TestHttpsServer;
  readonly client: RelayClient;
}

/** A server that answers as the test says where a relay is expected, with the certificate expected, and a client of it. */
export async function pretendRelay(identity: Identity, onRequest: RequestListener): Promise<PretendedRelay> {
  const certificate = await createServerCertificate(['localhost']);
  const server = await httpsServer(certificate, onRequest);
  const fingerprint = fingerprintOf(new X509Certificate(certificate.certificatePem));
  const url = parseRelayUrl(formatRelayUrl(`https://127.0.0.1:${server.port}`, fingerprint));
  const client = new RelayClient({ url, identity });
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

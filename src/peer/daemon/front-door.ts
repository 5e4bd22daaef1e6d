import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { CertificateClaims, CertificateError } from '../../identity/certificate.ts';
import { peerCertificate } from '../../identity/connect-pinned.ts';
import { type Admission, readVisitor } from '../admission/admission.ts';
import type { House } from '../house/create-house.ts';
import { remoteAddressOf } from '../port/house-port.ts';

type Visitor = CertificateClaims | CertificateError | undefined;

/** A certificate is read once a connection: it costs more than many a request. */
const visitorBySocket = new WeakMap<Socket, Visitor>();

/** Every request to the house passes here: who is it, may they come in, then the house answers. */
export function frontDoor(admission: Admission, house: House, log: Logger): RequestListener {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const decision = await admission.decide(visitorOf(request.socket), remoteAddressOf(request));
    if (decision.kind === 'admitted') {
      const { email, fingerprint } = decision.claims;
      await house.handle(request, response, { email, fingerprint });
      return;
    }
    const body = JSON.stringify({ error: decision.error });
    response.writeHead(decision.status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(decision.status === 503 && { 'retry-after': '10' }),
    });
    response.end(body);
  };
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log.error({ err: error }, 'a visitor could not be answered');
      response.destroy();
    });
  };
}

function visitorOf(socket: Socket): Visitor {
  if (visitorBySocket.has(socket)) return visitorBySocket.get(socket);
  const visitor = socket instanceof TLSSocket ? readVisitor(peerCertificate(socket)) : undefined;
  visitorBySocket.set(socket, visitor);
  return visitor;
}

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type CertificateClaims,
  CertificateError,
  checkValidity,
  readCertificate,
} from '../../identity/certificate.ts';
import {
  AnnouncedPeerSchema,
  CertificateResponseSchema,
  ErrorBodySchema,
  ListResponseSchema,
  listPageMax,
  ReadyRequestSchema,
  ReadyResponseSchema,
  RegisterRequestSchema,
  RegisterResponseSchema,
  relayPaths,
} from '../../wire/relay-http.ts';
import { authenticate, clientConnection } from '../server/client-connection.ts';
import type { RateLimits } from '../server/rate-limits.ts';
import { RequestError } from '../server/request-body.ts';
import { refuseOtherMethods } from '../server/rest-app.ts';
import type { Account } from './directory.ts';
import { emailParameter, type HotRoutes } from './hot-routes.ts';
import type { Tracker } from './tracker.ts';

const security = [{ clientCertificate: [] }];
const tags = ['tracker'];
const emailQuery = { type: 'object', properties: { email: { type: 'string' } }, required: ['email'] };

/** The tracker's routes under Fastify; the hot ones are handed on to {@link HotRoutes} and only documented here. */
export function registerTrackerRoutes(
  app: FastifyInstance,
  tracker: Tracker,
  limits: RateLimits,
  hotRoutes: HotRoutes,
): void {
  app.post(
    relayPaths.register,
    {
      schema: {
        tags,
        summary: 'Register a certificate for the e-mail in its CN',
        description:
          'Needs no authentication. Over a connection that proves a certificate of the same e-mail, a further certificate joins the account.',
        body: RegisterRequestSchema,
        response: answers({ 200: RegisterResponseSchema }, 400, 409, 429),
      },
    },
    async (request, reply) => {
      const body = request.body as z.output<typeof RegisterRequestSchema>;
      const claims = readRegistrable(body.certificate, body.email, tracker.nowMs());
      const connection = clientConnection(request.raw);
      const who = authenticate(connection, tracker.directory, tracker.nowMs());
      const result = await tracker.register(claims, 'credential' in who ? who.credential.account : undefined);
      switch (result.kind) {
        case 'registered':
          return { client_id: result.clientId };
        case 'too-many-certificates':
          throw new RequestError(409, 'this account has as many certificates as it may have');
        default:
          return refuseTaken(reply, limits.takeTaken(connection.address), result.kind);
      }
    },
  );
  refuseOtherMethods(app, relayPaths.register, ['POST']);

  app.delete(
    relayPaths.broadcast,
    {
      schema: {
        tags,
        security,
        summary: 'Withdraw the broadcast',
        response: answers({ 204: z.undefined() }, 401, 429),
      },
    },
    async (request, reply) => {
      await tracker.withdraw(requireAccount(request, tracker));
      return reply.code(204).send();
    },
  );
  refuseOtherMethods(app, relayPaths.broadcast, ['DELETE']);

  app.get(
    relayPaths.certificate,
    {
      schema: {
        tags,
        security,
        summary: 'The certificates of a registered client',
        querystring: emailQuery,
        response: answers({ 200: CertificateResponseSchema }, 400, 401, 404, 429),
      },
      validatorCompiler: () => () => true,
    },
    (request) => {
      requireAccount(request, tracker);
      const email = emailParameter(request.url.split('?')[1] ?? '');
      if (typeof email !== 'string') throw new RequestError(400, email.problem);
      const account = tracker.directory.accountByEmail(email);
      if (account === undefined) throw new RequestError(404, 'no such client is registered');
      const certificates = [...account.certificates.values()].map(({ pem, fingerprint }) => ({
        certificate: pem,
        fingerprint,
      }));
      return { email, certificates };
    },
  );
  refuseOtherMethods(app, relayPaths.certificate, ['GET']);

  const onHotRoute = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    hotRoutes.serve(request.raw, reply.raw);
  };
  const unchecked = { validatorCompiler: () => () => true };
  app.get(
    relayPaths.lookup,
    {
      ...unchecked,
      schema: {
        tags,
        security,
        summary: 'Where an announced peer is',
        querystring: emailQuery,
        response: answers({ 200: AnnouncedPeerSchema }, 400, 401, 404, 429),
      },
    },
    onHotRoute,
  );
  refuseOtherMethods(app, relayPaths.lookup, ['GET']);
  app.get(
    relayPaths.list,
    {
      ...unchecked,
      schema: {
        tags,
        security,
        summary: 'Every announced peer but the caller, by e-mail',
        description:
          'Everything without `limit`, else a page, with the next one in a Link header (RFC 8288).',
        querystring: {
          type: 'object',
          properties: {
            limit: { type: 'integer', minimum: 1, maximum: listPageMax },
            after: { type: 'string' },
          },
        },
        response: answers({ 200: ListResponseSchema }, 400, 401, 429),
      },
    },
    onHotRoute,
  );
  refuseOtherMethods(app, relayPaths.list, ['GET']);
  app.post(
    relayPaths.ready,
    {
      ...unchecked,
      schema: {
        tags,
        security,
        summary: 'Announce where this client is, for an hour',
        body: ReadyRequestSchema,
        response: answers({ 200: ReadyResponseSchema }, 400, 401, 413, 429, 503),
      },
    },
    onHotRoute,
  );
  refuseOtherMethods(app, relayPaths.ready, ['POST']);
}

/** @throws {RequestError} 400 when the certificate cannot stand for this e-mail now. */
function readRegistrable(pem: string, email: string, nowMs: number): CertificateClaims {
  try {
    const claims = readCertificate(pem);
    if (claims.email !== email)
      throw new RequestError(400, 'the CN of the certificate is not the email that is registered');
    checkValidity(claims, nowMs);
    return claims;
  } catch (error) {
    if (error instanceof CertificateError) throw new RequestError(400, error.message);
    throw error;
  }
}

function requireAccount(request: FastifyRequest, tracker: Tracker): Account {
  const who = authenticate(clientConnection(request.raw), tracker.directory, tracker.nowMs());
  if ('refusal' in who) throw new RequestError(401, who.refusal);
  return who.credential.account;
}

/** The one answer that discloses that an e-mail is taken (mission T1): few per address, then 429. */
function refuseTaken(
  reply: FastifyReply,
  waitMs: number,
  kind: 'email-taken' | 'certificate-taken',
): FastifyReply {
  if (waitMs > 0) {
    const seconds = Math.ceil(waitMs / 1000);
    return reply
      .code(429)
      .header('retry-after', seconds)
      .send({ error: `too many requests, try again in ${seconds} s` });
  }
  const error =
    kind === 'email-taken'
      ? 'this email is registered with another certificate'
      : 'this certificate is registered already';
  return reply.code(409).send({ error });
}

function answers(success: Record<number, z.ZodType>, ...failures: number[]): Record<number, z.ZodType> {
  return { ...success, ...Object.fromEntries(failures.map((status) => [status, ErrorBodySchema])) };
}

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
import { clientConnection } from '../server/client-connection.ts';
import type { RateLimits } from '../server/rate-limits.ts';
import { RequestError } from '../server/request-body.ts';
import { refuseOtherMethods, replyTooMany } from '../server/rest-app.ts';
import type { Account } from './directory.ts';
import { emailParameter, type HotRoute, type HotRoutes, queryOf } from './hot-routes.ts';
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
      config: { isCountedByAddress: true },
      schema: {
        tags,
        summary: 'Register a certificate for the e-mail in its CN',
        description:
          'Needs no authentication. Over a connection that proves a certificate of the same e-mail, a further certificate joins the account.',
        body: RegisterRequestSchema,
        response: answers({ 200: RegisterResponseSchema }, 400, 409, 413, 429, 503),
      },
    },
    async (request, reply) => {
      const body = request.body as z.output<typeof RegisterRequestSchema>;
      const claims = readRegistrable(body.certificate, body.email, tracker.nowMs());
      const connection = clientConnection(request.raw);
      const waitMs = tracker.hasCertificate(claims) ? 0 : limits.waitForTaken(connection.address);
      if (waitMs > 0) return replyTooMany(reply, waitMs);
      const who = tracker.authenticate(connection.fingerprint);
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
        response: answers({ 204: z.null() }, 401, 429, 503),
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
      const email = emailParameter(queryOf(request.url));
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

  // They are here for the document, and for paths that are written in another way than `serve` knows (escapes, a whole URL).
  const servedHot = (route: HotRoute) => ({
    config: { isUncounted: true },
    validatorCompiler: () => () => true,
    // Before Fastify reads the body.
    onRequest: async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      reply.hijack();
      hotRoutes.serveAs(route, request.raw, reply.raw);
    },
    handler: () => {},
  });
  app.route({
    ...servedHot('lookup'),
    method: 'GET',
    url: relayPaths.lookup,
    schema: {
      tags,
      security,
      summary: 'Where an announced peer is',
      querystring: emailQuery,
      response: answers({ 200: AnnouncedPeerSchema }, 400, 401, 404, 429),
    },
  });
  refuseOtherMethods(app, relayPaths.lookup, ['GET']);
  app.route({
    ...servedHot('list'),
    method: 'GET',
    url: relayPaths.list,
    schema: {
      tags,
      security,
      summary: 'Every announced peer but the caller, by e-mail',
      description: 'Everything without `limit`, else a page, with the next one in a Link header (RFC 8288).',
      querystring: {
        type: 'object',
        properties: {
          limit: { type: 'integer', minimum: 1, maximum: listPageMax },
          after: { type: 'string' },
        },
      },
      response: answers({ 200: ListResponseSchema }, 400, 401, 429),
    },
  });
  refuseOtherMethods(app, relayPaths.list, ['GET']);
  app.route({
    ...servedHot('ready'),
    method: 'POST',
    url: relayPaths.ready,
    schema: {
      tags,
      security,
      summary: 'Announce where this client is, for an hour',
      body: ReadyRequestSchema,
      response: answers({ 200: ReadyResponseSchema }, 400, 401, 413, 429, 503),
    },
  });
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
  const who = tracker.authenticate(clientConnection(request.raw).fingerprint);
  if ('refusal' in who) throw new RequestError(401, who.refusal);
  return who.credential.account;
}

/** The one answer that discloses that an e-mail is taken (mission T1): few per address, then 429. */
function refuseTaken(
  reply: FastifyReply,
  waitMs: number,
  kind: 'email-taken' | 'certificate-taken',
): FastifyReply {
  if (waitMs > 0) return replyTooMany(reply, waitMs);
  const error =
    kind === 'email-taken'
      ? 'this email is registered with another certificate'
      : 'this certificate is registered already';
  return reply.code(409).send({ error });
}

const meanings: Readonly<Record<number, string>> = {
  200: 'Done',
  204: 'Nothing is announced any more',
  400: 'Something in the request is wrong: the error says what',
  401: 'The connection shows no registered certificate that is valid',
  404: 'Not there, or not for the one who asks: both look alike',
  409: 'Not possible beside what is registered already',
  413: 'The body is too long',
  429: 'Too many requests: Retry-After says in how many seconds to come back',
  503: 'Nothing was stored: try again',
};

function answers(success: Record<number, z.ZodType>, ...failures: number[]): Record<number, z.ZodType> {
  const failed = failures.map((status) => [status, ErrorBodySchema] as const);
  const all = [...Object.entries(success), ...failed];
  return Object.fromEntries(
    all.map(([status, schema]) => [status, schema.describe(meanings[Number(status)] ?? '')]),
  );
}

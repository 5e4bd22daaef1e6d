import { METHODS } from 'node:http';
import helmet from '@fastify/helmet';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { describeIssues } from '../../wire/describe-issues.ts';
import { requestBodyBytesMax } from '../../wire/relay-http.ts';
import { StoreError } from '../store/store-error.ts';
import type { Tracker } from '../tracker/tracker.ts';
import { clientConnection } from './client-connection.ts';
import type { RateLimits } from './rate-limits.ts';
import { RequestError } from './request-body.ts';

export interface RestAppOptions {
  readonly tracker: Tracker;
  readonly limits: RateLimits;
  readonly log: Logger;
}

/**
 * The Fastify application of the routes that are not hot: schemas are zod's, errors are `{"error": "…"}`, the OpenAPI
 * document is made from what is registered. The rate limits apply to all of it but what says `isUncounted`.
 */
export async function createRestApp({ tracker, limits, log }: RestAppOptions): Promise<FastifyInstance> {
  const app: FastifyInstance = Fastify({
    logger: false,
    bodyLimit: requestBodyBytesMax,
    exposeHeadRoutes: false,
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, maxParamLength: 512 },
    frameworkErrors: refuseUnreadablePath,
  });
  for (const method of METHODS)
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"] } },
    // The relay is one port of a host that may serve others, and its clients come by pinned https:// URLs.
    strictTransportSecurity: false,
  });
  // @ts-expect-error: OpenAPI 3.1 has mutual TLS as a security scheme, the plugin's types are those of 3.0.
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Flashback relay',
        description: 'The relay is a matchmaker, not a middleman. See docs/protocol/tracker.md.',
        version: '1',
      },
      components: { securitySchemes: { clientCertificate: { type: 'mutualTLS' } } },
    },
    transform: ({ schema, url }) => ({ schema: documented(schema), url }),
  });
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (value) => {
    if (value === null || value === undefined) return { error: new RequestError(400, bodyMissing) };
    const parsed = schema.safeParse(value);
    return parsed.success
      ? { value: parsed.data }
      : { error: new RequestError(400, describeIssues(parsed.error)) };
  });
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  readJsonWhateverItSays(app);

  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.isUncounted === true) return;
    const { fingerprint, address } = clientConnection(request.raw);
    const waitMs =
      request.routeOptions.config.isCountedByAddress === true
        ? limits.takeForAddress(address)
        : limits.take(tracker.authenticate(fingerprint), address);
    if (waitMs > 0) await replyTooMany(reply, waitMs);
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'there is nothing at this path' }),
  );
  app.setErrorHandler((error, request, reply) => {
    const { status, message } = describeFailure(error);
    if (status >= 500) log.error({ err: error, path: request.routeOptions.url }, 'a request failed');
    if (status === 503) reply.header('retry-after', '1');
    return reply.code(status).send({ error: message });
  });
  app.get('/api/openapi.json', { schema: { hide: true } }, () => app.swagger());
  return app;
}

/** What cannot be routed at all: escapes in the path that are none. */
function refuseUnreadablePath(_error: unknown, _request: unknown, reply: FastifyReply): void {
  void reply.code(400).send({ error: 'the path cannot be read' });
}

/** 429 with `Retry-After` in whole seconds (RFC 9110 §10.2.3). */
export function replyTooMany(reply: FastifyReply, waitMs: number): FastifyReply {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return reply
    .code(429)
    .header('retry-after', seconds)
    .send({ error: `too many requests, try again in ${seconds} s` });
}

/** Every method but those of `methods` at `path` answers 405 with `Allow` (RFC 9110 §15.5.6), whatever its body. */
export function refuseOtherMethods(app: FastifyInstance, path: string, methods: readonly string[]): void {
  const refuse = (_request: FastifyRequest, reply: FastifyReply): FastifyReply =>
    reply
      .code(405)
      .header('allow', methods.join(', '))
      .send({ error: `this path takes ${methods.join(' or ')} only` });
  app.route({
    method: app.supportedMethods.filter((method) => !methods.includes(method)),
    url: path,
    schema: { hide: true },
    // Before the body is read.
    onRequest: async (request, reply) => refuse(request, reply),
    handler: refuse,
  });
}

const bodyMissing = 'body is empty, expected JSON';

/** Scripts forget `content-type`, or send it without a body; what is not JSON gets the same clear 400. */
function readJsonWhateverItSays(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    const text = body.toString();
    if (request.method !== 'POST' || text === '') {
      done(null, undefined);
      return;
    }
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        done(new RequestError(400, 'body must be a JSON object'));
      else done(null, value);
    } catch {
      done(new RequestError(400, 'body is not valid JSON'));
    }
  });
}

function describeFailure(error: unknown): { status: number; message: string } {
  if (error instanceof RequestError) return { status: error.status, message: error.message };
  if (error instanceof StoreError) return { status: 503, message: 'the relay cannot store this now' };
  const status = isStatusError(error) ? error.statusCode : 500;
  if (status === 413) return { status, message: `body is longer than ${requestBodyBytesMax} bytes` };
  if (status >= 400 && status < 500) return { status, message: 'the request cannot be read' };
  return { status: 500, message: 'something went wrong inside the relay' };
}

function isStatusError(error: unknown): error is { statusCode: number } {
  return (
    typeof error === 'object' &&
    error !== null &&
    'statusCode' in error &&
    typeof error.statusCode === 'number'
  );
}

/** A route's zod schemas as JSON Schema, in the form that travels: before anything is normalised. */
function documented(schema: unknown): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema ?? {})) {
    result[key] =
      key === 'response'
        ? Object.fromEntries(
            Object.entries(value ?? {}).map(([status, answer]) => [status, jsonSchema(answer)]),
          )
        : jsonSchema(value);
  }
  return result;
}

function jsonSchema(schema: unknown): unknown {
  if (!(schema instanceof z.ZodType)) return schema;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Not counted by the rate limits: what a load balancer asks, and what counts itself. */
    isUncounted?: boolean;
    /** Counted by network address even for who shows a registered certificate. */
    isCountedByAddress?: boolean;
  }
}

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { createIdentity, type KeyAndCertificate } from '../../identity/create-identity.ts';
import { relayPaths } from '../../wire/relay-http.ts';
import { TestRelay } from '../testing/relay-fixture.ts';

const ContentSchema = z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) }));
const OperationSchema = z.object({
  summary: z.string(),
  tags: z.array(z.string()),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z
    .array(z.object({ name: z.string(), in: z.literal('query'), required: z.boolean().optional() }))
    .optional(),
  requestBody: z.object({ content: ContentSchema }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: ContentSchema.optional() })),
});
const DocumentSchema = z.object({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  components: z.object({ securitySchemes: z.record(z.string(), z.object({ type: z.string() })) }),
  paths: z.record(z.string(), z.record(z.string(), OperationSchema)),
});

describe('the OpenAPI document', () => {
  let relay: TestRelay;
  let document: z.infer<typeof DocumentSchema>;
  let me: KeyAndCertificate;
  before(async () => {
    relay = await TestRelay.start();
    me = await createIdentity('me@example.com');
    await relay.register(me, 'me@example.com');
    const answer = await relay.ask(undefined, '/api/openapi.json');
    assert.equal(answer.status, 200);
    document = DocumentSchema.parse(answer.json());
  });
  after(() => relay[Symbol.asyncDispose]());

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );

  test('names each path with its one method, and none besides', () => {
    assert.deepEqual(
      operations()
        .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
        .sort(),
      [
        `DELETE ${relayPaths.broadcast}`,
        `GET ${relayPaths.certificate}`,
        `GET ${relayPaths.list}`,
        `GET ${relayPaths.lookup}`,
        'GET /health',
        'GET /ready',
        `POST ${relayPaths.ready}`,
        `POST ${relayPaths.register}`,
      ].sort(),
    );
  });

  test('names methods that are really there, and every other one is refused', async () => {
    for (const { path, method } of operations()) {
      const asked = await relay.ask(me, path, { method: method.toUpperCase(), body: '{}' });
      assert.ok(asked.status !== 404 || path === relayPaths.lookup, `${method} ${path}: ${asked.status}`);
      assert.notEqual(asked.status, 405, `${method} ${path}`);
      const other = await relay.ask(me, path, { method: 'PATCH', body: '{}' });
      assert.deepEqual([other.status, other.headers['allow']], [405, method.toUpperCase()], path);
    }
  });

  test('gives each answer a shape, and each failure of the tracker the one that all have', () => {
    for (const { path, method, operation } of operations()) {
      for (const [status, { content, description }] of Object.entries(operation.responses)) {
        if (path.startsWith('/api/')) assert.notEqual(description, 'Default Response');
        const schema = content?.['application/json']?.schema;
        if (status === '204') {
          assert.equal(content, undefined);
          continue;
        }
        assert.ok(schema, `${method} ${path} → ${status}`);
        if (path.startsWith('/api/') && Number(status) >= 400)
          assert.deepEqual(schema['required'], ['error'], `${method} ${path} → ${status}`);
      }
    }
  });

  test('says where a client certificate is needed by a scheme that it defines', () => {
    const secured = operations().filter(({ operation }) => operation.security !== undefined);
    assert.deepEqual(
      secured.map(({ path }) => path).sort(),
      Object.values(relayPaths)
        .filter((path) => path !== relayPaths.register)
        .sort(),
    );
    for (const { operation } of secured)
      for (const scheme of operation.security?.flatMap(Object.keys) ?? [])
        assert.deepEqual(document.components.securitySchemes[scheme], { type: 'mutualTLS' });
  });

  test('describes bodies with their limits, and parameters', () => {
    const body = document.paths[relayPaths.ready]?.['post']?.requestBody?.content['application/json']?.schema;
    const { properties, required } = z
      .object({
        properties: z.record(z.string(), z.record(z.string(), z.unknown())),
        required: z.array(z.string()),
      })
      .parse(body);
    assert.deepEqual(required, ['port', 'addresses']);
    assert.deepEqual(
      [
        properties['port']?.['minimum'],
        properties['port']?.['maximum'],
        properties['addresses']?.['maxItems'],
      ],
      [1, 65_535, 16],
    );
    const parameters = (path: string) =>
      document.paths[path]?.['get']?.parameters?.map(({ name, required: isRequired }) => [
        name,
        isRequired === true,
      ]);
    assert.deepEqual(parameters(relayPaths.lookup), [['email', true]]);
    assert.deepEqual(parameters(relayPaths.certificate), [['email', true]]);
    assert.deepEqual(parameters(relayPaths.list), [
      ['limit', false],
      ['after', false],
    ]);
  });

  test('holds no reference that leads nowhere', () => {
    assert.deepEqual(JSON.stringify(document).match(/"\$ref":"[^"]*"/g), null);
  });
});

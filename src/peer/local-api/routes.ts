import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { EmailSchema } from '../../wire/email.ts';
import type { HouseListing } from '../../wire/house-http.ts';
import {
  AddFriendSchema,
  type DownloadEvent,
  type DownloadRequest,
  DownloadRequestSchema,
  ExportRequestSchema,
  type FriendRequest,
  type HouseStateSchema,
  localApiPaths,
  type Peer,
  ShareSchema,
  type Status,
  type Via,
} from '../../wire/local-api.ts';
import type { Guard } from './guard.ts';
import { landingPage, landingStyle } from './landing-page.ts';

/** What the daemon can do for its user; each method rejects with an error whose `code` is a `FailureCode`. */
export interface DaemonActions {
  status(): Status;
  peers(signal: AbortSignal): Promise<{ peers: Peer[]; relayProblem?: string }>;
  peer(email: string, check: boolean, signal: AbortSignal): Promise<Peer>;
  friends(): Peer[];
  addFriend(email: string, options: z.output<typeof AddFriendSchema>, signal: AbortSignal): Promise<Peer>;
  removeFriend(email: string): void;
  requests(): FriendRequest[];
  acceptRequest(email: string): Promise<Peer>;
  refuseRequest(email: string): void;
  share(sharing: boolean): Promise<z.output<typeof HouseStateSchema>>;
  list(
    email: string,
    path: string,
    page: { limit?: number; after?: string },
    signal: AbortSignal,
  ): Promise<HouseListing>;
  content(
    email: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ body: NodeJS.ReadableStream; via: Via; size?: number }>;
  download(request: DownloadRequest, signal: AbortSignal): AsyncIterable<DownloadEvent>;
  exportIdentity(passphrase: string): Promise<string>;
  stop(): void;
}

const HouseQuerySchema = z.object({
  peer: EmailSchema,
  path: z.string().default(''),
  limit: z.coerce.number().int().positive().optional(),
  after: z.string().optional(),
});
const EmailParamsSchema = z.object({ email: EmailSchema });

/** The routes of `src/wire/local-api.ts`. */
export function registerLocalRoutes(app: FastifyInstance, guard: Guard, actions: DaemonActions): void {
  app.get('/open', { config: { isOpen: true } }, (request, reply) => {
    const { key } = z.object({ key: z.string() }).parse(request.query);
    const cookie = guard.redeem(key);
    if (cookie === undefined)
      return reply
        .code(410)
        .type('text/plain; charset=utf-8')
        .send('This link was used already. `flashback status` shows a fresh one.\n');
    return reply.header('set-cookie', cookie).redirect('/', 303);
  });
  app.get('/', (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(landingPage(actions.status(), actions.friends())),
  );
  app.get('/style.css', (_request, reply) => reply.type('text/css; charset=utf-8').send(landingStyle));

  app.get(localApiPaths.status, () => actions.status());
  app.get(localApiPaths.peers, (_request, reply) => actions.peers(untilGone(reply)));
  app.get(`${localApiPaths.peers}/:email`, (request, reply) => {
    const { email } = EmailParamsSchema.parse(request.params);
    const { check } = z.object({ check: z.string().optional() }).parse(request.query);
    return actions.peer(email, check === '1', untilGone(reply));
  });

  app.get(localApiPaths.friends, () => ({ friends: actions.friends() }));
  app.put(`${localApiPaths.friends}/:email`, (request, reply) => {
    const { email } = EmailParamsSchema.parse(request.params);
    return actions.addFriend(email, AddFriendSchema.parse(request.body ?? {}), untilGone(reply));
  });
  app.delete(`${localApiPaths.friends}/:email`, (request, reply) => {
    actions.removeFriend(EmailParamsSchema.parse(request.params).email);
    return reply.code(204).send();
  });
  app.get(localApiPaths.requests, () => ({ requests: actions.requests() }));
  app.post(`${localApiPaths.requests}/:email/accept`, (request) =>
    actions.acceptRequest(EmailParamsSchema.parse(request.params).email),
  );
  app.post(`${localApiPaths.requests}/:email/refuse`, (request, reply) => {
    actions.refuseRequest(EmailParamsSchema.parse(request.params).email);
    return reply.code(204).send();
  });

  app.put(localApiPaths.share, (request) => actions.share(ShareSchema.parse(request.body).sharing));
  app.get(localApiPaths.files, (request, reply) => {
    const { peer, path, limit, after } = HouseQuerySchema.parse(request.query);
    const page = { ...(limit !== undefined && { limit }), ...(after !== undefined && { after }) };
    return actions.list(peer, path, page, untilGone(reply));
  });
  app.get(localApiPaths.content, async (request, reply) => {
    const { peer, path } = HouseQuerySchema.parse(request.query);
    const { body, via, size } = await actions.content(peer, path, untilGone(reply));
    if (size !== undefined) reply.header('content-length', size);
    // The bytes are another person's: never as a page of ours, whatever they hold.
    return reply
      .header('x-flashback-via', via)
      .header('content-disposition', 'attachment')
      .type('application/octet-stream')
      .send(body);
  });
  app.post(localApiPaths.downloads, (request, reply) => {
    const wanted = DownloadRequestSchema.parse(request.body);
    return reply
      .type('application/x-ndjson')
      .send(Readable.from(jsonLines(actions.download(wanted, untilGone(reply)))));
  });
  app.post(localApiPaths.export, async (request) => ({
    archive: await actions.exportIdentity(ExportRequestSchema.parse(request.body).passphrase),
  }));
  app.post(localApiPaths.stop, (_request, reply) => {
    reply.raw.once('finish', () => actions.stop());
    return reply.code(202).send({ stopping: true });
  });
}

/** Aborts when the asker goes away before the answer is complete. */
function untilGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the asker went away'));
  });
  return controller.signal;
}

async function* jsonLines(events: AsyncIterable<DownloadEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${JSON.stringify(event)}\n`;
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { RequestTarget } from './request-target.ts';
import type { HouseVisitor } from './visitor.ts';

/** One request and its answer, as the routes see it. */
export interface Exchange {
  readonly method: 'GET' | 'HEAD';
  readonly target: RequestTarget;
  readonly request: IncomingMessage;
  /** Carries the headers that every answer has. */
  readonly response: ServerResponse;
  readonly visitor: HouseVisitor;
  /** Aborts when the visitor has gone, sharing was switched off or the house closes. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

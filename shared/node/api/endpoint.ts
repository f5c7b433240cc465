/** What an endpoint of the local API is, and what it gets to work with. */
import type { NodeCalls } from '../node-calls.ts';
import type { ClientAccount } from './client-account.ts';
import type { LeaseBook } from './lease-book.ts';
import type { Reply } from './reply.ts';
import type { Query } from './target.ts';
import type { Waiting } from './waiting.ts';

/** One request, of whatever transport. */
export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Reads the body: once, and only when it is wanted. @throws MESSAGE_TOO_LARGE, BUSY, REQUEST_INVALID */
  readonly readBody: (bytesMax: number) => Promise<Uint8Array>;
  readonly waiting: Waiting;
  readonly client: ClientAccount;
}

export interface Serving {
  readonly ask: Ask;
  readonly node: NodeCalls;
  readonly leases: LeaseBook;
  readonly query: Query;
  /** What stands at the places in braces. */
  readonly names: readonly string[];
}

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Of its query; `header:*` stands for all that begin so. What is not here is refused. */
  readonly parameters: readonly string[];
  /** What the body of the request is; of `none` it is not read. */
  readonly body: 'none' | 'message' | 'json';
  /** Statuses of its successes. */
  readonly answers: readonly number[];
  readonly serve: (serving: Serving) => Promise<Reply>;
}

/**
 * Who asks, what it may do, and how much of the API it has in use. A client is what a token names, or a connection on the Unix socket;
 * each has its own bounds, so that one that asks too much or takes nothing is told BUSY while the others are served.
 */
import { RingmailError } from '../../errors.ts';
import {
  CLIENT_BODY_BYTES_MAX,
  CLIENT_HANDLE_COUNT_MAX,
  CLIENT_LEASE_COUNT_MAX,
  CLIENT_REQUEST_COUNT_MAX,
  CLIENT_STREAM_COUNT_MAX,
  CLIENT_WAIT_COUNT_MAX,
} from './api-limits.ts';
import type { Rights } from './rights.ts';

export type Resource = 'requests' | 'bodyBytes' | 'waits' | 'streams' | 'leases';

export const RESOURCE_MAX: Readonly<Record<Resource, number>> = {
  requests: CLIENT_REQUEST_COUNT_MAX,
  bodyBytes: CLIENT_BODY_BYTES_MAX,
  waits: CLIENT_WAIT_COUNT_MAX,
  streams: CLIENT_STREAM_COUNT_MAX,
  leases: CLIENT_LEASE_COUNT_MAX,
};

export class ClientAccount {
  /** Of the token; undefined for a connection on the Unix socket, whose rights are those of the file. */
  readonly name: string | undefined;
  /** Undefined: everything. */
  readonly rights: Rights | undefined;
  readonly #used: Record<Resource, number> = { requests: 0, bodyBytes: 0, waits: 0, streams: 0, leases: 0 };
  readonly #handles = new Set<string>();

  constructor(name?: string, rights?: Rights) {
    this.name = name;
    this.rights = rights;
  }

  used(resource: Resource): number {
    return this.#used[resource];
  }

  /** @throws BUSY when it would be more than this client may have */
  take(resource: Resource, count = 1): void {
    const pending = this.#used[resource];
    const pendingMax = RESOURCE_MAX[resource];
    if (pending + count > pendingMax) throw new RingmailError('BUSY', { pending, pendingMax });
    this.#used[resource] = pending + count;
  }

  give(resource: Resource, count = 1): void {
    this.#used[resource] -= count;
  }

  /** A handle that this client got. Of more than CLIENT_HANDLE_COUNT_MAX the oldest is nobody's any more, and ends unused. */
  noteHandle(handle: string): void {
    if (this.name === undefined) return;
    this.#handles.add(handle);
    if (this.#handles.size <= CLIENT_HANDLE_COUNT_MAX) return;
    for (const oldest of this.#handles) {
      this.#handles.delete(oldest);
      return;
    }
  }

  /** Over the network a handle is of use to who opened it. @throws HANDLE_UNKNOWN */
  checkHandle(handle: string | undefined): void {
    if (handle === undefined || this.name === undefined || this.#handles.has(handle)) return;
    throw new RingmailError('HANDLE_UNKNOWN', { handle });
  }

  forgetHandle(handle: string): void {
    this.#handles.delete(handle);
  }
}

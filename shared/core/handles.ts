/**
 * Queues that somebody has opened, and for what. A handle ends when it is closed, when nobody uses it for its time, or with the node.
 *
 *   opened `alone`    all reading of the queue and of its parts is its own: by others, with a handle or without, SHARING_VIOLATION
 *   opened for `all`  stands in the way of who wants it alone, if it is for reading
 *
 * Nothing wakes up for a handle: one whose time is over is found when somebody asks.
 */

import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError, refuseProperty } from '../errors.ts';
import { HANDLE_COUNT_MAX } from '../limits.ts';
import { isSystemQueue } from '../message/address.ts';
import { epochText } from '../message/identity.ts';
import type { Queue } from '../queue/queues.ts';
import type { Access, Call } from './calls.ts';
import { boundedMs } from './desk-shell.ts';

interface Handle {
  readonly id: string;
  readonly queue: Queue;
  readonly access: Access;
  readonly share: 'all' | 'alone';
  readonly idleMs: number;
  deadlineMs: number;
}

export class Handles {
  readonly #store: NodeStore;
  readonly #handles = new Map<string, Handle>();
  /** Of whom reads alone, by the queue that he opened. */
  readonly #alone = new Map<Queue, Handle>();
  #next = 1;

  constructor(store: NodeStore) {
    this.#store = store;
  }

  /** @throws QUEUE_NOT_FOUND, ACCESS_MODE_INVALID, SHARING_VIOLATION, PROPERTY_INVALID, BUSY */
  open({ queue: name, access, share, idleMs }: Call & { readonly verb: 'open' }): string {
    const queue = this.#store.queues.reach(name);
    if (access !== 'receive' && access !== 'peek' && access !== 'send')
      refuseProperty('access', 'not one of receive, peek, send');
    if (share !== 'all' && share !== 'alone') refuseProperty('share', 'not one of all, alone');
    const idle = boundedMs(idleMs);
    if (access === 'send') checkSending(queue, share);
    else this.#checkFree(queue, share);
    if (this.#handles.size >= HANDLE_COUNT_MAX) this.#dropIdle();
    const { size } = this.#handles;
    if (size >= HANDLE_COUNT_MAX) throw new RingmailError('BUSY', { pending: size, pendingMax: HANDLE_COUNT_MAX });
    const id = `h${epochText(this.#store.ring.epoch)}-${this.#next++}`;
    const handle: Handle = { id, queue, access, share, idleMs: idle, deadlineMs: this.#store.nowMs + idle };
    this.#handles.set(id, handle);
    if (share === 'alone') this.#alone.set(queue, handle);
    return id;
  }

  /** @throws HANDLE_UNKNOWN */
  close(id: string): void {
    this.#end(this.#get(id));
  }

  /**
   * Judges a use of a queue, with a handle or without, and prolongs the handle.
   * @throws HANDLE_UNKNOWN, ACCESS_MODE_INVALID, SHARING_VIOLATION, QUEUE_DELETED
   */
  check(name: string, access: Access, id: string | undefined): void {
    if (id === undefined && this.#alone.size === 0) return;
    const handle = id === undefined ? undefined : this.#get(id);
    if (handle !== undefined) {
      this.prolong(handle.id, 0);
      this.#checkHandle(handle, name, access);
    }
    const queue = this.#store.queues.find(name);
    if (access === 'send' || queue === undefined) return;
    for (const part of [queue, queue.parent]) {
      const owner = part && this.#ownerOf(part);
      if (owner !== undefined && owner !== handle) throw new RingmailError('SHARING_VIOLATION', { queue: owner.queue.name });
    }
  }

  /** It is in use until `waitMs` from now, and idle from then on. @throws HANDLE_UNKNOWN */
  prolong(id: string, waitMs: number): void {
    const handle = this.#get(id);
    handle.deadlineMs = Math.max(handle.deadlineMs, this.#store.nowMs + waitMs + handle.idleMs);
  }

  #checkHandle(handle: Handle, name: string, access: Access): void {
    const { queue } = handle;
    if (this.#store.queues.find(queue.name) !== queue) throw new RingmailError('QUEUE_DELETED', { queue: queue.name });
    const used = this.#store.queues.find(name);
    const isItsOwn = used === queue || used?.parent === queue;
    if (!isItsOwn)
      throw new RingmailError('ACCESS_MODE_INVALID', { queue: name, needed: access, reason: `the handle is of ${queue.name}` });
    if (handle.access === access || (handle.access === 'receive' && access === 'peek')) return;
    throw new RingmailError('ACCESS_MODE_INVALID', { queue: name, needed: access, reason: `opened for ${handle.access}` });
  }

  /** Nobody reads it alone; and nobody reads it, for who wants to. A part is read with its whole. */
  #checkFree(queue: Queue, share: 'all' | 'alone'): void {
    for (const handle of this.#handles.values()) {
      const isTogether = handle.queue === queue || handle.queue.parent === queue || handle.queue === queue.parent;
      const isInTheWay = handle.access !== 'send' && (share === 'alone' || handle.share === 'alone');
      if (!isTogether || !isInTheWay) continue;
      // One that has its own part alone is not in the way of who reads the others.
      if (share === 'all' && handle.queue.parent === queue) continue;
      if (handle.deadlineMs > this.#store.nowMs) throw new RingmailError('SHARING_VIOLATION', { queue: handle.queue.name });
      this.#end(handle);
    }
  }

  #ownerOf(queue: Queue): Handle | undefined {
    const owner = this.#alone.get(queue);
    if (owner === undefined || owner.deadlineMs > this.#store.nowMs) return owner;
    this.#end(owner);
    return undefined;
  }

  #get(id: string): Handle {
    const handle = this.#handles.get(id);
    if (handle !== undefined && handle.deadlineMs > this.#store.nowMs) return handle;
    if (handle !== undefined) this.#end(handle);
    throw new RingmailError('HANDLE_UNKNOWN', { handle: id });
  }

  #dropIdle(): void {
    for (const handle of this.#handles.values()) if (handle.deadlineMs <= this.#store.nowMs) this.#end(handle);
  }

  #end(handle: Handle): void {
    this.#handles.delete(handle.id);
    if (this.#alone.get(handle.queue) === handle) this.#alone.delete(handle.queue);
  }
}

function checkSending(queue: Queue, share: 'all' | 'alone'): void {
  const refused = (reason: string) => new RingmailError('ACCESS_MODE_INVALID', { queue: queue.name, needed: 'send', reason });
  if (isSystemQueue(queue.name)) throw refused('nobody sends to a system queue');
  if (queue.parent !== undefined) throw refused('nobody sends to a subqueue');
  if (share === 'alone') throw refused('alone is for who reads');
}

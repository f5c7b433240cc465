/** The product as a program has it: a node in this process, through the library. */

import type { Delivery } from '../../shared/node/library/delivery.ts';
import { LocalNode } from '../../shared/node/library.ts';
import type { Node } from '../../shared/node/node.ts';
import { openBenchNode, readyCount } from '../link/nodes.ts';

export const QUEUE = 'bags';
export const PRIORITIES = 8;
const LEASE_MS = 120_000;

export class Library {
  readonly node: Node;
  readonly #local: LocalNode;

  constructor(node: Node) {
    this.node = node;
    this.#local = new LocalNode(node);
  }

  static async open({ directory, ringBytes }: { directory: string; ringBytes: number }): Promise<Library> {
    return new Library(await openBenchNode({ name: 'belt', folder: directory, ringBytes, uplink: 'none' }));
  }

  send(priority: number, body: Uint8Array): Promise<string> {
    return this.#local.send(QUEUE, body, { priority });
  }

  /** @throws when there is nothing */
  async receive(): Promise<Delivery> {
    const delivery = await this.#local.receive(QUEUE, { leaseMs: LEASE_MS });
    if (delivery === undefined) throw new Error('nothing to receive');
    return delivery;
  }

  get ready(): number {
    return readyCount(this.node);
  }

  close(): Promise<void> {
    return this.#local.close();
  }
}

/** Runs `act` for each number below `count`, so many at once. */
export async function inParallel(count: number, atOnce: number, act: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

/** Takes everything out of the queue. */
export async function empty(library: Library): Promise<void> {
  await inParallel(library.ready, EMPTY_AT_ONCE, async () => (await library.receive()).ack());
}

const EMPTY_AT_ONCE = 256;

/**
 * Which way a stream leaves this node. Below are the nodes that dial it over links: what is for one of them goes there, and everything
 * else up. A node is remembered once it was below, so that what is for it waits for it and goes nowhere else while it is away. What was
 * handed over upwards before that is not handed over twice: a stream goes down once all of that has ended up there.
 *
 *   up             the uplink: the node this one dials, or the centre over MQTT
 *   down/<node>    the lines on which that node dials this one
 */
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, metaChange, metaValues } from './meta-keys.ts';
import type { OutStream } from './outgoing.ts';

export const UP = 'up';
/** Nodes remembered as being below. Messages for those who come later go up. */
export const BELOW_COUNT_MAX = 1024;

export type Hop = typeof UP | `down/${string}`;

export class Hops {
  readonly #below = new Map<string, Hop>();

  load(metas: MetaTable): void {
    for (const [node] of metaValues(metas, 'n/')) this.#below.set(node, `down/${node}`);
  }

  /** Names of the nodes below. */
  get below(): Iterable<string> {
    return this.#below.keys();
  }

  isBelow(node: string): boolean {
    return this.#below.has(node);
  }

  /** The way that a stream takes now. */
  of({ node, lo, upTo }: Pick<OutStream, 'node' | 'lo' | 'upTo'>): Hop {
    return lo < upTo ? UP : (this.#below.get(node) ?? UP);
  }

  /** A node dials this one. What must be stored with that; undefined when it is known, or one too many. */
  meet(node: string): MetaChange | undefined {
    if (this.#below.has(node) || this.#below.size >= BELOW_COUNT_MAX) return undefined;
    this.#below.set(node, `down/${node}`);
    return metaChange(`n/${node}`, true);
  }
}

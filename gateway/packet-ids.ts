/**
 * Packet ids of one client's QoS 2 publishes between PUBREC and PUBCOMP [MQTT-4.3.3]: what makes a repeat a repeat. Of a clean session
 * they are in memory; of one that is kept they are a position of the node, written in the frame of the message and forgotten before
 * PUBCOMP is said.
 *
 *   off  len  field
 *     0    1  version, 1
 *     1  2n   ids, big-endian
 *
 * One thing at a time: an id is in a value that goes to the disk only when its message is on the way there too, and is not refused.
 */
import { createHash } from 'node:crypto';
import { RingmailError } from '../shared/errors.ts';
import { INGRESS_PACKET_ID_COUNT_MAX } from '../shared/limits.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import { Refusal } from './mqtt-door.ts';

export interface Position {
  readonly name: string;
  readonly value: Uint8Array;
}

const VERSION = 1;

/** Of a client's place in the ring: its id may be any text, and as long as MQTT lets it. */
export function positionNameOf(clientId: string): string {
  return `mqtt/${createHash('sha256').update(clientId).digest('base64url')}`;
}

export class PacketIds {
  readonly #node: NodeCalls;
  /** Undefined: in memory only. */
  readonly #name: string | undefined;
  readonly #ids = new Set<number>();
  /** There is a place for them in the ring. */
  #isPlaced: boolean;
  #last: Promise<unknown> = Promise.resolve();
  #isRetired = false;

  private constructor(node: NodeCalls, name: string | undefined, value: Uint8Array | undefined) {
    this.#node = node;
    this.#name = name;
    this.#isPlaced = value !== undefined;
    for (let at = 1; value !== undefined && at + 1 < value.length; at += 2) {
      this.#ids.add(((value[at] ?? 0) << 8) | (value[at + 1] ?? 0));
    }
  }

  /** Of a clean session: what was kept for a client of that name is forgotten [MQTT-3.1.2-6]. */
  static async clean(node: NodeCalls, clientId: string): Promise<PacketIds> {
    const before = await PacketIds.kept(node, clientId);
    await before.close('forget');
    return new PacketIds(node, undefined, undefined);
  }

  static async kept(node: NodeCalls, clientId: string): Promise<PacketIds> {
    const name = positionNameOf(clientId);
    const result = await node.call({ verb: 'position', name });
    return new PacketIds(node, name, result.kind === 'position' ? result.value : undefined);
  }

  get count(): number {
    return this.#ids.size;
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }

  /**
   * `store` stores the message, and the position in the same frame. It is not called for a repeat.
   * @throws what `store` throws; the id is unknown then. BUSY when there are too many, or no place for them
   */
  take(id: number, store: (position: Position | undefined) => Promise<void>): Promise<'stored' | 'repeat'> {
    return this.#next(async () => {
      if (this.#ids.has(id)) return 'repeat';
      if (this.#ids.size >= INGRESS_PACKET_ID_COUNT_MAX) {
        throw new RingmailError('BUSY', { pending: this.#ids.size, pendingMax: INGRESS_PACKET_ID_COUNT_MAX });
      }
      await this.#place();
      await store(this.#name === undefined ? undefined : { name: this.#name, value: encodeIds([...this.#ids, id]) });
      this.#ids.add(id);
      return 'stored';
    });
  }

  /** Resolves when the disk has forgotten it. @throws what the node throws; nothing is forgotten then */
  release(id: number): Promise<void> {
    return this.#next(async () => {
      if (!this.#ids.has(id)) return;
      const others = [...this.#ids].filter((other) => other !== id);
      if (this.#name !== undefined) await this.#write(this.#name, encodeIds(others));
      this.#ids.delete(id);
    });
  }

  /** Another connection of the same client reads what the disk has. Resolves when nothing of this one is on its way there any more. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.#last;
  }

  /** Gives the place back: when no id is in it, or to forget those that are. */
  close(ids: 'keep' | 'forget'): Promise<void> {
    return this.#next(async () => {
      if (!this.#isPlaced || this.#name === undefined) return;
      if (ids === 'keep' && this.#ids.size > 0) return;
      await this.#write(this.#name, new Uint8Array());
      this.#ids.clear();
      this.#isPlaced = false;
    });
  }

  /** The node has places for so many and no more; that is said before there is a message that counts on one. */
  async #place(): Promise<void> {
    if (this.#isPlaced || this.#name === undefined) return;
    await this.#write(this.#name, encodeIds([]));
    this.#isPlaced = true;
  }

  async #write(name: string, value: Uint8Array): Promise<void> {
    await this.#node.call({ verb: 'commit', steps: [{ do: 'position', name, value }] });
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(() => {
      if (this.#isRetired) throw new Refusal('another connection has this client id');
      return work();
    });
    this.#last = done.catch(() => {}); // told to whoever asked for it
    return done;
  }
}

function encodeIds(ids: readonly number[]): Uint8Array {
  const value = new Uint8Array(1 + 2 * ids.length);
  value[0] = VERSION;
  for (const [at, id] of ids.entries()) {
    value[1 + 2 * at] = id >> 8;
    value[2 + 2 * at] = id & 0xff;
  }
  return value;
}

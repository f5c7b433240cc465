/**
 * Mends what damage to the ring took out of META, before anything is built on it. Damage costs the frames it hits, and with them
 * single values; what is left must make sense again, or the node would never start, or would take one stream for another.
 *
 *   a message whose stream or queue nobody names      its envelope names both; one that cannot be read either is CORRUPT, and counted
 *   a stream's counters below the messages it holds   are those of its messages
 *   a counter, cursor or gap of a stream or sender    goes: the next session finds out what is right (docs/custody.md, section 4)
 *   that nobody names
 *   an account of a stream that nobody names          is added to that of this node's own dead letters: never the count is lost
 */
import { fromHex, NO_BYTES } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { parseAddress } from '../message/address.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { type Identity, type StreamKey, streamText } from '../message/identity.ts';
import { PRIORITY_DEFAULT } from '../message/message.ts';
import type { AckReason } from '../ring/entry-layout.ts';
import type { Ring } from '../ring/ring.ts';
import { DEAD_QUEUE } from './message-room.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from './meta-keys.ts';

/** What a queue may hold of which nothing is known but its name: whoever defines it says it anew. */
const BYTES_LIMIT_UNKNOWN = Number.MAX_SAFE_INTEGER;
/** Changes per frame: they stay well within a small one. */
const CHANGE_COUNT_MAX = 64;

interface Held {
  readonly ids: number[];
  readonly isOutgoing: boolean;
  min: number;
  max: number;
}

/** True when damage was ever found in this ring: only then is there anything to mend. */
export function mayNeedRepair(ring: Ring): boolean {
  return ring.losses.gaps > 0;
}

export class MetaRepair {
  /** Everything is mended, durably. */
  isDone = false;
  /** For the log. */
  readonly notes: string[] = [];
  readonly #ring: Ring;
  readonly #name: string;
  /** Ids of messages to ask for what nobody else says: of each stream and each queue. */
  readonly #unnamed: { kind: 'stream' | 'queue'; number: number; ids: number[] }[] = [];
  readonly #named = new Map<number, StreamKey>();
  readonly #changes: MetaChange[] = [];
  readonly #lost: number[] = [];
  #phase: 'asking' | 'writing' = 'asking';
  #waiting: 'no' | 'yes' = 'no';

  /** `name`: the node's, where META says none. */
  constructor(ring: Ring, name: string) {
    this.#ring = ring;
    this.#name = new MetaFields(metaValue(ring.metas, 'node')).text(0) || name;
    for (const [handle, value] of metaValues(ring.metas, 's/')) {
      const fields = new MetaFields(value);
      const key = { origin: fields.text(0), incarnation: fields.hex(1), destination: fields.text(2), priority: fields.number(3) };
      this.#named.set(Number(handle), key);
    }
    this.#findUnnamed();
  }

  /** Goes on as far as reads and writes allow. Called after every step until done. */
  pump(nowMs: number): void {
    if (this.isDone || this.#waiting === 'yes') return;
    if (this.#phase === 'asking') {
      while (this.#unnamed[0]?.ids.length === 0) this.#unnamed.shift();
      const [next] = this.#unnamed;
      if (next !== undefined) return this.#ask(next);
      this.#mend();
      this.#phase = 'writing';
    }
    this.#write(nowMs);
  }

  #findUnnamed(): void {
    const { index, metas } = this.#ring;
    const streams = new Map<number, number[]>();
    const queues = new Map<number, number[]>();
    for (const slot of index.slots()) {
      const stream = index.stream(slot);
      const queue = index.queue(slot);
      if (!this.#named.has(stream)) push(streams, stream, index.id(slot));
      if (queue !== 0 && metas.get(`q/${queue}`) === undefined) push(queues, queue, index.id(slot));
    }
    for (const [number, ids] of streams) this.#unnamed.push({ kind: 'stream', number, ids });
    for (const [number, ids] of queues) this.#unnamed.push({ kind: 'queue', number, ids });
  }

  /** Reads one message after the other until one says what it is. */
  #ask(what: { kind: 'stream' | 'queue'; number: number; ids: number[] }): void {
    const ring = this.#ring;
    const [id] = what.ids;
    if (id === undefined || !ring.canFetch) return;
    this.#waiting = 'yes';
    ring.fetchBody(id, (result) => {
      this.#waiting = 'no';
      const identity = result.kind === 'body' ? identityIn(result.body) : undefined;
      if (identity === undefined) {
        what.ids.shift();
        this.#lost.push(id);
        return;
      }
      this.#unnamed.shift();
      if (what.kind === 'stream') this.#nameStream(what.number, identity);
      else this.#nameQueue(what.number, identity);
    });
  }

  #nameStream(handle: number, identity: Identity): void {
    const { origin, incarnation, destination, priority } = identity;
    this.#named.set(handle, { origin, incarnation, destination, priority });
    this.#changes.push(metaChange(`s/${handle}`, [origin, fromHex(incarnation) ?? NO_BYTES, destination, priority]));
    this.notes.push(`stream ${streamText(identity)} is named by its messages`);
  }

  #nameQueue(id: number, identity: Identity): void {
    const { queue } = parseAddress(identity.destination, this.#name);
    this.#changes.push(metaChange(`q/${id}`, [queue, BYTES_LIMIT_UNKNOWN]));
    this.notes.push(`queue ${queue} is named by its messages`);
  }

  /** Everything that follows from what is known now. */
  #mend(): void {
    const held = this.#heldByStream();
    this.#raiseCounters(held);
    this.#dropStrays();
    this.#mergeAccounts();
  }

  #heldByStream(): Map<number, Held> {
    const { index } = this.#ring;
    const lost = new Set(this.#lost);
    const held = new Map<number, Held>();
    for (const slot of index.slots()) {
      if (lost.has(index.id(slot))) continue;
      const stream = index.stream(slot);
      const number = index.number(slot);
      const one = held.get(stream) ?? { ids: [], isOutgoing: index.queue(slot) === 0, min: number, max: number };
      one.min = Math.min(one.min, number);
      one.max = Math.max(one.max, number);
      held.set(stream, one);
    }
    return held;
  }

  #raiseCounters(held: ReadonlyMap<number, Held>): void {
    const { metas } = this.#ring;
    for (const [handle, { isOutgoing, min, max }] of held) {
      const kept = metaValue(metas, `${isOutgoing ? 'o' : 'd'}/${handle}`);
      const fields = new MetaFields(kept);
      if (isOutgoing) {
        const lo = kept === undefined ? min : fields.number(0);
        const next = fields.number(1);
        if (kept === undefined || next <= max) this.#changes.push(metaChange(`o/${handle}`, [lo, Math.max(next, max + 1)]));
      } else if (fields.number(0) <= max) {
        this.#changes.push(metaChange(`d/${handle}`, max + 1));
      }
    }
  }

  #dropStrays(): void {
    const { metas } = this.#ring;
    const senders = new Set([...metaValues(metas, 'f/')].map(([id]) => id));
    const drop = (key: string, isStray: boolean) => isStray && this.#changes.push(metaDelete(key));
    const isUnnamed = (handle: string | undefined) => !this.#named.has(Number(handle));
    for (const prefix of ['o/', 'd/', 'g/'])
      for (const [rest] of metaValues(metas, prefix)) drop(prefix + rest, isUnnamed(rest.split('/')[0]));
    for (const [rest] of metaValues(metas, 'b/')) drop(`b/${rest}`, isUnnamed(rest.split('/').at(-1)));
    for (const [rest] of metaValues(metas, 'c/')) {
      const [sender = '', handle] = rest.split('/');
      drop(`c/${rest}`, isUnnamed(handle) || !senders.has(sender));
    }
  }

  #mergeAccounts(): void {
    const { metas } = this.#ring;
    const totals = new Map<string, number>();
    for (const [rest, value] of metaValues(metas, 'a/')) {
      const [handle, ending = ''] = rest.split('/');
      if (this.#named.has(Number(handle))) continue;
      this.#changes.push(metaDelete(`a/${rest}`));
      totals.set(ending, (totals.get(ending) ?? 0) + new MetaFields(value).number(0));
    }
    if (this.#lost.length > 0) {
      totals.set('CORRUPT', (totals.get('CORRUPT') ?? 0) + this.#lost.length);
      this.notes.push(`${this.#lost.length} messages of which nothing can be read are given up`);
    }
    if (totals.size === 0) return;
    const own = this.#ownHandle();
    for (const [ending, count] of totals) {
      const before = new MetaFields(metaValue(metas, `a/${own}/${ending}`)).number(0);
      this.#changes.push(metaChange(`a/${own}/${ending}`, before + count));
    }
  }

  /** The stream of this node's own dead letters, made if need be. */
  #ownHandle(): number {
    const { metas } = this.#ring;
    const incarnation = new MetaFields(metaValue(metas, 'node')).hex(1);
    const own = { origin: this.#name, incarnation, destination: `${this.#name}/${DEAD_QUEUE}`, priority: PRIORITY_DEFAULT };
    for (const [handle, key] of this.#named) if (streamText(key) === streamText(own)) return handle;
    const handle = Math.max(0, ...this.#named.keys()) + 1;
    this.#nameStream(handle, { ...own, number: 1 });
    return handle;
  }

  #write(nowMs: number): void {
    const metas = this.#changes.splice(0, CHANGE_COUNT_MAX);
    const acks = this.#lost.splice(0, CHANGE_COUNT_MAX).map((id) => ({ id, reason: 'corrupt' as AckReason }));
    if (metas.length + acks.length === 0) {
      this.isDone = true;
      return;
    }
    this.#waiting = 'yes';
    this.#ring.append({ metas, acks }, { nowMs, delayMs: 0 }, (outcome) => {
      if (outcome === 'durable') this.#waiting = 'no';
    });
  }
}

function push(map: Map<number, number[]>, key: number, id: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [id]);
  else list.push(id);
}

function identityIn(envelope: Uint8Array): Identity | undefined {
  try {
    return decodeEnvelope(envelope).message.identity;
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}

/**
 * Mends what damage to the ring took out of META, before anything is built on it. Damage costs the frames it hits, and with them
 * single values; what is left must make sense again, or the node would never start, or would take one stream for another.
 *
 *   a message whose stream nobody names               another of the stream names it; when none can be read they are all CORRUPT, counted
 *   a message whose queue nobody names                its stream does
 *   a stream's counters below the messages it holds,  are those of its messages, or of what was said of it: numbers are given out once
 *   or below what neighbours know of it
 *   a counter, cursor or gap of a stream or sender    goes: the next session finds out what is right (docs/custody.md, section 4)
 *   that nobody names                                 when it left from here, a new incarnation begins
 *   a send key of a stream that nobody names          goes; of a producer's last answer the number stays
 *   an account of a stream that nobody names          is added to that of this node's own dead letters: never the count is lost
 *
 * Every step makes sense by itself, so that a power cut between two of them costs nothing: the next opening goes on.
 */
import { fromHex, NO_BYTES } from '../bytes.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { parseAddress } from '../message/address.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { type Identity, type StreamKey, streamText } from '../message/identity.ts';
import { PRIORITY_DEFAULT } from '../message/message.ts';
import type { AckReason } from '../ring/entry-layout.ts';
import type { Ring } from '../ring/ring.ts';
import { type Tally, tallied, tallyFields, tallyOf } from './accounts.ts';
import { destinationChange, destinationOf } from './destinations.ts';
import { DEAD_QUEUE } from './message-room.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from './meta-keys.ts';

/** What a queue may hold of which nothing is known but its name: whoever defines it says it anew. */
const BYTES_LIMIT_UNKNOWN = Number.MAX_SAFE_INTEGER;
/** Changes per frame: they stay well within a small one. */
const CHANGE_COUNT_MAX = 64;
/** Of a producer's last answer: it is known that there was one (core/producers.ts). */
const ANSWERED_DONE = 2;
/** Of a store that forgot who it was. */
const INCARNATION_UNKNOWN = '0000000000000000';

/** What stands or falls together: one part of one frame. */
interface Step {
  readonly metas: readonly MetaChange[];
  readonly acks?: readonly { readonly id: number; readonly reason: AckReason }[];
}

/** Numbers of the messages of a stream. */
interface Held {
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
  /** Messages of each stream that nobody names, to be asked one after the other. */
  readonly #unnamed: { handle: number; ids: readonly number[]; asked: number }[] = [];
  readonly #named = new Map<number, StreamKey>();
  readonly #steps: Step[] = [];
  readonly #lost: number[] = [];
  /** Accounts as they will be. */
  readonly #totals = new Map<string, Tally>();
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
      for (let next = this.#unnamed[0]; next !== undefined; next = this.#unnamed[0]) {
        const id = next.ids[next.asked];
        if (id !== undefined) return this.#ask(next, id);
        this.#lost.push(...next.ids);
        this.#unnamed.shift();
      }
      this.#mend();
      this.#phase = 'writing';
    }
    this.#write(nowMs);
  }

  #findUnnamed(): void {
    const { index } = this.#ring;
    const streams = new Map<number, number[]>();
    for (const slot of index.slots()) {
      const stream = index.stream(slot);
      if (!index.isHolder(slot) && !this.#named.has(stream)) push(streams, stream, index.id(slot));
    }
    for (const [handle, ids] of streams) this.#unnamed.push({ handle, ids, asked: 0 });
  }

  /** Any message that can be read says of which stream it is; those of it that cannot are the business of who reads them. */
  #ask(what: { readonly handle: number; asked: number }, id: number): void {
    const ring = this.#ring;
    if (!ring.canFetch) return;
    this.#waiting = 'yes';
    ring.fetchBody(id, (result) => {
      this.#waiting = 'no';
      what.asked += 1;
      const identity = result.kind === 'body' ? identityIn(result.body) : undefined;
      if (identity === undefined) return;
      this.#unnamed.shift();
      this.#nameStream(what.handle, identity);
    });
  }

  #nameStream(handle: number, key: StreamKey): void {
    const { origin, incarnation, destination, priority } = key;
    this.#named.set(handle, { origin, incarnation, destination, priority });
    this.#change(metaChange(`s/${handle}`, [origin, fromHex(incarnation) ?? NO_BYTES, destination, priority]));
    this.notes.push(`stream ${streamText(key)} has its name back`);
  }

  /** Everything that follows from what is known now. */
  #mend(): void {
    const held = this.#heldByStream();
    this.#nameQueues();
    this.#dropTwins(held);
    this.#raiseCounters(held);
    this.#dropStrays();
    this.#mergeAccounts();
    this.#giveUpLost();
  }

  #heldByStream(): Map<number, Held> {
    const { index } = this.#ring;
    const held = new Map<number, Held>();
    for (const slot of index.slots()) {
      if (index.isHolder(slot)) continue;
      const number = index.number(slot);
      const one = held.get(index.stream(slot)) ?? { min: number, max: number };
      one.min = Math.min(one.min, number);
      one.max = Math.max(one.max, number);
      held.set(index.stream(slot), one);
    }
    return held;
  }

  #nameQueues(): void {
    const { index, metas } = this.#ring;
    const seen = new Set<number>([0]);
    for (const slot of index.slots()) {
      const id = index.queue(slot);
      const key = this.#named.get(index.stream(slot));
      if (key === undefined || seen.has(id)) continue;
      seen.add(id);
      if (metas.get(`q/${id}`) !== undefined) continue;
      const { queue } = parseAddress(key.destination, this.#name);
      this.#change(metaChange(`q/${id}`, [queue, BYTES_LIMIT_UNKNOWN]));
      this.notes.push(`queue ${queue} has its name back`);
    }
  }

  /** Damage may bring back what earlier damage cost: of two handles of one stream the one without messages goes. */
  #dropTwins(held: ReadonlyMap<number, Held>): void {
    const handles = new Map<string, number>();
    for (const [handle, key] of [...this.#named]) {
      const text = streamText(key);
      const twin = handles.get(text);
      if (twin === undefined) handles.set(text, handle);
      if (twin === undefined || (held.has(twin) && held.has(handle))) continue;
      const goes = held.has(handle) ? twin : handle;
      handles.set(text, goes === handle ? twin : handle);
      this.#named.delete(goes);
      this.#change(metaDelete(`s/${goes}`));
    }
  }

  #raiseCounters(held: ReadonlyMap<number, Held>): void {
    const { metas } = this.#ring;
    const known = this.#knownNumbers();
    for (const [handle, key] of this.#named) {
      const { min, max } = held.get(handle) ?? { min: Number.POSITIVE_INFINITY, max: 0 };
      const least = Math.max(max + 1, known.get(handle) ?? 1);
      const isLocal = parseAddress(key.destination, this.#name).node === this.#name;
      const kept = metaValue(metas, `${isLocal ? 'd' : 'o'}/${handle}`);
      const fields = new MetaFields(kept);
      const next = fields.number(isLocal ? 0 : 1);
      if (next >= least || (least === 1 && kept === undefined)) continue;
      const lo = kept === undefined ? Math.min(min, least) : fields.number(0);
      const ending = destinationChange(handle, { ...destinationOf(kept, 0), next: least });
      this.#change(isLocal ? ending : metaChange(`o/${handle}`, [lo, least]));
    }
  }

  /** The number after those of a stream that a neighbour gave us, or that we may have handed over to one. */
  #knownNumbers(): Map<number, number> {
    const known = new Map<number, number>();
    for (const prefix of ['c/', 'b/']) {
      for (const [rest, value] of metaValues(this.#ring.metas, prefix)) {
        const handle = Number(rest.split('/').at(-1));
        known.set(handle, Math.max(known.get(handle) ?? 1, new MetaFields(value).number(0)));
      }
    }
    return known;
  }

  #dropStrays(): void {
    const { metas } = this.#ring;
    const senders = new Set([...metaValues(metas, 'f/')].map(([id]) => id));
    const drop = (key: string, isStray: boolean) => isStray && this.#change(metaDelete(key));
    const isUnnamed = (handle: string | undefined) => !this.#named.has(Number(handle));
    // Perhaps one of ours, whose numbers would be given out again; and the neighbour may have forgotten it in the same accident.
    if ([...metaValues(metas, 'o/')].some(([handle]) => isUnnamed(handle))) this.#change(metaChange('forked', true));
    for (const prefix of ['o/', 'd/', 'g/', 'e/', 'x/', 'v/'])
      for (const [rest] of metaValues(metas, prefix)) drop(prefix + rest, isUnnamed(rest.split('/')[0]));
    for (const [rest] of metaValues(metas, 'b/')) drop(`b/${rest}`, isUnnamed(rest.split('/').at(-1)));
    for (const [rest, value] of metaValues(metas, 'k/')) drop(`k/${rest}`, isUnnamed(`${new MetaFields(value).number(2)}`));
    for (const [rest, value] of metaValues(metas, 'w/')) {
      // Its number stands; what it was answered cannot be said any more.
      const [last = 0, , ...stretches] = new MetaFields(value).numbers();
      const isLost = stretches.some((handle, at) => at % 3 === 0 && !this.#named.has(handle));
      if (isLost) this.#change(metaChange(`w/${rest}`, [last, ANSWERED_DONE]));
    }
    for (const [rest] of metaValues(metas, 'c/')) {
      const [sender = '', handle] = rest.split('/');
      drop(`c/${rest}`, isUnnamed(handle) || !senders.has(sender));
    }
  }

  #mergeAccounts(): void {
    for (const [rest, value] of metaValues(this.#ring.metas, 'a/')) {
      const [handle, ending = ''] = rest.split('/');
      if (this.#named.has(Number(handle))) continue;
      const count = new MetaFields(value).number(0);
      this.#steps.push({ metas: [metaDelete(`a/${rest}`), this.#counted(ending, count)] });
    }
  }

  #giveUpLost(): void {
    const ids = this.#lost;
    if (ids.length === 0) return;
    this.notes.push(`${ids.length} messages of which nothing can be read are given up`);
    for (let at = 0; at < ids.length; at += CHANGE_COUNT_MAX) {
      const acks = ids.slice(at, at + CHANGE_COUNT_MAX).map((id) => ({ id, reason: 'corrupt' as const }));
      this.#steps.push({ metas: [this.#counted('CORRUPT', acks.length)], acks });
    }
  }

  /** So many more in the account of this node's own dead letters, where their numbers would be another stream's. */
  #counted(ending: string, count: number): MetaChange {
    const key = `a/${this.#ownHandle()}/${ending}`;
    const kept = metaValue(this.#ring.metas, key);
    const before = this.#totals.get(key) ?? tallyOf(new MetaFields(kept).numbers());
    const total = tallied(before, { count });
    this.#totals.set(key, total);
    return metaChange(key, tallyFields(total));
  }

  /** The stream of this node's own dead letters, made if need be. */
  #ownHandle(): number {
    const { metas, index } = this.#ring;
    const incarnation = new MetaFields(metaValue(metas, 'node')).hex(1) || INCARNATION_UNKNOWN;
    const own = { origin: this.#name, incarnation, destination: `${this.#name}/${DEAD_QUEUE}`, priority: PRIORITY_DEFAULT };
    for (const [handle, key] of this.#named) if (streamText(key) === streamText(own)) return handle;
    let handle = Math.max(0, ...this.#named.keys());
    for (const slot of index.slots()) handle = Math.max(handle, index.stream(slot));
    for (const prefix of ['o/', 'd/', 'g/', 'e/', 'x/', 'v/', 'a/'])
      for (const [rest] of metaValues(metas, prefix)) handle = Math.max(handle, Number(rest.split('/')[0]));
    this.#nameStream(handle + 1, own);
    return handle + 1;
  }

  #change(change: MetaChange): void {
    this.#steps.push({ metas: [change] });
  }

  #write(nowMs: number): void {
    const changes = new Map<string, MetaChange>();
    const acks: { id: number; reason: AckReason }[] = [];
    for (let next = this.#steps[0]; next !== undefined; next = this.#steps[0]) {
      const count = next.metas.length + (next.acks?.length ?? 0);
      if (changes.size > 0 && changes.size + acks.length + count > CHANGE_COUNT_MAX) break;
      for (const change of next.metas) changes.set(change.key, change);
      acks.push(...(next.acks ?? []));
      this.#steps.shift();
    }
    const metas = [...changes.values()];
    if (metas.length + acks.length === 0) {
      this.isDone = true;
      return;
    }
    this.#waiting = 'yes';
    try {
      this.#ring.append({ metas, acks }, { nowMs, delayMs: 0 }, (outcome) => {
        if (outcome === 'durable') this.#waiting = 'no';
      });
    } catch (error) {
      if (!hasCode(error, 'QUEUE_FULL')) throw error;
      // Only what was never there before can find no room: an account less, and a node that starts.
      this.notes.push(`no room for ${metas.length} changes`);
      this.#waiting = 'no';
    }
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

/**
 * What a node has on its disk, as its parts see it: the ring, who the node is, its streams, its queues, what goes out, what ends
 * here. One object, so that every durable change is one batch of one frame.
 */
import { invariant } from '../assert.ts';
import { toHex } from '../bytes.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { QUEUE_COUNT_MAX } from '../limits.ts';
import { isQueueName, NODE_QUEUE, parseAddress } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Like } from '../part.ts';
import type { Random } from '../ports.ts';
import { QUEUE_DEFAULTS } from '../queue/queue-options.ts';
import type { Definition, QueueSource } from '../queue/queue-table.ts';
import { messageCount, type Queue, Queues } from '../queue/queues.ts';
import type { Batch, Ring, WhenDurable } from '../ring/ring.ts';
import { isExact, type Loss, NO_TALLY, sharing, type Tally, tallied, tallyFields, tallyOf } from './accounts.ts';
import { Draft } from './draft.ts';
import { accountedAs, ExpressStreams } from './express-streams.ts';
import { FirstNumbers } from './first-numbers.ts';
import type { Range } from './holes.ts';
import type { Hops } from './hops.ts';
import { MessageRoom } from './message-room.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from './meta-keys.ts';
import type { NodeWords } from './node-words.ts';
import type { Outgoing, OutStream } from './outgoing.ts';
import type { PassedOver } from './passed-over.ts';
import { loadQueues, queueChange, queuesGone } from './queue-meta.ts';
import type { StoreParts } from './store-parts.ts';
import type { StreamEnds } from './stream-ends.ts';
import { StreamTable } from './stream-table.ts';

export interface Self {
  readonly name: string;
  /** Random id of this store's life, 16 hex digits. */
  readonly incarnation: string;
  /** Makes tickets. Never leaves the ring. */
  readonly secret: Uint8Array;
}

export interface Account {
  readonly stream: StreamKey;
  readonly class: EndingClass;
  readonly count: number;
  /** Their numbers in that stream, ascending; with `exact` all of them and no other. */
  readonly ranges: readonly Range[];
  /** `coarse`: there were too many ranges, or numbers that nobody knows (accounts.ts). */
  readonly detail: 'exact' | 'coarse';
}

/** Subqueues that are forgotten in one batch: well within the smallest frame. */
const FORGOTTEN_PER_BATCH = 32;
const NONE_OPENED: readonly MetaChange[] = [];
/** Name of a ring that was opened by commands only. */
const UNCLAIMED_NAME = 'local';

export class NodeStore {
  readonly ring: Ring;
  readonly streams = new StreamTable();
  readonly queues: Queues;
  readonly room: MessageRoom;
  readonly draft = new Draft();
  readonly firstNumbers = new FirstNumbers();
  readonly express = new ExpressStreams();
  readonly outgoing: Like<Outgoing>;
  readonly hops: Like<Hops>;
  readonly ends: Like<StreamEnds>;
  readonly passedOver: Like<PassedOver>;
  /** What other nodes write to this one. */
  readonly words: Like<NodeWords>;
  readonly #mendOutgoing: StoreParts['mendOutgoing'];
  #self: Self | undefined;
  readonly #accounts = new Map<string, Tally>();
  /**
   * What had no room, no way or no body: words to senders, copies for `$journal`, letters. Since this opening; the accounts count
   * every message all the same.
   */
  readonly leftOut = { words: 0, copies: 0, letters: 0 };
  /** Numbers given up as missing that are not remembered any more, since this opening: who brings them now brings repeats. */
  forgottenCount = 0;
  /** Until the node serves. A ring that was left full has to open all the same: what an opening notes may use the overdraft. */
  isOpening = true;
  /** True when some neighbour may have a message that lies here. Whoever hands messages over says it better than this. */
  mayHaveHandedOver: (out: OutStream, number: number) => boolean = () => true;
  /** Milliseconds of this step; set by the core before anything else. */
  nowMs = 0;

  constructor(ring: Ring, { Outgoing, Hops, StreamEnds, PassedOver, NodeWords, mendOutgoing }: StoreParts) {
    this.ring = ring;
    this.queues = new Queues(ring.index);
    this.room = new MessageRoom(ring, this.queues, this.draft);
    this.outgoing = new Outgoing(ring.index);
    this.hops = new Hops();
    this.ends = new StreamEnds(this);
    this.passedOver = new PassedOver(this.draft);
    this.words = new NodeWords();
    this.#mendOutgoing = mendOutgoing;
  }

  get self(): Self {
    invariant(this.#self !== undefined, 'the store is loaded');
    return this.#self;
  }

  /**
   * Reads what META and the index say. A ring that never served gets its identity, durable before anything else is. With '' as
   * its name the node is whatever its ring says, and `local` when that says nothing: a name that gives way to a node's, as long as
   * no stream has it.
   * @throws RING_OTHER_NODE when the ring is another node's
   */
  load(name: string, random: Random): void {
    const { metas, index } = this.ring;
    const fields = new MetaFields(metaValue(metas, 'node'));
    const known = fields.text(0);
    const isOther = name !== '' && known !== name;
    const isNew = known === '' || (isOther && this.#isUnclaimed(known));
    if (isOther && !isNew) throw new RingmailError('RING_OTHER_NODE', { path: '', node: known, expected: name });
    if (isNew) this.#becomes(name === '' ? UNCLAIMED_NAME : name, { incarnation: random.bytes(8), secret: random.bytes(16) });
    else this.#self = { name: known, incarnation: fields.hex(1), secret: fields.bytes(2) };
    this.streams.load(metas);
    this.hops.load(metas);
    loadQueues(this.queues, metas);
    this.firstNumbers.load(metas);
    const forgotten = this.express.load(metas, this.streams, index);
    if (forgotten.length > 0) this.commit({ metas: forgotten }, () => {});
    this.ends.load();
    for (const [key, value] of metaValues(metas, 'a/')) this.#accounts.set(key, tallyOf(new MetaFields(value).numbers()));
    const { streams } = this;
    this.outgoing.load(
      metas,
      (handle) => streams.key(handle),
      (handle) => streams.standing(handle),
    );
    this.passedOver.load(metas, (handle) => streams.standing(handle));
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    const messages = slots.filter((slot) => !index.isHolder(slot));
    this.ends.found(messages);
    for (const slot of messages) this.place(slot);
    this.#forgetEmptyParts();
    this.#mendOutgoing(this);
  }

  /** A subqueue that is empty when the node opens is forgotten: the next move into it makes it anew. */
  #forgetEmptyParts(): void {
    const empty = [...this.queues].filter((queue) => queue.parent !== undefined && messageCount(queue) === 0);
    for (let at = 0; at < empty.length; at += FORGOTTEN_PER_BATCH) {
      const some = empty.slice(at, at + FORGOTTEN_PER_BATCH);
      try {
        this.commit({ metas: queuesGone(this.queues, some) }, () => {});
      } catch (error) {
        // META is full to the last byte: they stay, which costs nobody anything.
        if (hasCode(error, 'QUEUE_FULL')) return;
        throw error;
      }
      for (const queue of some) this.queues.forget(queue);
    }
  }

  /**
   * A queue with these options, made or changed; durable with `done`, and in force at once. Its ordering stays what it is.
   * @throws NAME_INVALID, BUSY, QUEUE_FULL; then nothing is changed
   */
  defineQueue(
    name: string,
    { source, ...definition }: Definition & { source: QueueSource },
    done: WhenDurable = () => {},
  ): Queue {
    const before = this.queues.find(name);
    const { count, nextId } = this.queues;
    if (before === undefined && count >= QUEUE_COUNT_MAX)
      throw new RingmailError('BUSY', { pending: count, pendingMax: QUEUE_COUNT_MAX });
    if (!isQueueName(name) || name === NODE_QUEUE)
      throw new RingmailError('NAME_INVALID', { name, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
    const options = { ...QUEUE_DEFAULTS, ...definition, ...(before && { ordering: before.options.ordering }) };
    this.commit({ metas: [queueChange({ id: before?.id ?? nextId, name, options, source })] }, done);
    return this.queues.define(name, { ...options, source });
  }

  /** No node ever served this ring, and no message ever was in it. */
  #isUnclaimed(name: string): boolean {
    const { metas } = this.ring;
    return name === UNCLAIMED_NAME && metas.get('config') === undefined && metas.withPrefix('s/').next().done === true;
  }

  /** A new life of the same store: what it sends from now on belongs to other streams (docs/custody.md, section 4). Durable with `done`. */
  newIncarnation(random: Random, done: WhenDurable): void {
    this.#becomes(this.self.name, { incarnation: random.bytes(8), secret: this.self.secret }, done);
  }

  #becomes(name: string, ids: { incarnation: Uint8Array; secret: Uint8Array }, done: WhenDurable = () => {}): void {
    this.#self = { name, incarnation: toHex(ids.incarnation), secret: ids.secret };
    this.commit({ metas: [metaChange('node', [name, ids.incarnation, ids.secret])] }, done);
  }

  /** A durable message takes its place: in its queue, or among what goes out. */
  place(slot: number): void {
    const { index } = this.ring;
    if (index.queue(slot) !== 0) return this.ends.place(slot);
    const handle = this.streams.standing(index.stream(slot));
    this.outgoing.place({ handle, key: this.streams.key(handle) }, slot);
  }

  /** Queue time of this step: monotonic milliseconds, continued across openings. */
  get queueTimeMs(): number {
    return this.ring.queueTime(this.nowMs);
  }

  /** Plans a batch for the next frame; its messages take their place when it is durable, before `done`. @throws as `Ring.append` */
  commit(batch: Batch, done: WhenDurable, delayMs = 0): void {
    const opened = this.streams.isAllStored ? NONE_OPENED : (batch.metas ?? []).filter(({ key }) => key.startsWith('s/'));
    const whole: Batch = this.isOpening ? { ...batch, room: 'overdraft' } : batch;
    this.ring.append(whole, { nowMs: this.nowMs, delayMs }, (outcome, slots) => {
      if (outcome === 'durable') {
        for (const { key } of opened) this.streams.stored(Number(key.slice(2)));
        const moved = this.ends.stored(batch.metas ?? []);
        for (const slot of slots) this.placePlanned(slot);
        this.ends.release(moved);
        if (batch.acks !== undefined) for (const { id } of batch.acks) this.queues.ended(id);
      }
      done(outcome, slots);
    });
  }

  /** A message that was planned takes its place. */
  placePlanned(slot: number): void {
    if (this.ring.index.isHolder(slot)) return;
    const queue = this.queues.byId(this.ring.index.queue(slot));
    if (queue !== undefined) {
      queue.plannedCount -= 1;
      queue.plannedBytes -= this.ring.index.wholeBytes(slot);
    }
    this.place(slot);
  }

  /** As long as it stays the same, no stream has more to hand over, or another way, than before. */
  get workCount(): number {
    return this.ring.framesWritten + this.hops.changeCount;
  }

  isLocal(destination: string): boolean {
    return parseAddress(destination, this.self.name).node === this.self.name;
  }

  /** Counts a loss, durably, in the frame of what caused it. */
  account(loss: Loss): MetaChange {
    const { changes, settle } = this.planLosses([loss]);
    settle();
    const [change] = changes;
    invariant(change !== undefined, 'one loss, one account');
    return change;
  }

  /** The same for several, each account once. Nothing is counted before `settle`, which is for when the batch is planned. */
  planLosses(losses: readonly Loss[]): { changes: MetaChange[]; settle: () => void } {
    const totals = new Map<string, Tally>();
    const named: MetaChange[] = [];
    for (const { handle, class: ending, count, ranges } of losses) {
      const answering = this.#accountOf(handle, named);
      const key = `${answering}/${ending}`;
      // Numbers of express messages are not those of the stream that answers for them.
      const loss = { count, ...(ranges && answering === handle && { ranges }) };
      totals.set(key, tallied(totals.get(key) ?? this.#accounts.get(key) ?? NO_TALLY, loss));
    }
    if (totals.size > 1) for (const [key, total] of totals) totals.set(key, sharing(total, totals.size));
    const changes = [...totals].map(([key, total]) =>
      total.count === 0 ? metaDelete(`a/${key}`) : metaChange(`a/${key}`, tallyFields(total)),
    );
    const settle = (): void => {
      for (const [key, total] of totals) {
        const before = this.#accounts.get(key);
        this.draft.note(() => (before === undefined ? this.#accounts.delete(key) : this.#accounts.set(key, before)));
        if (total.count === 0) this.#accounts.delete(key);
        else this.#accounts.set(key, total);
      }
    };
    return { changes: [...changes, ...named], settle };
  }

  /** Handles of express streams are forgotten some day: others answer for their losses. */
  #accountOf(handle: number, named: MetaChange[]): number {
    if (!this.express.has(handle)) return handle;
    const opened = this.streams.open(accountedAs(this.streams.key(handle), this.self.incarnation));
    if (opened === undefined) return handle;
    named.push(...opened.changes);
    return opened.handle;
  }

  accounts(): Account[] {
    return [...this.#accounts].map(([key, tally]) => {
      const [handle = '', ending = ''] = key.split('/');
      const { count, ranges } = tally;
      const detail = isExact(tally) ? 'exact' : 'coarse';
      return { stream: this.streams.key(Number(handle)), class: ending as EndingClass, count, ranges, detail };
    });
  }
}

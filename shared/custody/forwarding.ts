/**
 * What a route makes of a message that would be stored in a queue here: it is stored there as well, or goes; and each place that the
 * route names gets a message of its own, in the same frame (docs/routes.md, section 5).
 *
 *   message ──a route fits──▶ original: in its queue, or its number alone
 *                             body: once, where two or more of them are stored and it is not small
 *                             a place there is:   a new message, `previous` the original
 *                             a place there is not: a letter BAD_DST_Q for that one
 *                             words and copy that were asked for
 *
 * A place that is full refuses the whole: nothing of it is planned.
 */
import { equalBytes, NO_BYTES } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { SHARED_BODY_BYTES_MIN } from '../limits.ts';
import { isSystemQueue, parseAddress } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, encodeEnvelope, encodeNew, FIRST_HOP, type Hop, withHop } from '../message/envelope.ts';
import { type Identity, identityText, type StreamKey } from '../message/identity.ts';
import { PRIORITY_DEFAULT, type Properties } from '../message/message.ts';
import { standInFor, uncovered } from '../message/shared-envelope.ts';
import { bytesUsed, type Queue } from '../queue/queues.ts';
import type { Onward, RouteChanges, Routed } from '../queue/routes.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import type { NewMessage } from '../ring/ring.ts';
import { ArrivalEndings, type Refusal } from './arrival-endings.ts';
import type { Opened } from './arrived-envelopes.ts';
import { planLate } from './at-destination.ts';
import { entering, nextNumber, passing, type Shared } from './entering.ts';
import { HOP_BYTES_MAX, type Intake, type NewBody } from './intake.ts';
import { contentOf } from './letter-content.ts';
import type { Newcomer } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { batchOf, joined, NOTHING, type Planned } from './planned.ts';
import type { MessageItem } from './session.ts';
import { sumOf, together } from './together.ts';
import { type Told, wants, wordTo } from './words.ts';

/** A message that a route fits. */
interface Original {
  readonly identity: Identity;
  readonly content: NewBody;
  /** As it lies here; undefined where it begins here. */
  readonly hop: Hop | undefined;
  readonly place: Newcomer['place'];
}

/** Of the original. `ends`: it had to stay, and could not. */
type Fate = Routed['original'] | 'ends';

/** As long as one. */
const NO_STAND_IN = standInFor(NO_BYTES);

/** The original, in its queue, or its end, or its number alone; and whether it may share its body if it stays. */
interface Kept {
  readonly fate: Fate;
  readonly mayShare: boolean;
  plan(shared: Shared | undefined): Planned;
}

const TOLD: Readonly<Record<Fate, readonly Told[]>> = {
  stays: ['ACK_REACH_QUEUE'],
  goes: ['ACK_REACH_QUEUE', 'ACK_RECEIVE'],
  // Whoever ends it tells.
  ends: [],
};

export class Forwarding {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #endings: ArrivalEndings;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#intake = intake;
    this.#endings = new ArrivalEndings(store, intake);
  }

  /** One that begins here. @throws as `Intake.begin`; then nothing is changed */
  sent(
    destination: string,
    content: NewBody,
    { place, routed }: { readonly place: Newcomer['place']; readonly routed: Routed },
  ): Planned & { identity: Identity } {
    const how = { place, what: 'message' } as const;
    const going = { ...how, keeps: 'its number' } as const;
    const { identity } = this.#intake.beginAlone(destination, content, going);
    const plan = (shared: Shared | undefined): Planned =>
      this.#intake.beginAlone(destination, shared ? { ...content, shared } : content, routed.original === 'stays' ? how : going);
    const kept = { fate: routed.original, mayShare: true, plan };
    return { ...this.#plan({ identity, content, hop: undefined, place }, routed, kept), identity };
  }

  /** One of another node. @throws QUEUE_FULL while it has to wait; then nothing is changed */
  arrived(
    what: { readonly handle: number; readonly key: StreamKey; readonly item: MessageItem },
    { queue, routed, ...opened }: Opened & { readonly queue: Queue; readonly routed: Routed },
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, key, item } = what;
    const identity = { ...key, number: item.number };
    const late = planLate(this.#store, handle, item.number);
    const envelope =
      late === NOTHING ? opened.envelope : withHop(opened.envelope, (before) => ({ ...before, late: 'late' as const }));
    const { length: bytes } = envelope;
    const { message, hop } = decodeEnvelope(envelope);
    const content = contentOf(envelope);
    const fate = routed.original === 'stays' && this.#endsAsFull(queue, bytes) ? 'ends' : routed.original;
    // It stays as it came, byte for byte: it may share its body only if that is what comes out.
    const cover = encodeEnvelope({ ...message, body: standInFor(message.body) }, hop);
    const mayShare = equalBytes(uncovered(cover, message.body) ?? NO_BYTES, envelope);
    const plan = (shared: Shared | undefined): Planned => {
      if (fate === 'ends') return this.#ended(this.#endings.end(what, 'Q_EXCEED_QUOTA', changes), bytes);
      if (fate === 'goes') return joined(passing(this.#store, { handle, identity, epoch: opened.epoch }, changes), late);
      this.#checkRoom(queue, bytes);
      const whole = {
        handle,
        identity,
        epoch: opened.epoch,
        queue,
        envelope,
        properties: content.properties,
        hop,
        what: 'message',
      } as const;
      return joined(entering(this.#store, shared === undefined ? whole : { ...whole, envelope: cover, shared }, changes), late);
    };
    const { late: _late, ...told } = hop;
    return this.#plan({ identity, content, hop: told, place: 'new' }, routed, { fate, mayShare, plan });
  }

  /** All of it as one part of a batch. */
  #plan(original: Original, { route, onward: places }: Routed, kept: Kept): Planned {
    const { content, identity, place } = original;
    const { body } = content;
    const onward = places.map((one) => ({ ...one, content: forwardedContent(original, one) }));
    const all = together(this.#store.draft, (add, parts) => {
      const every = onward.map((one) => ({ ...one, obstacle: this.#obstacle(one.to, one.content, identity) }));
      const stays = kept.fate === 'stays' && kept.mayShare ? 1 : 0;
      const count = every.filter(({ obstacle }) => obstacle === undefined).length + stays;
      const share = new Sharing(body, count);
      if (share.isOn) add({ ...NOTHING, puts: [holderOf(body)] });
      add(kept.plan(stays > 0 ? share.next() : undefined));
      for (const { to, content: made, obstacle } of every) {
        const shared = obstacle === undefined ? share.next() : undefined;
        if (obstacle !== undefined) add(this.#lost(to, made, obstacle));
        else add(this.#intake.beginAlone(to, shared === undefined ? made : { ...made, shared }, { place, what: 'message' }));
      }
      this.#tell(original, kept.fate, { add, parts });
      if (content.properties.journal === 'on' && identity.origin === this.#store.self.name)
        this.#beside({ add, parts }, 'copies', () =>
          this.#intake.beginCopy({ ...content, previous: identityText(identity) }, place),
        );
    });
    const settle = (): void => {
      all.settle();
      this.#intake.routes?.took(route);
    };
    return { ...all, settle };
  }

  /** Why nothing can be forwarded there. What is full is no obstacle, but where the queue lets nobody of another node wait. */
  #obstacle(to: string, content: NewBody, { origin }: Identity): EndingClass | undefined {
    const { self, ring, queues } = this.#store;
    const { node, queue: name } = parseAddress(to, self.name);
    const bytes = this.#bytesAt(to, content);
    if (bytes > ring.bodyBytesMax - HOP_BYTES_MAX) return 'TOO_LARGE';
    if (node !== self.name) return this.#intake.canReach(node) ? undefined : 'BAD_DST_Q';
    const mayMake = this.#intake.unknownQueue === 'create' && !isSystemQueue(name);
    const queue = queues.find(name) ?? (mayMake ? this.#intake.queue(name) : undefined);
    if (queue === undefined) return 'BAD_DST_Q';
    if (bytes > queue.options.bytesLimit) return 'TOO_LARGE';
    return origin !== self.name && this.#endsAsFull(queue, bytes) ? 'Q_EXCEED_QUOTA' : undefined;
  }

  /** What it will take there, at most: with a body that is shared, too. */
  #bytesAt(to: string, content: NewBody): number {
    const { self, ring } = this.#store;
    const key = { origin: self.name, incarnation: self.incarnation, destination: to, priority: 0 };
    const of = { number: Number.MAX_SAFE_INTEGER, epoch: ring.epoch, hop: content.hop ?? FIRST_HOP };
    return encodeNew(key, of, { ...content, body: NO_STAND_IN }).length + content.body.length;
  }

  #endsAsFull(queue: Queue, bytes: number): boolean {
    return queue.options.remoteWhenFull === 'dead-letter' && bytes > this.#store.room.inQueue(queue);
  }

  /** @throws QUEUE_FULL */
  #checkRoom(queue: Queue, bytesNeeded: number): void {
    const { ring, room } = this.#store;
    if (ring.hasRoomFor(bytesNeeded) && room.fits(queue, bytesNeeded)) return;
    const { bytesLimit } = queue.options;
    throw new RingmailError('QUEUE_FULL', { queue: queue.name, bytesLimit, bytesUsed: bytesUsed(queue), bytesNeeded });
  }

  /** One that was made here ends before it is in its queue: its number is given, and a letter says why, or the account where there is none. */
  #lost(to: string, content: NewBody, ending: EndingClass): Planned {
    const { ring } = this.#store;
    const { key, handle, changes } = this.#intake.streamTo(to, content.properties.priority ?? PRIORITY_DEFAULT);
    const number = nextNumber(this.#store, { handle, key, endsHere: this.#store.isLocal(key.destination) });
    const envelope = encodeNew(key, { number, epoch: ring.epoch, hop: content.hop ?? FIRST_HOP }, content);
    const dead = this.#endings.end({ handle, key, item: { kind: 'message', number, envelope } }, ending, changes);
    if (dead === undefined || !('refused' in dead))
      return this.#intake.withEpoch(this.#ended(dead, envelope.length), handle, number);
    const lost = this.#endings.lost({ handle, key, item: { kind: 'message', number, envelope } }, ending);
    return this.#intake.withEpoch({ ...lost, changes: [...changes, ...lost.changes] }, handle, number);
  }

  /** @throws QUEUE_FULL when there is no room for the letter */
  #ended(dead: Planned | Refusal | undefined, bytes: number): Planned {
    if (dead !== undefined && !('refused' in dead)) return dead;
    const { messageBytesMax: bytesLimit, bytesUsed: used } = this.#store.ring;
    throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed: used, bytesNeeded: PUT_BYTES + bytes });
  }

  /** It has reached its queue, and if it does not stay there the route has received it. */
  #tell({ identity, content, place }: Original, fate: Fate, sum: Sum): void {
    for (const what of TOLD[fate]) {
      if (!wants(content.properties.acknowledge, what)) continue;
      const word = wordTo({ ...content.properties, identity }, what, this.#store.self.name);
      this.#beside(sum, 'words', () => this.#intake.beginAlone(word.destination, word.content, { place, what: 'record' }));
    }
  }

  /** What has no room beside the rest is left out, and counted. */
  #beside({ add, parts }: Sum, what: 'words' | 'copies', make: () => Planned): void {
    const { leftOut, ring } = this.#store;
    try {
      const part = make();
      if (ring.admits(batchOf({ ...sumOf([...parts, part]), settle: part.settle }))) return add(part);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
    }
    leftOut[what] += 1;
  }
}

interface Sum {
  readonly add: (part: Planned) => void;
  readonly parts: readonly Planned[];
}

/** The first that shares a body answers for its room. */
class Sharing {
  #next: Shared | undefined;

  /** `countMax`: of those who may share it. */
  constructor(body: Uint8Array, countMax: number) {
    if (countMax < 2 || body.length < SHARED_BODY_BYTES_MIN) return;
    const bodyBytes = body.length;
    this.#next = { holder: 'above', standIn: standInFor(body), bodyBytes, ringBytes: PUT_BYTES + bodyBytes };
  }

  get isOn(): boolean {
    return this.#next !== undefined;
  }

  next(): Shared | undefined {
    const next = this.#next;
    if (next !== undefined) this.#next = { ...next, ringBytes: 0 };
    return next;
  }
}

/** A body for those behind it; no message itself. */
function holderOf(body: Uint8Array): NewMessage {
  const nobody = { queue: 0, priority: 0, stream: 0, number: 0, epochCounter: 0, epochRandom: 0 };
  return { ...nobody, deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0, holder: 'itself', body };
}

/** A message of this node, made of the original. What its sender asked to be told and kept was about that one. */
function forwardedContent({ identity, content, hop }: Original, { changes }: Onward): NewBody {
  const { acknowledge: _told, journal: _kept, ...properties } = content.properties;
  const { body, history } = content;
  const { hop: told, ...onTheWay } = withChanges(properties, changes, hop);
  return { body, ...onTheWay, ...(told && { hop: told }), previous: identityText(identity), ...(history && { history }) };
}

/** The time that it spent on its way counts against the timers that it came with, and against none that the route gives it. */
function withChanges(
  properties: Properties,
  changes: RouteChanges,
  hop: Hop | undefined,
): { properties: Properties; hop: Hop | undefined } {
  const { priority, ...times } = changes;
  const own = priority === undefined ? properties : { ...properties, priority };
  if (Object.keys(times).length === 0) return { properties: own, hop };
  const { timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, ...rest } = own;
  const left = (ms: number): number => Math.max(1, ms - (hop?.elapsedMs ?? 0));
  return {
    properties: {
      ...rest,
      ...(timeToReachQueueMs !== undefined && { timeToReachQueueMs: left(timeToReachQueueMs) }),
      ...(timeToBeReceivedMs !== undefined && { timeToBeReceivedMs: left(timeToBeReceivedMs) }),
      ...(deliverAfterMs !== undefined && { deliverAfterMs: left(deliverAfterMs) }),
      ...times,
    },
    hop: hop && { ...hop, elapsedMs: 0 },
  };
}

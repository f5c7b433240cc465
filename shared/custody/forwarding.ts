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
import { RingmailError } from '../errors.ts';
import { SHARED_BODY_BYTES_MIN } from '../limits.ts';
import type { EndingClass } from '../message/classes.ts';
import type { Hop } from '../message/envelope.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import type { Onward, RouteChanges, Routed } from '../queue/routes.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import type { NewMessage } from '../ring/ring.ts';
import type { NewBody } from './intake.ts';
import type { Newcomer } from './message-room.ts';
import type { NodeStore } from './node-store.ts';
import { batchOf, NOTHING, type Planned } from './planned.ts';
import { sumOf, together } from './together.ts';
import { type Told, wants } from './words.ts';

/** Where the body of a message lies that has only its envelope for itself. */
export interface Shared {
  /** `above`: in the same batch, before it. Else the id of that message. */
  readonly holder: 'above' | number;
  /** Of the ring, for that message: told to the first that shares it. */
  readonly ringBytes: number;
}

/** A message that a route fits. */
export interface Original {
  readonly identity: Identity;
  readonly content: NewBody;
  /** As it lies here. */
  readonly hop: Hop;
  readonly place: Newcomer['place'];
}

/** How parts of a batch are made: the intake's. */
export interface Making {
  /** Why it cannot be forwarded there, now or ever; undefined where it can, and `forwarded` has no reason but room. */
  obstacle(to: string, content: NewBody, original: Original): EndingClass | undefined;
  forwarded(to: string, content: NewBody, place: Newcomer['place']): Planned;
  /** It ends where it was made. */
  lost(to: string, content: NewBody, ending: EndingClass): Planned;
  /** @throws as the intake does; a record that has no room is left out */
  word(original: Original, what: Told): Planned;
  copy(original: Original): Planned;
}

export class Forwarding {
  readonly #store: NodeStore;
  readonly #make: Making;

  constructor(store: NodeStore, make: Making) {
    this.#store = store;
    this.#make = make;
  }

  /**
   * All of it as one part of a batch. `keep`: the original, in its queue, or its end, or its number alone; what it may share, if it stays.
   * @throws QUEUE_FULL and others of the intake; then nothing is changed
   */
  plan(
    original: Original,
    routed: Routed,
    keep: { readonly fate: Fate; readonly mayShare: boolean; plan(shared: Shared | undefined): Planned },
  ): Planned {
    const { content, identity, place } = original;
    const { body } = content;
    const onward = routed.onward.map((one) => ({ ...one, content: forwardedContent(original, one) }));
    return together(this.#store.draft, (add, parts) => {
      const there = onward.map((one) => ({ ...one, obstacle: this.#make.obstacle(one.to, one.content, original) }));
      const stays = keep.fate === 'stays' && keep.mayShare ? 1 : 0;
      const count = there.filter(({ obstacle }) => obstacle === undefined).length + stays;
      const share = new Sharing(count > 1 && body.length >= SHARED_BODY_BYTES_MIN ? body.length : undefined);
      if (share.isOn) add({ ...NOTHING, puts: [holderOf(body)] });
      add(keep.plan(stays > 0 ? share.next() : undefined));
      for (const { to, content: made, obstacle } of there) {
        const shared = obstacle === undefined ? share.next() : undefined;
        if (obstacle !== undefined) add(this.#make.lost(to, made, obstacle));
        else add(this.#make.forwarded(to, shared === undefined ? made : { ...made, shared }, place));
      }
      this.#tell(original, keep.fate, { add, parts });
      if (content.properties.journal === 'on' && identity.origin === this.#store.self.name)
        this.#beside({ add, parts }, () => this.#make.copy(original), 'copies');
    });
  }

  /** It has reached its queue, and if it does not stay there the route has received it. */
  #tell(original: Original, fate: Fate, sum: Sum): void {
    const { acknowledge } = original.content.properties;
    for (const what of TOLD[fate])
      if (wants(acknowledge, what)) this.#beside(sum, () => this.#make.word(original, what), 'words');
  }

  /** What has no room beside the rest is left out, and counted. */
  #beside({ add, parts }: Sum, make: () => Planned, what: 'words' | 'copies'): void {
    const { leftOut, ring } = this.#store;
    let part: Planned | undefined;
    try {
      part = make();
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
    }
    const all = part && { ...sumOf([...parts, part]), settle: part.settle };
    if (part !== undefined && all !== undefined && ring.admits(batchOf(all))) return add(part);
    leftOut[what] += 1;
  }
}

/** Of the original. `ends`: it had to stay, and could not. */
export type Fate = Routed['original'] | 'ends';

const TOLD: Readonly<Record<Fate, readonly Told[]>> = {
  stays: ['ACK_REACH_QUEUE'],
  goes: ['ACK_REACH_QUEUE', 'ACK_RECEIVE'],
  // Whoever ends it tells.
  ends: [],
};

interface Sum {
  readonly add: (part: Planned) => void;
  readonly parts: readonly Planned[];
}

/** The first that shares a body answers for its room. */
class Sharing {
  readonly isOn: boolean;
  #ringBytes: number;

  constructor(bodyBytes: number | undefined) {
    this.isOn = bodyBytes !== undefined;
    this.#ringBytes = bodyBytes === undefined ? 0 : PUT_BYTES + bodyBytes;
  }

  next(): Shared | undefined {
    if (!this.isOn) return undefined;
    const ringBytes = this.#ringBytes;
    this.#ringBytes = 0;
    return { holder: 'above', ringBytes };
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
  const onTheWay = withChanges(properties, changes, hop);
  return { body, ...onTheWay, previous: identityText(identity), ...(history && { history }) };
}

/** The time that it spent on its way counts against the timers that it came with, and against none that the route gives it. */
function withChanges(properties: Properties, changes: RouteChanges, hop: Hop): { properties: Properties; hop: Hop } {
  const { priority, ...times } = changes;
  const own = priority === undefined ? properties : { ...properties, priority };
  if (Object.keys(times).length === 0) return { properties: own, hop };
  const { timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, ...rest } = own;
  const left = (ms: number): number => Math.max(1, ms - hop.elapsedMs);
  return {
    properties: {
      ...rest,
      ...(timeToReachQueueMs !== undefined && { timeToReachQueueMs: left(timeToReachQueueMs) }),
      ...(timeToBeReceivedMs !== undefined && { timeToBeReceivedMs: left(timeToBeReceivedMs) }),
      ...(deliverAfterMs !== undefined && { deliverAfterMs: left(deliverAfterMs) }),
      ...times,
    },
    hop: { count: hop.count, elapsedMs: 0 },
  };
}

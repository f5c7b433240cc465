/** The programs beside the nodes: those that send what the plan says, and those that read a queue and do what its messages say. */

import { toUtf8 } from '../../shared/bytes.ts';
import type { Call, CallResult } from '../../shared/core/calls.ts';
import { crc32 } from '../../shared/crc32.ts';
import { identityText } from '../../shared/message/identity.ts';
import type { Message, Properties } from '../../shared/message/message.ts';
import { QUEUE_DEFAULTS, type QueueDefinition } from '../../shared/queue/queue-options.ts';
import type { Prng } from '../random.ts';
import type { SimNode } from '../sim-node.ts';
import type { World } from '../world.ts';
import { forwardedKey, keyOf, letterOf } from './letters.ts';
import type { Oracle } from './oracle.ts';
import type { PlannedReader, PlannedSend, PlannedWorld } from './plan.ts';
import type { Recorder } from './recorder.ts';

/** What the applications of a run share. */
export interface Stage {
  readonly world: World;
  readonly recorder: Recorder;
  readonly oracle: Oracle;
  /** `calm`: nothing breaks any more, applications neither. */
  phase: 'trouble' | 'calm';
}

/** A call that is not answered by then is given up by its caller, who knows nothing of it. */
export const PATIENCE_MS = 20_000;
const RETRY_MS = 50;
/** A device that nobody has heard of yet is tried again, so often. */
const UNKNOWN_MS = 700;
const UNKNOWN_COUNT = 12;
/** Of what a transaction sends. */
const DERIVED_BYTES = 60;

/** Sends one message, once its node serves. `done` is called once, whatever became of it. */
export function sendPlanned(
  stage: Stage,
  what: { node: SimNode; send: PlannedSend; routed?: PlannedWorld['routed'] },
  done: () => void,
  retries = UNKNOWN_COUNT,
): void {
  const { world, recorder, oracle } = stage;
  const { node, send } = what;
  if (!node.isServing) return void world.after(RETRY_MS, () => sendPlanned(stage, what, done, retries));
  const { key, destination, delivery } = send;
  const about = { node: send.node, key };
  const { body, properties } = tellSend(stage, send);
  const made = what.routed === undefined ? [] : tellRouted(stage, { send, body }, what.routed);
  let isOpen = true;
  const answered = (result: CallResult | undefined): void => {
    if (!isOpen) return;
    isOpen = false;
    if (result?.kind === 'sent') {
      const { identity } = result;
      const isExpress = send.delivery === 'express' && result.durability === 'volatile';
      const kept = !isExpress && (oracle.keeps(node, key) || oracle.heldBy(key, node.name).length > 0) ? 'kept' : 'not-kept';
      recorder.add({ kind: 'accepted', ...about, identity, kept, ...(isExpress && { durability: 'volatile' }) });
      if (isExpress) recorder.mark('sent express');
      if (node.name === 'central' && destination.startsWith('device')) recorder.mark('command from the central');
    } else if (result?.kind === 'error') {
      recorder.add({ kind: 'refused', ...about, code: result.error.code });
      for (const one of made) recorder.add({ kind: 'refused', node: what.routed?.node ?? '', key: one, code: result.error.code });
      if (result.error.code === 'ROUTE_NOT_FOUND' && retries > 0)
        return void world.after(UNKNOWN_MS, () => sendPlanned(stage, what, done, retries - 1));
      if (result.error.code === 'QUEUE_FULL') recorder.mark('send refused for want of room');
    } else {
      recorder.mark('send never answered');
    }
    done();
  };
  node.call({ verb: 'send', destination, body, properties, ...(delivery && { delivery }) }, answered);
  world.after(PATIENCE_MS, () => answered(undefined));
}

/** Puts it on record that the message is sent now. What is to be given to the node. */
export function tellSend({ recorder }: Stage, send: PlannedSend): { body: Uint8Array; properties: Properties } {
  const { key, node, priority, timeToBeReceivedMs, deliverAfterMs, acknowledge, deadLetter, journal, delivery } = send;
  const body = letterOf(key, send.bytes);
  const timers = {
    ...(timeToBeReceivedMs !== undefined && { timeToBeReceivedMs }),
    ...(deliverAfterMs !== undefined && { deliverAfterMs }),
  };
  const wishes = { ...(acknowledge && { acknowledge }), ...(deadLetter && { deadLetter }), ...(journal && { journal }) };
  const destination = send.destination.includes('/') ? send.destination : `${node}/${send.destination}`;
  recorder.add({
    kind: 'send',
    node,
    key,
    destination,
    priority,
    bytes: body.length,
    crc: crc32(body, 0),
    ...timers,
    ...wishes,
    ...(delivery && { delivery }),
  });
  return { body, properties: { priority, ...timers, ...wishes } };
}

/** Puts it on record that a route is to make these of it. Their keys. */
function tellRouted(
  { recorder, oracle }: Stage,
  { send, body }: { send: PlannedSend; body: Uint8Array },
  { node, to }: NonNullable<PlannedWorld['routed']>,
): string[] {
  const { key, priority } = send;
  const sent = to.map((destination, at) => {
    const made = forwardedKey(key, at + 1);
    oracle.routed.set(made, { node, destination });
    recorder.add({ kind: 'send', node, key: made, destination, priority, bytes: body.length, crc: crc32(body, 0) });
    return made;
  });
  oracle.wholes.ask({ node, key, identity: key, sent, by: 'route' });
  return sent;
}

/** For so long after something was held in a queue nobody judges who goes first there: it may just have become ready. */
const HELD_MS = 10_000;

/** What is under lease at a node, until when, over all readers. */
export class Leases {
  readonly #until = new Map<string, number>();

  hold(node: string, key: string, untilMs: number): void {
    this.#until.set(`${node} ${key}`, untilMs);
  }

  has(node: string, key: string, nowMs: number): boolean {
    return (this.#until.get(`${node} ${key}`) ?? -1) >= nowMs;
  }

  any(node: string, nowMs: number): boolean {
    for (const [name, untilMs] of this.#until) if (name.startsWith(`${node} `) && untilMs >= nowMs) return true;
    return false;
  }
}

interface ReaderOptions {
  readonly name: string;
  readonly plan: PlannedReader;
  /** Its queue, as it is configured. */
  readonly queue: QueueDefinition;
  readonly node: SimNode;
  readonly random: Prng;
  readonly effects: Set<string>;
  readonly leases: Leases;
  readonly unready: Set<string>;
}

/** A message that an application has in its hands. */
interface Had {
  readonly node: string;
  readonly key: string;
  readonly identity: string;
  readonly deliveryCount: number;
}

/** One application that reads: begins anew whenever its node serves. Its memory of effects is as durable as the effects. */
export class Reader {
  readonly #stage: Stage;
  readonly #plan: PlannedReader;
  readonly #queue: QueueDefinition;
  readonly #node: SimNode;
  readonly #effects: Set<string>;
  readonly #leases: Leases;
  /** Keys that are not simply ready: given back, or not to be delivered yet. */
  readonly #unready: Set<string>;
  readonly #random: Prng;
  readonly #name: string;
  #calledAtMs = 0;
  /** When something was last seen to wait in this queue for an earlier message of its stream. */
  #heldAtMs = Number.NEGATIVE_INFINITY;
  /** In which opening of its node a message was delivered last. */
  readonly #openings = new Map<string, number>();
  #turn = 0;

  constructor(stage: Stage, options: ReaderOptions) {
    this.#stage = stage;
    this.#plan = options.plan;
    this.#queue = options.queue;
    this.#node = options.node;
    this.#effects = options.effects;
    this.#leases = options.leases;
    this.#unready = options.unready;
    this.#random = options.random;
    this.#name = options.name;
  }

  get node(): SimNode {
    return this.#node;
  }

  begin(): void {
    const turn = ++this.#turn;
    this.#receive(turn);
  }

  #receive(turn: number): void {
    const { world } = this.#stage;
    const { queue, leaseMs } = this.#plan;
    if (turn !== this.#turn) return;
    this.#calledAtMs = world.nowMs;
    this.#lookForHeld();
    this.#node.call({ verb: 'receive', queue, waitMs: 2_000, leaseMs }, (result) => {
      if (turn !== this.#turn) return;
      if (result.kind !== 'received') return void world.after(10, () => this.#receive(turn));
      const { message, lease, deliveryCount, hop } = result.received;
      this.#delivered(message, { lease, deliveryCount, ...(hop.late && { late: hop.late }) });
      world.after(this.#random.next() * this.#plan.workMsMax, () => this.#work(turn, message, { lease, deliveryCount }));
    });
  }

  #delivered(message: Message, { lease, deliveryCount, late }: { lease: string; deliveryCount: number; late?: 'late' }): void {
    const { recorder, world, oracle } = this.#stage;
    const { queue, leaseMs } = this.#plan;
    const node = this.#node.name;
    const key = keyOf(message);
    const { priority, body } = message;
    if (deliveryCount > 1) this.#markRepeat(key);
    // Comes it back once more, it waits, or is given up.
    if (deliveryCount > 1 && this.#queue.deliveriesMax !== undefined) this.#unready.add(key ?? '');
    if (key !== undefined) this.#openings.set(key, this.#node.openings);
    if (message.deliverAfterMs !== undefined) recorder.mark('delivered late on purpose');
    if (late === 'late') recorder.mark('came late');
    recorder.add({
      kind: 'delivered',
      node,
      queue,
      reader: this.#name,
      lease,
      key,
      identity: identityText(message.identity),
      priority,
      bytes: body.length,
      crc: crc32(body, 0),
      deliveryCount,
      maybeDuplicate: message.maybeDuplicate ?? 'no',
      ...(late && { late }),
      overtook: key === undefined ? [] : this.#overtaken(key, message),
    });
    if (key !== undefined) this.#leases.hold(node, key, world.nowMs + leaseMs + 1);
    if (oracle.heldBy(key ?? '', node).length > 0) recorder.mark('message in two rings at once');
  }

  #markRepeat(key: string | undefined): void {
    const isSameOpening = this.#openings.get(key ?? '') === this.#node.openings;
    this.#stage.recorder.mark(isSameOpening ? 'delivered again after its lease' : 'delivered again after a restart');
  }

  #lookForHeld(): void {
    const queue = this.#node.stats()?.queues.find(({ name }) => name === this.#plan.queue);
    if ((queue?.held ?? 0) > 0) this.#heldAtMs = this.#stage.world.nowMs;
  }

  /** Keys that were ready here when this one was chosen, and more urgent. What waits above a hole is not ready. */
  #overtaken(key: string, { identity, priority }: Message): string[] {
    const { oracle, world } = this.#stage;
    const { nowMs } = world;
    this.#lookForHeld();
    if (nowMs - this.#heldAtMs < HELD_MS) return [];
    const node = this.#node.name;
    const all = [...oracle.held(node)];
    const own = oracle.heldAs(node, key, identityText(identity));
    const chosenAtMs = Math.max(this.#calledAtMs, own?.sinceMs ?? nowMs);
    return all
      .filter((held) => held.queue === own?.queue && held.priority > priority && held.key !== key)
      .filter((held) => held.sinceMs < chosenAtMs && held.notBeforeMs === 0 && held.expiresAtMs === 0)
      .filter((held) => !this.#leases.has(node, held.key, nowMs) && !this.#unready.has(held.key))
      .map((held) => held.key);
  }

  /** The effect and the memory of it are one; between them and the acknowledgement the application may die. */
  #work(turn: number, message: Message, { lease, deliveryCount }: { lease: string; deliveryCount: number }): void {
    const { recorder, phase, world } = this.#stage;
    const random = this.#random;
    if (turn !== this.#turn) return;
    const key = keyOf(message);
    const about = { node: this.#node.name, key: key ?? '', identity: identityText(message.identity), deliveryCount };
    const { node, identity } = about;
    if (key !== undefined && this.#isDisliked(key)) return this.#dislike(turn, lease, about);
    if (key !== undefined && phase === 'trouble') {
      if (random.chance(this.#plan.giveBack)) return this.#giveBack(turn, lease, { ...about, delayMs: random.pick([0, 5, 400]) });
      if (random.chance(this.#plan.giveUp) && !this.#effects.has(about.identity)) return this.#giveUp(turn, lease, about);
    }
    if (key !== undefined && !this.#effects.has(about.identity)) {
      this.#effects.add(about.identity);
      recorder.add({ kind: 'effect', node, key, identity, maybeDuplicate: message.maybeDuplicate ?? 'no' });
    }
    if (phase === 'trouble' && random.chance(this.#plan.crash)) {
      recorder.mark('application died between effect and acknowledgement');
      return void world.after(500, () => this.#receive(turn));
    }
    if (key !== undefined && this.#isForTransaction(about.identity)) return this.#commit(turn, lease, about);
    this.#settle(turn, { verb: 'ack', lease }, () => {
      recorder.add({ kind: 'acked', node, key: about.key, identity, gone: this.#isGone(about) });
    });
  }

  /** Of a message always the same: whoever has it, and as often as he does. */
  #isForTransaction(identity: string): boolean {
    return crc32(toUtf8(identity), 0) % 100 < 100 * (this.#plan.commit?.share ?? 0);
  }

  /** What it says is done, and what follows from it sent, in one; one that is refused is tried again, later. */
  #commit(turn: number, lease: string, about: Had): void {
    const { recorder, oracle } = this.#stage;
    const { node, key, identity } = about;
    const destination = this.#plan.commit?.to ?? '';
    const mark = crc32(toUtf8(identity), 0);
    const sent = Array.from({ length: 1 + (mark % 2) }, (_, at) => `${key}+${mark.toString(36)}${at}`);
    recorder.add({ kind: 'committing', node, key, identity, sent });
    const sends = sent.map((one) => {
      const plan = { key: one, atMs: 0, node, destination, priority: 3 + (mark % 2), bytes: DERIVED_BYTES };
      return { do: 'send', destination, ...tellSend(this.#stage, plan) } as const;
    });
    const ack = { do: 'ack', lease } as const;
    oracle.wholes.ask({ node, key, identity, sent, by: 'transaction' });
    this.#ask({ verb: 'commit', steps: mark % 4 < 2 ? [ack, ...sends] : [...sends, ack] }, (result) => {
      if (result?.kind === 'committed') {
        recorder.mark('ended by a transaction');
        for (const [at, one] of sent.entries()) {
          // Nobody has it before all of it is there: it cannot be received yet.
          const kept = oracle.keeps(this.#node, one) ? 'kept' : 'not-kept';
          recorder.add({ kind: 'accepted', node, key: one, identity: result.identities[at] ?? '', kept });
        }
        recorder.add({ kind: 'acked', node, key, identity, gone: this.#isGone(about) });
      } else if (result?.kind === 'error') {
        const { code } = result.error;
        recorder.mark('transaction refused');
        for (const one of sent) recorder.add({ kind: 'refused', node, key: one, code });
        if (code === 'QUEUE_FULL') return this.#giveBack(turn, lease, { ...about, delayMs: this.#random.pick([0, 5, 400]) });
      } else {
        recorder.mark('transaction never answered');
      }
      this.#next(turn);
    });
  }

  /** By its key, of those that its queue will give up one day. */
  #isDisliked(key: string): boolean {
    const { dislike = 0 } = this.#plan;
    return this.#queue.deliveriesMax !== undefined && crc32(toUtf8(`disliked ${key}`), 0) % 1_000 < 1_000 * dislike;
  }

  /** Given back as often as it comes. How long it waits is a matter of its queue. */
  #dislike(turn: number, lease: string, about: Had): void {
    const { retryMs = 0, retryFactor = QUEUE_DEFAULTS.retryFactor } = this.#queue;
    const delayMs = about.deliveryCount < 2 ? 0 : retryMs * retryFactor ** (about.deliveryCount - 2);
    this.#return(turn, { verb: 'nack', lease }, { ...about, delayMs });
  }

  #giveBack(turn: number, lease: string, about: Had & { delayMs: number }): void {
    this.#return(turn, { verb: 'nack', lease, delayMs: about.delayMs }, about);
  }

  /** The last time that it may come back is its end. */
  #return(turn: number, call: Call, { node, key, identity, deliveryCount, delayMs }: Had & { delayMs: number }): void {
    const { recorder } = this.#stage;
    const { deliveriesMax = 0 } = this.#queue;
    this.#unready.add(key);
    recorder.mark('given back');
    recorder.add({ kind: 'returned', node, key, identity, delayMs });
    this.#settle(turn, call, () => {
      if (deliveriesMax === 0 || deliveryCount < deliveriesMax) return;
      recorder.mark('given up by its queue');
      this.#gaveUp({ node, key, identity });
    });
  }

  #giveUp(turn: number, lease: string, { node, key, identity }: Had): void {
    this.#stage.recorder.mark('given up');
    this.#unready.add(key);
    this.#settle(turn, { verb: 'deadLetter', lease, reason: `nobody wants ${key}` }, () => this.#gaveUp({ node, key, identity }));
  }

  #gaveUp(about: { node: string; key: string; identity: string }): void {
    this.#stage.recorder.add({ kind: 'given-up', ...about, gone: 'gone' });
  }

  #isGone({ node, key, identity }: Had): 'gone' | 'still-there' {
    return this.#stage.oracle.hasIdentity(node, key, identity) ? 'still-there' : 'gone';
  }

  #settle(turn: number, call: Call, then: () => void): void {
    this.#ask(call, (result) => {
      if (result?.kind === 'done') then();
      else this.#stage.recorder.mark('acknowledgement never answered');
      this.#next(turn);
    });
  }

  /** `then` is called once; undefined: nobody answered. */
  #ask(call: Call, then: (result: CallResult | undefined) => void): void {
    let isOpen = true;
    const goOn = (result: CallResult | undefined): void => {
      if (!isOpen) return;
      isOpen = false;
      then(result);
    };
    this.#node.call(call, goOn);
    this.#stage.world.after(PATIENCE_MS, () => goOn(undefined));
  }

  #next(turn: number): void {
    if (turn === this.#turn) this.#stage.world.after(0, () => this.#receive(turn));
  }
}

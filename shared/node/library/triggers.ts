/**
 * Triggers: for each message that arrives in a queue and fits, something is done once. The message stays where it is.
 *
 *   place read ──▶ waiting ──▶ it fits ── send: copy and place in one frame ──────┐
 *                    ▲  │                 handler: called, then the place is stored│
 *                    │  └──▶ it does not: the place moves, in memory              │
 *                    └─────────────────────────────────────────────────────────────┘
 *
 * The place is the lookup id of the last message that was dealt with, under `trigger/<name>` in the ring.
 */

import { checkDestination } from '../../core/send-desk.ts';
import { RingmailError } from '../../errors.ts';
import { isName } from '../../message/address.ts';
import { decodeCbor, encodeCbor } from '../../message/cbor.ts';
import type { Properties } from '../../message/message.ts';
import { type Condition, meets } from '../../queue/condition.ts';
import type { NodeCalls } from '../node-calls.ts';
import { arrivalAfter } from './arrivals.ts';
import { ask } from './asking.ts';
import { mayPass, Patience } from './patience.ts';
import type { Glance } from './receiving.ts';

export type TriggerAction = { readonly send: string } | ((seen: Glance) => void | Promise<void>);

export interface TriggerOptions {
  /** Its place is kept under this name: one program at a time runs it. Spelt like the name of a queue. */
  readonly name: string;
  readonly queue: string;
  /** Which messages. All unless said. */
  readonly where?: Condition;
  readonly do: TriggerAction;
  /** Told what a handler threw, or the node said. What it throws itself is dropped. */
  readonly onError?: (error: unknown, seen: Glance | undefined) => void;
}

/** Calls of a handler that throws, for one message. Then the trigger goes on with the next one. */
const ATTEMPT_COUNT_MAX = 5;
/** Messages that did not fit before the place is stored again: so many are looked at twice after a restart. */
const UNSTORED_COUNT_MAX = 1_000;

/** Refusals that say the same however often one asks: this copy can never be sent. */
const FOR_EVER = new Set([
  'MESSAGE_TOO_LARGE',
  'MESSAGE_REFUSED',
  'PROPERTY_INVALID',
  'TRANSACTION_TOO_LARGE',
  'CBOR_UNENCODABLE',
  'NAME_INVALID',
  'ACCESS_MODE_INVALID',
]);

export class Trigger {
  readonly name: string;
  readonly #node: NodeCalls;
  readonly #options: TriggerOptions;
  readonly #stop = new AbortController();
  #place = 0;
  #unstored = 0;
  #firedCount = 0;
  #running: Promise<void> = Promise.resolve();

  private constructor(node: NodeCalls, options: TriggerOptions) {
    this.#node = node;
    this.#options = options;
    this.name = options.name;
  }

  /** Begins where it ended before, or with what its queue holds. @throws NAME_INVALID, QUEUE_NOT_FOUND */
  static async start(node: NodeCalls, options: TriggerOptions): Promise<Trigger> {
    const { name } = options;
    if (!isName(name)) throw new RingmailError('NAME_INVALID', { name, reason: 'trigger: [a-z0-9][a-z0-9_-]{0,62}' });
    if (typeof options.do === 'object') checkDestination(options.do.send);
    const trigger = new Trigger(node, options);
    trigger.#place = await placeOf(node, name);
    await trigger.#next(0); // whether there is such a queue is said here, and not later to nobody
    trigger.#running = trigger.#run();
    return trigger;
  }

  /** Resolves when it is stopped. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Since it was started. */
  get firedCount(): number {
    return this.#firedCount;
  }

  /** Resolves when what it was doing is done, and its place stored. It goes on from there when it is started again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Stops it, and forgets its place: the same name begins anew. */
  async forget(): Promise<void> {
    await this.stop();
    await this.#node.call({ verb: 'commit', steps: [{ do: 'position', name: positionOf(this.name), value: new Uint8Array(0) }] });
  }

  #next(waitMs?: number): Promise<Glance | undefined> {
    const how = { lookupId: this.#place, bodies: 'with', signal: this.#stop.signal } as const;
    return arrivalAfter(this.#node, this.#options.queue, { ...how, ...(waitMs !== undefined && { waitMs }) });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const patience = new Patience();
    while (!signal.aborted) {
      try {
        const seen = await this.#next();
        if (seen === undefined) await this.#store();
        else if (meets(seen.message, this.#options.where)) await this.#fire(seen);
        else await this.#pass(seen);
        patience.reset();
      } catch (error) {
        // Another queue may have been deleted for ever, or be made again: it is told, and asked again.
        this.#tell(error, undefined);
        await patience.wait(signal);
      }
    }
    await this.#store().catch((error: unknown) => this.#tell(error, undefined));
  }

  async #pass({ lookupId }: Glance): Promise<void> {
    this.#place = lookupId;
    this.#unstored += 1;
    if (this.#unstored >= UNSTORED_COUNT_MAX) await this.#store();
  }

  async #fire(seen: Glance): Promise<void> {
    const action = this.#options.do;
    if (typeof action === 'function') await this.#call(action, seen);
    else await this.#send(action.send, seen);
  }

  async #call(handler: Exclude<TriggerAction, object & { send: string }>, seen: Glance): Promise<void> {
    const patience = new Patience();
    for (let attempt = 1; ; attempt++) {
      try {
        await handler(seen);
        this.#firedCount += 1;
        break;
      } catch (error) {
        this.#tell(error, seen);
        if (attempt === ATTEMPT_COUNT_MAX) break;
        await patience.wait(this.#stop.signal);
        if (this.#stop.signal.aborted) return; // not done: the next start calls it for this message again
      }
    }
    this.#place = seen.lookupId;
    this.#unstored += 1;
    await this.#store();
  }

  /** The copy and the place in one frame: done once, whatever happens in between. */
  async #send(destination: string, seen: Glance): Promise<void> {
    const { lookupId, message } = seen;
    const patience = new Patience();
    while (!this.#stop.signal.aborted) {
      try {
        const copy = { do: 'send', destination, body: message.body, properties: copiedFrom(message) } as const;
        await ask(this.#node, { verb: 'commit', steps: [copy, placeStep(this.name, lookupId)] }, 'committed');
        this.#firedCount += 1;
        this.#place = lookupId;
        this.#unstored = 0;
        return;
      } catch (error) {
        this.#tell(error, seen);
        if (error instanceof RingmailError && FOR_EVER.has(error.code)) return this.#pass(seen);
        await patience.wait(this.#stop.signal);
        // In doubt it may be done: the place in the ring tells.
        if (mayPass(error)) this.#place = Math.max(this.#place, await placeOf(this.#node, this.name).catch(() => 0));
        if (this.#place >= lookupId) return;
      }
    }
  }

  async #store(): Promise<void> {
    if (this.#unstored === 0) return;
    await this.#node.call({ verb: 'commit', steps: [placeStep(this.name, this.#place)] });
    this.#unstored = 0;
  }

  #tell(error: unknown, seen: Glance | undefined): void {
    try {
      this.#options.onError?.(error, seen);
    } catch {
      // Who is told of errors has one of its own: the trigger goes on.
    }
  }
}

/** @throws as `position` does */
async function placeOf(node: NodeCalls, name: string): Promise<number> {
  const { value } = await ask(node, { verb: 'position', name: positionOf(name) }, 'position');
  const place = value === undefined || value.length === 0 ? 0 : decodeCbor(value);
  return typeof place === 'number' ? place : 0;
}

function placeStep(name: string, lookupId: number) {
  return { do: 'position', name: positionOf(name), value: encodeCbor(lookupId) } as const;
}

function positionOf(name: string): string {
  return `trigger/${name}`;
}

/** What a copy says of itself: as the message does, but for what its sender asked to be told or kept. */
function copiedFrom(message: Properties): Properties {
  const { priority, contentType, label, correlationId, responseQueue, appSpecific, headers } = message;
  const { timeToReachQueueMs, timeToBeReceivedMs, deadLetter } = message;
  const all = { priority, contentType, label, correlationId, responseQueue, appSpecific, headers };
  const copied = { ...all, timeToReachQueueMs, timeToBeReceivedMs, deadLetter };
  return Object.fromEntries(Object.entries(copied).filter(([, value]) => value !== undefined));
}

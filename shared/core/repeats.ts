/**
 * Requests that may come again: numbered ones (producers.ts) and those under a key (send-keys.ts). A repeat stores nothing; it is
 * answered as the first one was, and not before that one is on the disk.
 */
import type { MetaChange } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import type { Identity } from '../message/identity.ts';
import type { Outcome } from '../ring/ring.ts';
import type { CallResult, Durability, ProducerNumber } from './calls.ts';
import { type DeskShell, outcomeResult } from './desk-shell.ts';
import { OnItsWay } from './on-its-way.ts';
import { type Answer, Producers } from './producers.ts';
import { SendKeys } from './send-keys.ts';

/** What of a call makes it repeatable. */
export interface Repeatable {
  readonly by?: ProducerNumber;
  /** Of a send. */
  readonly destination?: string;
  readonly sendKey?: string;
}

export class Repeats {
  readonly #store: NodeStore;
  readonly #shell: DeskShell;
  readonly #keys: SendKeys;
  readonly #producers: Producers;

  constructor(store: NodeStore, shell: DeskShell) {
    this.#store = store;
    this.#shell = shell;
    this.#keys = new SendKeys(store);
    this.#producers = new Producers(store);
  }

  /**
   * True when the request was made before: it is answered, now or with the first one.
   * @throws PROPERTY_INVALID, NAME_INVALID, PRODUCER_NUMBER_INVALID, BUSY
   */
  answers(token: number, { by, destination, sendKey }: Repeatable): boolean {
    if (by !== undefined && sendKey !== undefined) {
      throw new RingmailError('PROPERTY_INVALID', { property: 'sendKey', reason: 'a numbered request has no key' });
    }
    if (by === undefined && sendKey === undefined) return false;
    const durability = this.#shell.durability();
    let known = by && this.#producers.find(by, durability);
    if (destination !== undefined && sendKey !== undefined) {
      const first = this.#keys.find(destination, sendKey);
      known = first && (first.request ?? { kind: 'sent', identity: first.identity, durability });
    }
    if (known === undefined) return false;
    if (known instanceof OnItsWay) known.join(token);
    else this.#shell.answer(token, known.kind === 'done' ? nameless(destination, durability) : known);
    return true;
  }

  /** A queue of this node is deleted: a key of its messages says nothing of those of a new one. For the frame that deletes it. */
  forget(queue: string): MetaChange[] {
    return this.#keys.forget(queue);
  }

  /** What remembers the request, for its frame. @throws BUSY */
  plan({ by, destination, sendKey }: Repeatable, answer: Answer): MetaChange[] {
    if (by !== undefined) return [this.#producers.plan(by, answer)];
    const [identity] = answer.identities;
    if (destination === undefined || sendKey === undefined || identity === undefined) return [];
    return this.#keys.plan(destination, sendKey, identity);
  }

  /** The frame is planned. Returns what is to be told how it ended; `result` is what the request itself is answered then. */
  planned(
    { by, destination, sendKey }: Repeatable,
    identities: readonly Identity[],
    result: CallResult,
  ): (outcome: Outcome) => void {
    const request = new OnItsWay(result);
    const [identity] = identities;
    let over: (() => void) | undefined;
    if (by !== undefined) over = this.#producers.planned(by, request);
    else if (destination !== undefined && sendKey !== undefined && identity !== undefined) {
      over = this.#keys.planned(destination, sendKey, identity, request);
    }
    if (over === undefined) return () => {};
    return (outcome) => {
      over();
      for (const token of request.takeTokens()) this.#shell.answer(token, outcomeResult(this.#store.ring, outcome, result));
    };
  }

  /** Durable with `done`. @throws NAME_INVALID */
  retire(producer: string, done: (outcome: Outcome) => void): void {
    const change = this.#producers.retire(producer);
    this.#store.commit({ metas: [change] }, done);
  }
}

/** What a request is answered of which nothing is known but that it was done: as its verb promises, without identities. */
function nameless(destination: string | undefined, durability: Durability): CallResult {
  return destination === undefined
    ? { kind: 'committed', identities: [], durability }
    : { kind: 'sent', identity: '', durability };
}

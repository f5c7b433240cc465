/**
 * The way through a broker, for one who hands over by it: what it does not let pass ends here, with its letter, and its gap goes on in its
 * place (docs/mqtt.md, 3).
 *
 *   open ──larger than the broker takes, or refused by the trial──▶ ending ──durable, or the receiver has it──▶ open
 *
 * Nothing is published while something ends. Only in a session: there the receiver has said what it has.
 */
import type { Rejection } from '../custody/refusals.ts';
import type { CustodySender } from '../custody/sender.ts';
import { TRIAL_ALONE_COUNT } from '../limits.ts';
import { type StreamKey, streamText } from '../message/identity.ts';
import type { RelayPublisher } from './relay-publisher.ts';
import type { Leave, Trial } from './trial.ts';

export interface PassageOptions {
  readonly sender: CustodySender;
  readonly publisher: RelayPublisher;
  /** Of the connection; shared by all who hand over by it. */
  readonly trial: Trial;
  /** Name of the receiver: as a party of the trial. */
  readonly party: string;
}

export class Passage {
  readonly #sender: CustodySender;
  readonly #publisher: RelayPublisher;
  readonly #trial: Trial;
  readonly #party: string;
  #ending: (Rejection & { readonly key: StreamKey }) | undefined;

  constructor({ sender, publisher, trial, party }: PassageOptions) {
    this.#sender = sender;
    this.#publisher = publisher;
    this.#trial = trial;
    this.#party = party;
  }

  /** Something ends: ask again after the next step. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** What may be published now. */
  leave(nowMs: number): Leave {
    return this.#isOpen() ? this.#trial.leave(this.#party, nowMs) : 'wait';
  }

  /** After publishing: what does not fit any publish begins to end. */
  published(): void {
    const { tooLarge, payloadBytesMax } = this.#publisher;
    if (tooLarge === undefined) return;
    const { stream, number } = tooLarge;
    this.#ending = {
      key: stream.key,
      number,
      class: 'TOO_LARGE',
      reason: `larger than the ${payloadBytesMax} bytes that the broker takes`,
    };
    this.#isOpen();
  }

  /** The connection is lost, in a session. */
  lost(nowMs: number): void {
    const { head } = this.#publisher.window;
    this.#trial.lost(this.#party, head && { ...head, item: itemText(head.stream.key, head.number) }, nowMs);
  }

  /** A receipt has moved something. */
  passed(nowMs: number): void {
    this.#trial.passed(this.#party, nowMs);
  }

  /** The receiver is gone: the broker has no part in that. */
  left(nowMs: number): void {
    this.#trial.left(this.#party, nowMs);
  }

  /** When another one's turn may come. */
  get wakeAtMs(): number | undefined {
    return this.#trial.wakeAtMs;
  }

  #isOpen(): boolean {
    this.#ending ??= this.#refusedByBroker();
    if (this.#ending === undefined) return true;
    const { key, ...rejection } = this.#ending;
    const ended = this.#sender.impassable(key, rejection);
    if (ended !== 'ended' && ended !== 'unknown') return false;
    this.#ending = undefined;
    this.#publisher.tooLarge = undefined;
    this.#trial.ended(this.#party);
    return true;
  }

  #refusedByBroker(): (Rejection & { readonly key: StreamKey }) | undefined {
    const item = this.#trial.refusedOf(this.#party);
    if (item === undefined) return undefined;
    const stream = this.#sender.streamsWithWork().find(({ key, send }) => itemText(key, send) === item);
    if (stream === undefined) {
      // The receiver had it after all, or it ended meanwhile.
      this.#trial.ended(this.#party);
      return undefined;
    }
    const reason = `the broker ended the connection each time that it was published, ${TRIAL_ALONE_COUNT} times alone`;
    return { key: stream.key, number: stream.send, class: 'BROKER_REFUSED', reason };
  }
}

function itemText(key: StreamKey, number: number): string {
  return `${streamText(key)} ${number}`;
}

/**
 * Who numbers its requests, and how far each has come. The last answer is remembered too, in the frame of its request:
 *
 *   w/<producer>    [last number, 0 sent | 1 committed | 2 done, stream handle, first number, count, stream handle, ...]
 *
 * A transaction whose sends make more stretches of consecutive numbers than that may hold is remembered as done.
 */
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValue, metaValues } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { ANSWER_STRETCH_COUNT_MAX, PRODUCER_COUNT_MAX } from '../limits.ts';
import { isName } from '../message/address.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { CallResult, Durability, ProducerNumber } from './calls.ts';
import type { OnItsWay } from './on-its-way.ts';

interface Producer {
  /** Planned ones counted. */
  last: number;
  readonly onTheirWay: Map<number, OnItsWay>;
}

/** What is answered, as it is remembered. */
export interface Answer {
  readonly kind: 'sent' | 'committed';
  readonly identities: readonly Identity[];
}

const KINDS = ['sent', 'committed', 'done'] as const;
const DONE: CallResult = { kind: 'done' };

export class Producers {
  readonly #store: NodeStore;
  readonly #producers = new Map<string, Producer>();

  constructor(store: NodeStore) {
    this.#store = store;
    for (const [name, value] of metaValues(store.ring.metas, 'w/')) {
      this.#producers.set(name, { last: new MetaFields(value).number(0), onTheirWay: new Map() });
    }
  }

  /**
   * What became of this request; undefined when it is the next one.
   * @throws NAME_INVALID, PROPERTY_INVALID, PRODUCER_NUMBER_INVALID, BUSY
   */
  find({ producer, number }: ProducerNumber, durability: Durability): CallResult | OnItsWay | undefined {
    if (!isName(producer))
      throw new RingmailError('NAME_INVALID', { name: producer, reason: 'producer: [a-z0-9][a-z0-9_-]{0,62}' });
    if (!Number.isSafeInteger(number) || number < 1) {
      throw new RingmailError('PROPERTY_INVALID', { property: 'number', reason: 'not a whole number from 1' });
    }
    const known = this.#producers.get(producer);
    const last = known?.last ?? 0;
    if (number > last + 1) throw new RingmailError('PRODUCER_NUMBER_INVALID', { producer, number, expected: last + 1 });
    if (number === last + 1) {
      const pending = this.#producers.size;
      if (known === undefined && pending >= PRODUCER_COUNT_MAX) {
        throw new RingmailError('BUSY', { pending, pendingMax: PRODUCER_COUNT_MAX });
      }
      return undefined;
    }
    return known?.onTheirWay.get(number) ?? (number === last ? this.#lastAnswer(producer, durability) : DONE);
  }

  /** For the frame of the request. */
  plan({ producer, number }: ProducerNumber, { kind, identities }: Answer): MetaChange {
    const stretches = this.#stretchesOf(identities);
    const isTooLong = stretches.length > ANSWER_STRETCH_COUNT_MAX;
    const answer = isTooLong ? [KINDS.indexOf('done')] : [KINDS.indexOf(kind), ...stretches.flat()];
    return metaChange(`w/${producer}`, [number, ...answer]);
  }

  /** The frame is planned. Returns what is to be called when it is over. */
  planned({ producer, number }: ProducerNumber, request: OnItsWay): () => void {
    const known = this.#producers.get(producer) ?? { last: 0, onTheirWay: new Map() };
    known.last = number;
    known.onTheirWay.set(number, request);
    this.#producers.set(producer, known);
    return () => void known.onTheirWay.delete(number);
  }

  /** Its name may begin at 1 again. @throws NAME_INVALID, PRODUCER_NOT_FOUND */
  retire(producer: string): MetaChange {
    if (!isName(producer))
      throw new RingmailError('NAME_INVALID', { name: producer, reason: 'producer: [a-z0-9][a-z0-9_-]{0,62}' });
    if (!this.#producers.delete(producer)) throw new RingmailError('PRODUCER_NOT_FOUND', { producer });
    return metaDelete(`w/${producer}`);
  }

  #lastAnswer(producer: string, durability: Durability): CallResult {
    const [, kind = 2, ...fields] = new MetaFields(metaValue(this.#store.ring.metas, `w/${producer}`)).numbers();
    const identities: string[] = [];
    for (let at = 0; at + 3 <= fields.length; at += 3) {
      const [handle = 0, first = 0, count = 0] = fields.slice(at, at + 3);
      if (!this.#store.streams.has(handle)) return DONE;
      const key = this.#store.streams.key(handle);
      for (let number = first; number < first + count; number++) identities.push(identityText({ ...key, number }));
    }
    const [identity] = identities;
    if (KINDS[kind] === 'committed') return { kind: 'committed', identities, durability };
    return KINDS[kind] === 'sent' && identity !== undefined ? { kind: 'sent', identity, durability } : DONE;
  }

  #stretchesOf(identities: readonly Identity[]): [number, number, number][] {
    const stretches: [number, number, number][] = [];
    for (const identity of identities) {
      const handle = this.#store.streams.find(identity) ?? 0;
      const last = stretches.at(-1);
      if (last !== undefined && last[0] === handle && last[1] + last[2] === identity.number) last[2] += 1;
      else stretches.push([handle, identity.number, 1]);
    }
    return stretches;
  }
}

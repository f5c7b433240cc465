/**
 * Where the applications of this node send: each destination read once, and its streams as objects of their own, so that what is known
 * of them is found by the object and not by its text.
 */
import { type Address, formatAddress, parseAddress } from '../message/address.ts';
import type { StreamKey } from '../message/identity.ts';
import { isTopicDestination } from '../message/topic-destination.ts';

export interface OwnDestination {
  readonly address: Address;
  /** The address in full: with its node. */
  readonly text: string;
  /** By priority. */
  readonly keys: (StreamKey | undefined)[];
}

/** Destinations kept, about 1 KB each. Beyond that all are forgotten, and read again as they come. */
const DESTINATION_COUNT_MAX = 256;

export class OwnStreams {
  readonly #destinations = new Map<string, OwnDestination>();

  /** `self`: the node of an address that names none. @throws NAME_INVALID */
  destination(written: string, self: string): OwnDestination {
    const known = this.#destinations.get(written);
    if (known !== undefined) return known;
    const address = parseAddress(written, self);
    const text = isTopicDestination(written) ? written : formatAddress(address);
    const destination = { address, text, keys: [] };
    if (this.#destinations.size >= DESTINATION_COUNT_MAX) this.#destinations.clear();
    this.#destinations.set(written, destination);
    return destination;
  }

  /** Of one stream the same object each time, as long as its incarnation stays. */
  key({ text, keys }: OwnDestination, of: Pick<StreamKey, 'origin' | 'incarnation' | 'priority'>): StreamKey {
    const { origin, incarnation, priority } = of;
    const known = keys[priority];
    if (known !== undefined && known.incarnation === incarnation) return known;
    const key = { origin, incarnation, destination: text, priority };
    keys[priority] = key;
    return key;
  }
}

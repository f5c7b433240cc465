/**
 * The last keys under which messages were sent from here, by destination: a ring of META values, each written in the frame of its
 * message over the oldest one.
 *
 *   k/<destination>/<sequence modulo 256>    [sequence, key, stream handle, number]
 */
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValues } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { SEND_KEY_COUNT_MAX, SEND_KEY_DESTINATION_COUNT_MAX, SEND_KEY_LENGTH_MAX } from '../limits.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { OnItsWay } from './on-its-way.ts';

interface Known {
  readonly sequence: number;
  readonly identity: string;
  /** Undefined once it is durable. */
  request: OnItsWay | undefined;
}

interface Keys {
  readonly byKey: Map<string, Known>;
  readonly bySequence: Map<number, string>;
  next: number;
}

export class SendKeys {
  readonly #store: NodeStore;
  readonly #destinations = new Map<string, Keys>();

  constructor(store: NodeStore) {
    this.#store = store;
    for (const [rest, value] of metaValues(store.ring.metas, 'k/')) {
      const fields = new MetaFields(value);
      const handle = fields.number(2);
      if (!store.streams.has(handle)) continue;
      const identity = identityText({ ...store.streams.key(handle), number: fields.number(3) });
      const keys = this.#keysOf(rest.slice(0, rest.lastIndexOf('/')));
      this.#enter(keys, fields.text(1), { sequence: fields.number(0), identity, request: undefined });
    }
  }

  /** What is known of a key. @throws PROPERTY_INVALID, NAME_INVALID */
  find(destination: string, key: string): Known | undefined {
    if (key === '' || key.length > SEND_KEY_LENGTH_MAX) {
      const reason = `a text of 1 to ${SEND_KEY_LENGTH_MAX} characters`;
      throw new RingmailError('PROPERTY_INVALID', { property: 'sendKey', reason });
    }
    return this.#destinations.get(this.#full(destination))?.byKey.get(key);
  }

  /** What remembers a key, for the frame of its message. @throws BUSY */
  plan(destination: string, key: string, identity: Identity): MetaChange[] {
    const full = this.#full(destination);
    const known = this.#destinations.get(full);
    const forgotten = known === undefined ? this.#forgotten() : [];
    const sequence = known?.next ?? 0;
    const handle = this.#store.streams.find(identity) ?? 0;
    return [...forgotten, metaChange(`k/${full}/${sequence % SEND_KEY_COUNT_MAX}`, [sequence, key, handle, identity.number])];
  }

  /** The frame is planned. */
  planned(destination: string, key: string, identity: Identity, request: OnItsWay): () => void {
    const full = this.#full(destination);
    const gone = this.#destinations.has(full) || !this.#isFull ? undefined : this.#goneQueue();
    if (gone !== undefined) this.#destinations.delete(gone);
    const keys = this.#keysOf(full);
    const known: Known = { sequence: keys.next, identity: identityText(identity), request };
    this.#enter(keys, key, known);
    return () => {
      known.request = undefined;
    };
  }

  /** Forgets the keys of a queue of this node. What must be stored of that. */
  forget(queue: string): MetaChange[] {
    const full = this.#full(queue);
    const sequences = [...(this.#destinations.get(full)?.bySequence.keys() ?? [])];
    this.#destinations.delete(full);
    return sequences.map((sequence) => metaDelete(`k/${full}/${sequence % SEND_KEY_COUNT_MAX}`));
  }

  get #isFull(): boolean {
    return this.#destinations.size >= SEND_KEY_DESTINATION_COUNT_MAX;
  }

  /** What makes room for one more destination. @throws BUSY */
  #forgotten(): MetaChange[] {
    if (!this.#isFull) return [];
    const gone = this.#goneQueue();
    if (gone === undefined) {
      throw new RingmailError('BUSY', { pending: this.#destinations.size, pendingMax: SEND_KEY_DESTINATION_COUNT_MAX });
    }
    const sequences = this.#destinations.get(gone)?.bySequence.keys() ?? [];
    return [...sequences].map((sequence) => metaDelete(`k/${gone}/${sequence % SEND_KEY_COUNT_MAX}`));
  }

  /** A queue of this node that is not there any more needs no keys. */
  #goneQueue(): string | undefined {
    const { self, queues } = this.#store;
    for (const full of this.#destinations.keys()) {
      const { node, queue } = parseAddress(full, '');
      if (node === self.name && queues.find(queue) === undefined) return full;
    }
    return undefined;
  }

  #full(destination: string): string {
    return formatAddress(parseAddress(destination, this.#store.self.name));
  }

  #keysOf(full: string): Keys {
    let keys = this.#destinations.get(full);
    if (keys === undefined) {
      keys = { byKey: new Map(), bySequence: new Map(), next: 0 };
      this.#destinations.set(full, keys);
    }
    return keys;
  }

  #enter(keys: Keys, key: string, known: Known): void {
    const { sequence } = known;
    const oldest = sequence - SEND_KEY_COUNT_MAX;
    const old = keys.bySequence.get(oldest);
    if (old !== undefined && keys.byKey.get(old)?.sequence === oldest) keys.byKey.delete(old);
    keys.bySequence.delete(oldest);
    keys.bySequence.set(sequence, key);
    keys.byKey.set(key, known);
    keys.next = Math.max(keys.next, sequence + 1);
  }
}

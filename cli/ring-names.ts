/** Names for the numbers a ring uses, from its META. What cannot be decoded has no name: a tool for damaged rings expects that. */

import { toHex } from '../shared/bytes.ts';
import { MetaFields } from '../shared/custody/meta-keys.ts';
import { RingmailError } from '../shared/errors.ts';
import { type CborValue, decodeCbor } from '../shared/message/cbor.ts';
import { streamText } from '../shared/message/identity.ts';

type Metas = readonly { readonly key: string; readonly value: Uint8Array }[];

export class RingNames {
  readonly #queues = new Map<number, string>();
  readonly #streams = new Map<number, string>();
  /** Undefined where no node ever served the ring. */
  readonly node: string | undefined;

  constructor(metas: Metas) {
    for (const { key, value } of metas) {
      const number = Number(key.slice(2));
      if (key.startsWith('q/')) this.#queues.set(number, new MetaFields(decoded(value)).text(0));
      if (key.startsWith('s/')) this.#streams.set(number, streamOf(decoded(value)));
    }
    const node = metas.find(({ key }) => key === 'node');
    this.node = node && (new MetaFields(decoded(node.value)).text(0) || undefined);
  }

  queue(id: number): string {
    if (id === 0) return '(passes through)';
    return this.#queues.get(id) || `queue ${id}`;
  }

  stream(handle: number): string {
    return this.#streams.get(handle) || `stream ${handle}`;
  }
}

function streamOf(value: CborValue): string {
  const fields = new MetaFields(value);
  if (fields.text(0) === '') return '';
  return streamText({
    origin: fields.text(0),
    incarnation: toHex(fields.bytes(1)),
    destination: fields.text(2),
    priority: fields.number(3),
  });
}

function decoded(value: Uint8Array): CborValue {
  try {
    return decodeCbor(value);
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}

/**
 * What a node keeps in META, and under which key. Values are CBOR unless said otherwise.
 *
 *   node             [name, incarnation bstr 8, secret bstr 16]
 *   home             text: machine id and inode of the file; a change means a copy
 *   config           [uplink, unknown queue, queue limit in bytes]    what the node was when it last opened, for `kept`
 *   open             true | id                                        from an opening until the clean close: found, there was none; then
 *                                                                     the highest id that was there at an opening after an unclean end
 *   q/<id>           [name, limit, reserve, when full, remote ...]    a queue; words as in queue-options.ts
 *   s/<handle>       [origin, incarnation, destination, priority]     a stream and its handle in this ring
 *   o/<handle>       [lo, next]                                       a stream that leaves this node
 *   d/<handle>       next | [next, counter, random, first, last, ...] a stream that ends here, and its epochs (stream-epochs.ts)
 *   g/<handle>/<n>   [to, class | "", node]                           a gap to hand over ("" is elsewhere)
 *   t/<hop>          [receiver, incarnation, ticket, nonce, based]    what our next offer on a hop shows
 *   b/<hop>/<handle> base                                             `sent` at an opening (docs/custody.md, section 4)
 *   n/<node>         true                                             a node below, over links (hops.ts)
 *   f/<neighbour>    [name, incarnation, ticket]                      a sender we receive from
 *   c/<nb>/<handle>  cursor                                           next expected of a stream from that sender
 *   a/<handle>/<class> count                                          a loss account
 *   p/<name>         bytes                                            an adapter's position
 */
import { toHex } from '../bytes.ts';
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../message/cbor.ts';
import type { MetaTable } from '../ring/meta-table.ts';

export interface MetaChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export function metaChange(key: string, value: CborInput): MetaChange {
  return { key, value: encodeCbor(value) };
}

export function metaDelete(key: string): MetaChange {
  return { key, value: undefined };
}

export function metaValue(metas: MetaTable, key: string): CborValue {
  const value = metas.get(key);
  return value === undefined ? undefined : decodeCbor(value);
}

/** Every META under a prefix: the rest of its key, and its value. */
export function* metaValues(metas: MetaTable, prefix: string): Generator<[string, CborValue]> {
  for (const [key, value] of metas.withPrefix(prefix)) yield [key.slice(prefix.length), decodeCbor(value)];
}

/** Fields of a META array, typed on the way out: what we wrote ourselves and what its checksum vouches for. */
export class MetaFields {
  readonly #values: readonly CborValue[];

  constructor(value: CborValue) {
    this.#values = Array.isArray(value) ? value : [value];
  }

  text(at: number): string {
    const value = this.#values[at];
    return typeof value === 'string' ? value : '';
  }

  number(at: number): number {
    const value = this.#values[at];
    return typeof value === 'number' ? value : 0;
  }

  /** All of them, where all are numbers. */
  numbers(): number[] {
    return this.#values.filter((value) => typeof value === 'number');
  }

  bytes(at: number): Uint8Array {
    const value = this.#values[at];
    return value instanceof Uint8Array ? value : new Uint8Array(0);
  }

  hex(at: number): string {
    return toHex(this.bytes(at));
  }
}

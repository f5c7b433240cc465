/**
 * What a node keeps in META, and under which key. Values are CBOR unless said otherwise.
 *
 *   node             [name, incarnation bstr 8, secret bstr 16]
 *   home             text: machine id and inode of the file; a change means a copy
 *   config           [uplink, unknown queue, queue limit in bytes]    what the node was when it last opened, for `kept`; of a node with
 *                    [..., uplinks]                                   several uplinks: which, and where they lead (core/kept-config.ts)
 *   open             true | id                                        from an opening until the clean close, which leaves false: found, there was none; then
 *                                                                     the highest id that was there at an opening after an unclean end
 *   q/<id>           [name, limit, reserve, when full, remote, {}]    a queue (queue-meta.ts)
 *   ids              id                                               the highest id of a queue, once one was deleted
 *   s/<handle>       [origin, incarnation, destination, priority]     a stream and its handle in this ring
 *   o/<handle>       [lo, next]                                       a stream that leaves this node
 *   d/<handle>       next | [next, counter, random, first, last, ...] a stream that ends here, and its epochs, holes (destinations.ts)
 *   g/<handle>/<n>   [to, class | "", node]                           a gap to hand over ("" is elsewhere)
 *   e/<handle>       [epoch, number, epoch, number, ...]              the first numbers of openings, of a stream that begins here
 *   x/<handle>       true                                              a stream of express messages, written down (express-streams.ts)
 *   t/<hop>          [receiver, incarnation, ticket, nonce, based]    what our next offer on a hop shows
 *   b/<hop>/<handle> base                                             `sent` at an opening (docs/custody.md, section 4)
 *   y/<hop>/<node>   [when, incarnation, ticket, nonce]               that of a neighbour the hop led to before (kept-tickets.ts)
 *   n/<node>         true | [way, epoch, ...]                         a node below, and by which neighbour (directory.ts)
 *   route            [epoch, way, neighbour, incarnation, announced, to which opening]  by whom this node is reached from above (own-route.ts)
 *   f/<neighbour>    [name, incarnation, ticket]                      a sender we receive from
 *   c/<nb>/<handle>  cursor                                           next expected of a stream from that sender
 *   a/<handle>/<class> count | [count, from, to, ...]                 a loss account (accounts.ts)
 *   r/<n>            [from, source, {where}, [to], {changes}]         a route (core/kept-routes.ts)
 *   p/<name>         bytes                                            an adapter's position, or an application's
 *   v/<handle>       [from, to, from, to, ...]                        numbers handed on as elsewhere (passed-over.ts)
 *   z/<node>         [incarnation, heard, agreed, [...], [...], more]  what a node said of itself (digest-book.ts)
 *   k/<address>/<i>  [sequence, key, handle, number]                  a send key (core/send-keys.ts)
 *   w/<producer>     [last, kind, handle, first, count, ...]          who numbers its requests (core/producers.ts)
 */
import { toHex } from '../bytes.ts';
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../message/cbor.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { encodeUints } from './uints.ts';

/** What the node was when it last opened. */
export const CONFIG_KEY = 'config';

export interface MetaChange {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export function metaChange(key: string, value: CborInput): MetaChange {
  return { key, value: encodeUints(value) ?? encodeCbor(value) };
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

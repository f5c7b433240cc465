/** What the TLVs of a NOTE do, one after the other. Those that have no place in a NOTE, or none on this side, are ignored and counted. */
import type { Item } from '../custody/session.ts';
import type { Peer } from './agreed.ts';
import type { Arrival } from './in-stream.ts';
import type { Inbound } from './inbound.ts';
import type { Outbound } from './outbound.ts';
import type { StreamCursor } from './packet-fields.ts';
import { streamKeyOf } from './stream-key.ts';
import type { Tlv } from './tlv.ts';

export interface NoteReaderOptions {
  readonly peer: Peer;
  /** As they are now. */
  readonly ways: () => { readonly inbound: Inbound | undefined; readonly outbound: Outbound | undefined };
  readonly onCursor: (record: StreamCursor, nowMs: number) => void;
  readonly onStat: (counters: readonly number[]) => void;
}

export class NoteReader {
  ignoredCount = 0;
  readonly #options: NoteReaderOptions;

  constructor(options: NoteReaderOptions) {
    this.#options = options;
  }

  /** A NOTE arrives when everything in it does. */
  read(tlvs: readonly Tlv[], nowMs: number): Arrival {
    let worst: Arrival = 'arrived';
    for (const tlv of tlvs) {
      const arrival = this.#tlv(tlv, nowMs);
      if (arrival === 'fenced' || arrival === 'protocol') return arrival;
      if (arrival !== 'arrived') worst = arrival;
    }
    return worst;
  }

  #tlv(tlv: Tlv, nowMs: number): Arrival {
    const { ways, peer, onCursor, onStat } = this.#options;
    const { inbound, outbound } = ways();
    switch (tlv.kind) {
      case 'stream':
        if (inbound === undefined) return this.#ignored();
        return inbound.open(tlv.handle, streamKeyOf(tlv, peer)) === 'opened' ? 'arrived' : 'protocol';
      case 'gap':
        return this.#gap(tlv.handle, { kind: 'gap', number: tlv.from, to: tlv.to, class: tlv.class, node: tlv.node }, nowMs);
      case 'elsewhere':
        return this.#gap(tlv.handle, { kind: 'elsewhere', number: tlv.from, to: tlv.to }, nowMs);
      case 'cursor':
        if (outbound === undefined) return this.#ignored();
        onCursor(tlv, nowMs);
        return 'arrived';
      case 'reject':
        return outbound?.rejected(tlv.handle, tlv.number, tlv.reason) === true ? 'arrived' : this.#ignored();
      case 'stat':
        onStat(tlv.counters);
        return 'arrived';
      case 'down-offer':
      case 'down-answer':
      case 'route':
      case 'unknown':
        return this.#ignored();
    }
  }

  #gap(handle: number, item: Item, nowMs: number): Arrival {
    const { inbound } = this.#options.ways();
    return inbound === undefined ? this.#ignored() : inbound.gap(handle, item, nowMs);
  }

  #ignored(): Arrival {
    this.ignoredCount += 1;
    return 'arrived';
  }
}

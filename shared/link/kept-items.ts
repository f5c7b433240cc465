/**
 * Items of one stream that came before their turn: whole ones that wait for one before them, and messages that are not whole yet.
 * What is kept here was told as arrived, so it stays until its turn comes, or until the session ends. What finds no room is dropped
 * as if the line had lost it.
 */
import { afterItem, type Item } from '../custody/session.ts';
import { Assembly, type Part } from './assembly.ts';

/** Bytes of one session, over all its streams: two of the largest messages and what a lossy line has under way behind a loss. */
export const KEPT_BYTES_MAX = 512 * 1024;
/** Of one stream: as much as it is ever allowed to have outstanding. */
export const KEPT_STREAM_BYTES_MAX = 256 * 1024;
/** What an item costs beside its bytes. Small ones are bounded by this. */
const ITEM_BYTES = 128;

/** Memory that the streams of a session share. */
export class KeptBytes {
  #used = 0;

  get used(): number {
    return this.#used;
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > KEPT_BYTES_MAX) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

interface Entry {
  readonly number: number;
  content: { kind: 'item'; item: Item } | { kind: 'parts'; assembly: Assembly };
  bytes: number;
}

export class KeptItems {
  readonly #shared: KeptBytes;
  readonly #envelopeOf: (number: number, payload: Uint8Array) => Uint8Array | undefined;
  /** Ascending by number, one for each. */
  #entries: Entry[] = [];
  #bytes = 0;

  /** `envelopeOf`: what came in parts, as it came; undefined: it is no message. */
  constructor(shared: KeptBytes, envelopeOf: (number: number, payload: Uint8Array) => Uint8Array | undefined) {
    this.#shared = shared;
    this.#envelopeOf = envelopeOf;
  }

  get count(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The lowest one, when it is whole. */
  get first(): Item | undefined {
    const content = this.#entries[0]?.content;
    return content?.kind === 'item' ? content.item : undefined;
  }

  /** True when something is kept under this number. */
  has(number: number): boolean {
    return this.#find(number) !== undefined;
  }

  /** Keeps a whole item, as a copy; false when there is no room for it. */
  keep(item: Item): boolean {
    const known = this.#find(item.number);
    if (known?.content.kind === 'item') return true;
    const bytes = ITEM_BYTES + (item.kind === 'message' ? item.envelope.length : 0);
    if (!this.#resize(known?.bytes ?? 0, bytes)) return false;
    const copy = item.kind === 'message' ? { ...item, envelope: item.envelope.slice() } : item;
    const content = { kind: 'item' as const, item: copy };
    if (known === undefined) this.#enter({ number: item.number, content, bytes });
    else Object.assign(known, { content, bytes });
    return true;
  }

  /**
   * Keeps a part of message `number`. `whole` when that was the last one missing: the message is an item from then on, and stays
   * kept until it is dropped.
   */
  keepPart(number: number, part: Part): 'kept' | 'whole' | 'full' | 'conflict' {
    const known = this.#find(number);
    if (known?.content.kind === 'item') return 'kept';
    const assembly = known?.content.assembly ?? new Assembly();
    const bytes = ITEM_BYTES + assembly.bytesWith(part);
    if (!this.#resize(known?.bytes ?? 0, bytes)) return 'full';
    const added = assembly.add(part);
    const entry = known ?? { number, content: { kind: 'parts' as const, assembly }, bytes: 0 };
    if (added !== 'added') {
      this.#resize(bytes, entry.bytes);
      return added;
    }
    entry.bytes = bytes;
    if (known === undefined) this.#enter(entry);
    const payload = assembly.whole;
    if (payload === undefined) return 'kept';
    const envelope = this.#envelopeOf(number, payload);
    if (envelope === undefined) return 'conflict';
    const envelopeBytes = Math.max(entry.bytes, ITEM_BYTES + envelope.length);
    // All parts are there, and stay: the one that comes again finds room or not.
    if (!this.#resize(entry.bytes, envelopeBytes)) return 'full';
    entry.bytes = envelopeBytes;
    entry.content = { kind: 'item', item: { kind: 'message', number, envelope } };
    return 'whole';
  }

  /** Those that end below `number` are done with. */
  dropBelow(number: number): void {
    if ((this.#entries[0]?.number ?? number) >= number) return;
    const left: Entry[] = [];
    for (const entry of this.#entries) {
      if (afterEntry(entry) <= number) this.#resize(entry.bytes, 0);
      else left.push(entry);
    }
    this.#entries = left;
  }

  /** Forgets what is kept under `number`. */
  drop(number: number): void {
    const entry = this.#find(number);
    if (entry === undefined) return;
    this.#resize(entry.bytes, 0);
    this.#entries = this.#entries.filter((other) => other !== entry);
  }

  #find(number: number): Entry | undefined {
    const last = this.#entries.at(-1);
    if (last === undefined || last.number < number) return undefined;
    return this.#entries.find((entry) => entry.number === number);
  }

  #enter(entry: Entry): void {
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1]?.number ?? 0) > entry.number) at -= 1;
    this.#entries.splice(at, 0, entry);
  }

  #resize(from: number, to: number): boolean {
    const more = to - from;
    if (more > 0 && (this.#bytes + more > KEPT_STREAM_BYTES_MAX || !this.#shared.take(more))) return false;
    if (more < 0) this.#shared.give(-more);
    this.#bytes += more;
    return true;
  }
}

function afterEntry({ number, content }: Entry): number {
  return content.kind === 'item' ? afterItem(content.item) : number + 1;
}

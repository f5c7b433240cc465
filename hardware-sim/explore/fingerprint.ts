/**
 * 64 bits that stand for everything an object is made of: fields, private ones too, maps, sets, bytes, and which instances of classes
 * are the same. Two states with one fingerprint are taken for one; among ten million, two that differ share one by chance in 1 of 370,000.
 *
 * Functions are passed over: what the core's callbacks hold on to lies in a planned batch, or is an object that is seen elsewhere.
 * That this is so is checked while exploring (local-space.ts, `retrace`).
 */
import { SlotList } from '../../shared/queue/slot-list.ts';
import { MessageIndex, NO_SLOT } from '../../shared/ring/message-index.ts';
import { hidden } from './hidden.ts';

/** Counters that only people read, and what a slot number says: nothing that lasts. */
const PASSED_OVER = new Set([
  'rolledBackCount',
  'staleCount',
  'freedCount',
  'elsewhereCount',
  'forkCount',
  'repeatCount',
  'hidden_repeatCount',
  'forgottenCount',
  'counts',
  'impossibleCount',
  'rejectedCount',
  'repeatedCount',
  'ignoredCount',
  'hidden_counters',
  'counters',
  'hidden_past',
  'hidden_log',
  'hidden_words',
  'slot',
  // What they hold follows from the ring and from what is planned for it.
  'queues',
  'room',
  'aboveHoles',
]);

/** Of names of fields, which come again and again. */
const NAME_WORDS = new Map<string, number>();

function nameWord(name: string): number {
  let word = NAME_WORDS.get(name);
  if (word === undefined) {
    word = 0x3000_0000 + NAME_WORDS.size;
    NAME_WORDS.set(name, word);
  }
  return word;
}

/** An object that knows better than its fields what it is made of. */
export interface Fingerprinted {
  addTo(print: Fingerprint): void;
}

export class Fingerprint {
  #a = 0x9e37_79b9 | 0;
  #b = 0x7f4a_7c15 | 0;
  readonly #seen = new Map<object, number>();

  word(word: number): this {
    this.#a = Math.imul(this.#a ^ word, 0x85eb_ca6b);
    this.#a ^= this.#a >>> 15;
    this.#b = Math.imul(this.#b ^ word ^ (this.#a >>> 7), 0xc2b2_ae35);
    this.#b ^= this.#b >>> 13;
    return this;
  }

  number(value: number): this {
    if ((value | 0) === value) return this.word(1).word(value);
    NUMBER.setFloat64(0, value);
    return this.word(2).word(NUMBER.getInt32(0)).word(NUMBER.getInt32(4));
  }

  text(value: string): this {
    this.word(value.length + 0x1000_0000);
    for (let at = 0; at < value.length; at++) this.word(value.charCodeAt(at));
    return this;
  }

  bytes(value: Uint8Array): this {
    this.word(value.length + 0x2000_0000);
    let at = 0;
    for (; at + 4 <= value.length; at += 4) {
      this.word(((value[at] ?? 0) << 24) | ((value[at + 1] ?? 0) << 16) | ((value[at + 2] ?? 0) << 8) | (value[at + 3] ?? 0));
    }
    for (; at < value.length; at++) this.word(value[at] ?? 0);
    return this;
  }

  value(value: unknown): this {
    switch (typeof value) {
      case 'number':
        return this.number(value);
      case 'string':
        return this.text(value);
      case 'boolean':
        return this.word(value ? 3 : 4);
      case 'object':
        return value === null ? this.word(5) : this.#object(value);
      case 'bigint':
        return this.text(String(value));
      default:
        return this.word(6);
    }
  }

  /** 16 hex digits. */
  get hex(): string {
    return (this.#a >>> 0).toString(16).padStart(8, '0') + (this.#b >>> 0).toString(16).padStart(8, '0');
  }

  #object(value: object): this {
    if (value instanceof Uint8Array) return this.bytes(value);
    if (value instanceof MessageIndex) return this;
    // Plain objects are told by what they hold: whether a word's parts are shared with another word is chance.
    if (Object.getPrototypeOf(value) !== Object.prototype) {
      const known = this.#seen.get(value);
      if (known !== undefined) return this.word(7).word(known);
      this.#seen.set(value, this.#seen.size);
    }
    if (value instanceof SlotList) return this.#list(value);
    if ('addTo' in value) {
      (value as Fingerprinted).addTo(this);
      return this;
    }
    if (Array.isArray(value)) {
      this.word(8).word(value.length);
      for (const one of value) this.value(one);
      return this;
    }
    if (value instanceof Map) {
      this.word(9).word(value.size);
      for (const [key, one] of value) this.value(key).value(one);
      return this;
    }
    if (value instanceof Set) {
      this.word(10).word(value.size);
      for (const one of value) this.value(one);
      return this;
    }
    this.word(11);
    for (const key in value) {
      const one = (value as Record<string, unknown>)[key];
      if (typeof one === 'function' || PASSED_OVER.has(key)) continue;
      this.word(nameWord(key)).value(one);
    }
    return this;
  }

  /** Which messages stand in a list; not in which slots. */
  #list(list: SlotList): this {
    const index = hidden<MessageIndex>(list, 'index');
    this.word(12).word(list.count);
    for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) this.number(index.id(slot));
    return this;
  }
}

const NUMBER = new DataView(new ArrayBuffer(8));

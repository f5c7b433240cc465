/**
 * One node of an exploration: a machine that real code makes go. Everything that may happen to it is an input, a short text; what it
 * says to others are words, interned in one dictionary for the whole exploration, so that a number stands for each.
 */
import type { Image } from './memory-ring.ts';

export interface Machine<Facts> {
  /** Does one thing, and returns the words that were said because of it. */
  apply(input: string): number[];
  /** Of everything that may make a difference later. */
  print(): string;
  /** What the promises are judged by. */
  facts(): Facts;
  /** Without power: what lies on its disk is all there is. */
  readonly off: Image | undefined;
}

/** Makes a machine without power, with this on its disk. */
export type MachineMaker<Facts> = (image: Image) => Machine<Facts>;

export class Dictionary<Word> {
  readonly #ids = new Map<string, number>();
  readonly #words: Word[] = [];

  /** `print` stands for the word. */
  intern(word: Word, print: string): number {
    let id = this.#ids.get(print);
    if (id === undefined) {
      id = this.#words.length;
      this.#ids.set(print, id);
      this.#words.push(word);
    }
    return id;
  }

  word(id: number): Word {
    const word = this.#words[id];
    if (word === undefined) throw new Error(`word ${id} was never said`);
    return word;
  }

  get size(): number {
    return this.#words.length;
  }
}

/** Words that were said so far, as a number: a set only grows, and two with the same members are one. */
import { invariant } from '../../shared/assert.ts';

export class WordSets {
  readonly #sets: (readonly number[])[] = [[]];
  readonly #ids = new Map<string, number>([['', 0]]);
  readonly #added = new Map<number, number>();

  words(set: number): readonly number[] {
    const words = this.#sets[set];
    invariant(words !== undefined, 'a set of these');
    return words;
  }

  with(set: number, said: readonly number[]): number {
    let now = set;
    for (const word of said) now = this.#withOne(now, word);
    return now;
  }

  #withOne(set: number, word: number): number {
    const step = set * 0x10_0000 + word;
    const known = this.#added.get(step);
    if (known !== undefined) return known;
    const words = this.words(set);
    const id = words.includes(word) ? set : this.#intern([...words, word].sort((a, b) => a - b));
    this.#added.set(step, id);
    return id;
  }

  #intern(words: readonly number[]): number {
    const text = words.join();
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#sets.push(words) - 1;
      this.#ids.set(text, id);
    }
    return id;
  }
}

/** Words on their way on a line, in order, as a number: two lines with the same words on them are one. */
import { invariant } from '../../shared/assert.ts';

export class Channels {
  readonly #lists: (readonly number[])[] = [[]];
  readonly #ids = new Map<string, number>([['', 0]]);

  words(channel: number): readonly number[] {
    const words = this.#lists[channel];
    invariant(words !== undefined, 'a channel of these');
    return words;
  }

  with(channel: number, said: readonly number[]): number {
    return said.length === 0 ? channel : this.#intern([...this.words(channel), ...said]);
  }

  withoutFirst(channel: number): number {
    return this.#intern(this.words(channel).slice(1));
  }

  #intern(words: readonly number[]): number {
    const text = words.join();
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#lists.push(words) - 1;
      this.#ids.set(text, id);
    }
    return id;
  }
}

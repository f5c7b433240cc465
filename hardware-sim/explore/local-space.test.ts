/** What the table of a node's states promises: real code runs once for each step, and a fingerprint that hides something is noticed. */
import { describe, expect, test } from 'vitest';
import { LocalSpace } from './local-space.ts';
import type { Machine } from './machine.ts';
import { BLANK, type Image } from './memory-ring.ts';

/** Counts to three and over again; how often it went round is said, and shown by its fingerprint only if it is honest. */
class Counter implements Machine<number> {
  static steps = 0;
  off: Image | undefined = BLANK;
  readonly #manner: 'honest' | 'hiding';
  #count = 0;

  constructor(manner: 'honest' | 'hiding') {
    this.#manner = manner;
  }

  apply(): number[] {
    Counter.steps += 1;
    this.off = undefined;
    this.#count += 1;
    return [Math.floor(this.#count / 3) % 2];
  }

  print(): string {
    return `${this.#count % (this.#manner === 'honest' ? 6 : 3)}`;
  }

  facts(): number {
    return this.#count;
  }
}

/** A thousand inputs that all do the same, each in every state that is reached. */
function explore(manner: 'honest' | 'hiding'): LocalSpace<number> {
  const space = new LocalSpace<number>(() => new Counter(manner));
  let state = space.off(BLANK);
  for (let input = 0; input < 1_000; input++) state = space.step(state, `input ${input % 100}`).next;
  return space;
}

describe('the states of one node', () => {
  test('a step is taken by real code once, and known ever after', () => {
    const space = explore('honest');
    const before = Counter.steps;
    const state = space.step(space.off(BLANK), 'input 0').next;
    expect([space.step(state, 'input 1'), Counter.steps]).toEqual([space.step(state, 'input 1'), before]);
    expect(space.size).toBe(7);
  });

  test('some steps are taken again by another way, and end alike', () => {
    expect(explore('honest').retracedCount).toBeGreaterThan(1);
  });

  test('a fingerprint that hides what makes a difference is noticed', () => {
    expect(() => explore('hiding')).toThrow('a fingerprint says all');
  });
});

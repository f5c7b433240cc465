import { describe, expect, test } from 'vitest';
import { wordsAreTrue } from './check-words.ts';
import type { SendEvent } from './history.ts';
import { atRest, Tale } from './quiet-run.ts';

const KEY = 'device-1:1';
const [REACH, RECEIVE] = ['ACK_REACH_QUEUE', 'ACK_RECEIVE'];
const told = (tale: Tale, ...labels: string[]) => {
  for (const label of labels) tale.word(KEY, label);
  return wordsAreTrue(tale.end([atRest('central')])).violations.map((text) => text.replace(/^.*?\): /, ''));
};
const received = (acknowledge: SendEvent['acknowledge']) => new Tale().whole(KEY, acknowledge && { acknowledge });
const givenUp = (acknowledge: NonNullable<SendEvent['acknowledge']>) =>
  new Tale().send(KEY, { acknowledge }).accept(KEY).carry(KEY).deliver(KEY).giveUp(KEY);

describe('S18, words to senders', () => {
  test('are those that were asked for, each once', () => {
    expect(told(received('full'), REACH, RECEIVE)).toEqual([]);
    expect(told(received('reach'), REACH)).toEqual([]);
    expect(told(received('receive'), RECEIVE)).toEqual([]);
    expect(told(received('full'), RECEIVE, RECEIVE)).toEqual([`told ${RECEIVE} 2 times`]);
    expect(told(received('receive'), REACH)).toEqual([`told ${REACH}, and only the end was asked for`]);
    expect(told(received('reach'), RECEIVE)).toEqual([`told ${RECEIVE}, and only its arrival was asked for`]);
    expect(told(received(undefined), RECEIVE)).toEqual([`told ${RECEIVE}, and nobody had asked`]);
  });

  test('are true', () => {
    expect(told(givenUp('full'), REACH, 'POISON')).toEqual([]);
    expect(told(givenUp('full'), RECEIVE)).toContain(`told ${RECEIVE}, and nobody received it`);
    expect(told(received('full'), 'POISON')).toEqual(['told POISON, and it was received']);
    expect(told(received('full'), RECEIVE, 'POISON')).toContain(`told ${RECEIVE}, and POISON`);
    expect(told(givenUp('full'), 'RECEIVE_TIMEOUT')).toEqual(['told RECEIVE_TIMEOUT, and it had no time to']);
    const unread = new Tale().send(KEY, { acknowledge: 'full' }).accept(KEY);
    expect(told(unread, 'POISON')).toEqual(['told POISON, and no application had it']);
  });

  test('are not judged where the message may be a repeat, or a disk was harmed', () => {
    const harm = { kind: 'destroyed', node: 'central', cause: 'old image', keys: [], doubtful: [] } as const;
    expect(told(received('full').tell(harm), RECEIVE, RECEIVE)).toEqual([]);
  });
});

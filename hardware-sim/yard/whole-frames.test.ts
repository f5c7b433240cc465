import { expect, test } from 'vitest';
import { NO_BYTES } from '../../shared/bytes.ts';
import type { Held } from './durable-view.ts';
import type { TogetherEvent } from './history.ts';
import { type Whole, WholeFrames } from './whole-frames.ts';

const WHOLE: Whole = {
  node: 'central',
  key: 'device-1:1',
  identity: 'device-1:0f3a51c2aa017e44:central/bags:3:4',
  sent: ['a', 'b'],
  by: 'transaction',
};
const held = (key: string, number = 1): Held => ({
  key,
  nature: 'message',
  queue: 1,
  priority: 3,
  number,
  notBeforeMs: 0,
  expiresAtMs: 0,
  head: NO_BYTES,
  sinceMs: 0,
});
const SOURCE = held(WHOLE.key, 4);

function watched(by: Whole['by'] = 'transaction') {
  const told: TogetherEvent[] = [];
  const frames = new WholeFrames((event) => told.push(event));
  frames.ask({ ...WHOLE, by });
  const wrote = (brought: readonly string[], reason?: string, there: Held | undefined = SOURCE) => {
    const ended = reason === undefined ? [] : [{ held: SOURCE, reason }];
    frames.wrote('central', { brought: brought.map((key) => held(key)), ended }, () => ({ source: there, has: () => false }));
    return told.map((event) => [event.there.length, event.source, event.seen]);
  };
  return { frames, told, wrote };
}

test('tells what a frame brings of it, and what became of the message', () => {
  expect(watched().wrote(['a', 'b', 'c'], 'acknowledged')).toEqual([[2, 'ended', 'frame']]);
  expect(watched().wrote(['a'])).toEqual([[1, 'stays', 'frame']]);
  expect(watched().wrote([], 'acknowledged')).toEqual([[0, 'ended', 'frame']]);
  const { frames, told } = watched();
  frames.wrote('central', { brought: [held('a'), held('b')], ended: [] }, () => ({ source: undefined, has: () => false }));
  expect(told).toMatchObject([{ source: 'not on the disk' }]);
});

test('is silent of frames that have nothing of it, of other ends, and once it is told', () => {
  const { wrote } = watched();
  expect(wrote(['c'])).toEqual([]);
  expect(wrote([], 'expired')).toEqual([]);
  expect(wrote(['a', 'b'], 'acknowledged')).toHaveLength(1);
  expect(wrote(['a'])).toHaveLength(1);
  expect(watched('redrive').wrote([], 'acknowledged')).toEqual([]);
  expect(watched('redrive').wrote([], 'replaced')).toHaveLength(1);
});

test('tells what a disk has of it that was opened after a crash', () => {
  const { frames, told } = watched();
  frames.found('central', () => ({ source: SOURCE, has: () => false }));
  expect(told).toEqual([]);
  frames.found('central', () => ({ source: SOURCE, has: (key) => key === 'a' }));
  expect(told).toMatchObject([{ there: ['a'], source: 'stays', seen: 'recovery' }]);
});

test('asks no more of a disk that was harmed', () => {
  const { frames, wrote } = watched();
  frames.forget('central');
  expect(wrote(['a'])).toEqual([]);
});

import { describe, expect, test } from 'vitest';
import { noLoss } from './check-delivery.ts';
import { everythingDrains } from './check-liveness.ts';
import { pausedQueuesRest } from './check-paused.ts';
import type { QueueStateEvent } from './history.ts';
import { atRest, Tale } from './quiet-run.ts';

const KEY = 'device-1:1';
const state = (tale: Tale, to: QueueStateEvent['state'], ...stages: QueueStateEvent['stage'][]) => {
  for (const stage of stages) tale.tell({ kind: 'queue-state', node: 'central', queue: 'bags', state: to, stage });
  return tale;
};
const paused = () => state(new Tale().boot('central').send(KEY).accept(KEY).carry(KEY), 'paused', 'asked', 'done');
const atEnd = (to: QueueStateEvent['state'], live: readonly string[] = []) => {
  const one = atRest('central');
  return { ...one, live, stats: { ...one.stats, queues: one.stats.queues.map((queue) => ({ ...queue, state: to })) } };
};
const texts = (tale: Tale, to: QueueStateEvent['state'] = 'running') => pausedQueuesRest(tale.end([atEnd(to)])).violations;

describe('S19, paused queues', () => {
  test('hand out nothing until somebody asks them to go on', () => {
    expect(texts(paused().wait(1_000).deliver(KEY), 'paused')).toHaveLength(1);
    expect(texts(state(paused().wait(1_000), 'running', 'asked').deliver(KEY))).toEqual([]);
  });

  test('may hand out what had been chosen before', () => {
    expect(texts(paused().deliver(KEY), 'paused')).toEqual([]);
    const slow = paused().tell({ kind: 'fault', fault: 'disk slow', target: 'central', untilMs: 60_000 });
    expect(texts(slow.wait(1_000).deliver(KEY), 'paused')).toEqual([]);
  });

  test('stay paused over a restart', () => {
    expect(texts(paused().boot('central').deliver(KEY), 'paused')).toHaveLength(1);
    expect(texts(paused().boot('central'), 'running')).toEqual(['central/bags is running at the end, and was paused']);
  });
});

test('what lies in a paused queue is not lost, nor late, and what is nowhere is', () => {
  const rests = (live: readonly string[]) =>
    paused()
      .tell({ kind: 'healed', dead: [] })
      .end([atEnd('paused', live)]);
  expect([noLoss(rests([KEY])).violations, everythingDrains(rests([KEY])).violations]).toEqual([[], []]);
  expect(noLoss(rests([])).violations).toHaveLength(1);
});

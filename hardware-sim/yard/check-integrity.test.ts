import { describe, expect, test } from 'vitest';
import { boundsHold, damageIsTold, identitiesHold, stopsAreExplained } from './check-integrity.ts';
import type { History } from './history.ts';
import { atRest, changed, endChanged, inserted, quietRun, Tale, the, troubledRun } from './quiet-run.ts';

const quiet = quietRun();
const OTHER = 'device-1:0f3a51c2aa017e44:central/bags:3:77';

describe('S12, identities', () => {
  test('notices two messages with one', () => {
    const accepted = quiet.events.find(the('accepted', 'device-1:1'));
    const identity = accepted?.kind === 'accepted' ? accepted.identity : '';
    const { violations } = identitiesHold(changed(quiet, the('accepted', 'device-1:2'), { identity }));
    expect(violations).toContain(`${identity} is device-1:1, and device-1:2`);
  });

  test('notices a message with two', () => {
    expect(identitiesHold(changed(quiet, the('delivered', 'device-1:1'), { identity: OTHER })).violations).toHaveLength(1);
  });

  test('lets a message have two that says that it may be a repeat', () => {
    const repeat = changed(quiet, the('delivered', 'device-1:1'), { identity: OTHER, maybeDuplicate: 'maybe' });
    expect(identitiesHold(repeat).violations).toEqual([]);
    expect(identitiesHold(troubledRun()).violations).toEqual([]);
  });

  test.each([
    ['another origin', 'device-2:0f3a51c2aa017e44:central/bags:3:1'],
    ['another queue', 'device-1:0f3a51c2aa017e44:central/alarms:3:1'],
    ['another priority', 'device-1:0f3a51c2aa017e44:central/bags:4:1'],
    ['no identity', 'device-1'],
  ])('notices %s', (_what, identity) => {
    expect(identitiesHold(changed(quiet, the('delivered', 'device-1:1'), { identity })).violations.length).toBeGreaterThan(0);
  });

  test('lets numbers be given again by an origin that was harmed, or that answered before it wrote', () => {
    const twice = (tale: Tale) => {
      const history = tale.send('device-1:1').accept('device-1:1').send('device-1:2').accept('device-1:2').end([]);
      const first = history.events.find(the('accepted', 'device-1:1'));
      return changed(history, the('accepted', 'device-1:2'), { identity: first?.kind === 'accepted' ? first.identity : '' });
    };
    expect(identitiesHold(twice(new Tale())).violations).toHaveLength(1);
    const rolledBack = new Tale().tell({ kind: 'destroyed', node: 'device-1', cause: 'old image', keys: [], doubtful: [] });
    expect(identitiesHold(twice(rolledBack)).violations).toEqual([]);
    expect(
      identitiesHold(changed(twice(new Tale()), the('accepted', 'device-1:1'), { durability: 'interval' })).violations,
    ).toEqual([]);
  });
});

describe('S13, damage', () => {
  /** Rot at the gateway takes a message that never comes again. */
  const rotten = (gateway: ReturnType<typeof atRest>, how: (tale: Tale) => Tale = (tale) => tale): History => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').free('device-1:1', 'device-1', 'handed-over', ['gateway']);
    tale.tell({ kind: 'destroyed', node: 'gateway', cause: 'block rots', keys: ['device-1:1'], doubtful: [] });
    return how(tale).end([atRest('central'), gateway]);
  };

  test('notices damage that nobody tells of', () => {
    expect(damageIsTold(rotten(atRest('gateway')))).toEqual({
      violations: ['rotten, gone, and nobody told of it: device-1:1'],
      looked: 1,
    });
  });

  test('is content with an account, with the loss on record, with a gap found at the opening, or with the message', () => {
    const account = atRest('gateway', [['device-1', 'central/bags', 3, 'CORRUPT', 1]]);
    expect(damageIsTold(rotten(account)).violations).toEqual([]);
    expect(damageIsTold(rotten(atRest('gateway', [], { lost: { gaps: 1, frames: 1, ids: 0 } }))).violations).toEqual([]);
    expect(damageIsTold(rotten(atRest('gateway', [], { corrupt: 1 }))).violations).toEqual([]);
    const report = { gaps: [{ lsn: 1, blocks: 1, framesLost: 1, idsLost: 1 }], tornBlocks: 0, messages: 0 };
    const opened = { kind: 'serving', node: 'gateway', incarnation: '', tookMs: 1, report } as const;
    expect(damageIsTold(rotten(atRest('gateway'), (tale) => tale.tell(opened))).violations).toEqual([]);
    const came = (tale: Tale) => tale.deliver('device-1:1').effect('device-1:1').ack('device-1:1');
    expect(damageIsTold(rotten(atRest('gateway'), came)).violations).toEqual([]);
  });

  test('does not ask a dead node, nor the books of a disk that was exchanged', () => {
    expect(damageIsTold(rotten(atRest('elsewhere'))).violations).toEqual([]);
    const exchanged = { kind: 'fault', fault: 'old image', target: 'gateway', untilMs: 0 } as const;
    expect(damageIsTold(rotten(atRest('gateway'), (tale) => tale.tell(exchanged))).violations).toEqual([]);
  });

  test('notices other bytes, damage or not', () => {
    expect(damageIsTold(changed(quiet, the('delivered', 'device-1:1'), { crc: 1 }))).toEqual({
      violations: ['device-1:1 delivered at central with other bytes'],
      looked: 0,
    });
  });
});

describe('S14, bounds', () => {
  test.each([
    ['the ring file', { ringBytes: 200_001 }],
    ['unsent bytes', { unsentBytesMax: 1_000_000 }],
  ])('notices %s beyond its bound', (text, change) => {
    const { violations } = boundsHold(endChanged(quiet, 'central', () => change));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(text);
  });

  test('notices a ring that is fuller than it may be', () => {
    const full = endChanged(quiet, 'central', () => ({ stats: atRest('central', [], { bytesUsed: 80_001 }).stats }));
    expect(boundsHold(full).violations).toEqual(['central, live bytes of the ring: 80001, at most 80000']);
  });

  test.each([
    ['bytes', { bytes: 40_001 }],
    ['blocked senders', { blocked: 1_025 }],
  ])('notices a queue with too many %s', (text, change) => {
    const wrong = endChanged(quiet, 'central', ({ stats }) => ({
      stats: { ...stats, queues: stats.queues.map((queue) => (queue.name === 'bags' ? { ...queue, ...change } : queue)) },
    }));
    expect(boundsHold(wrong).violations).toHaveLength(1);
    expect(boundsHold(wrong).violations[0]).toContain(`central/bags, ${text}`);
  });

  test('notices what nobody caught', () => {
    expect(boundsHold({ ...quiet, facts: { ...quiet.facts, uncaught: ['Error: x'] } }).violations).toEqual([
      'uncaught: Error: x',
    ]);
  });
});

describe('S15, stops', () => {
  const stopped = (code: string | undefined, text: string, because?: string) =>
    stopsAreExplained(inserted(quiet, the('acked'), { kind: 'stopped', node: 'central', code, text, because })).violations;

  test('notices an assertion that fired, whatever was done to the node', () => {
    for (const text of [
      'invariant: numbers rise',
      'InvariantViolation: no',
      'AssertionError: no',
      'TypeError: undefined is no function',
    ])
      expect(stopped('X', text, 'block rots')).toEqual([`central stopped by its own mistake: ${text}`]);
  });

  test('notices a stop without a code and without a cause', () => {
    expect(stopped(undefined, 'EIO')).toHaveLength(1);
    expect(stopped(undefined, 'EIO', 'sync fails')).toEqual([]);
    expect(stopped('RING_LOCKED', 'another owner')).toEqual([]);
  });

  test('notices a store that calls its file foreign, though nobody touched it', () => {
    expect(stopped('RING_FOREIGN', 'no superblock')).toHaveLength(1);
    expect(stopped('RING_FOREIGN', 'no superblock', 'block rots')).toEqual([]);
  });
});

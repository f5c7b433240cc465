import { describe, expect, test } from 'vitest';
import { CHECKS, judge } from './checks.ts';
import type { History } from './history.ts';
import { atRest, changed, endChanged, inserted, quietRun, Tale, the, troubledRun, without } from './quiet-run.ts';

const quiet = quietRun();
const troubled = troubledRun();

/** One lie for each promise; each check must see through its own. */
const DOCTORED: readonly (readonly [id: string, what: string, history: History])[] = [
  [
    'S1',
    'a message that nobody received, and nobody has',
    without(quiet, (event) => 'key' in event && event.key === 'device-1:1' && event.kind !== 'send' && event.kind !== 'accepted'),
  ],
  ['S2', 'a delivery that nobody sent', changed(quiet, the('delivered', 'device-1:1'), { key: 'device-9:1' })],
  ['S3', 'an effect that happens twice', inserted(quiet, the('acked', 'device-1:1'), effectOf('device-1:1'))],
  ['S4', 'the second one delivered and done with before the first', swapped(quiet)],
  [
    'S5',
    'a queue that counts one more than there is',
    endChanged(quiet, 'central', ({ stats }) => ({
      stats: { ...stats, queues: stats.queues.map((queue) => ({ ...queue, ready: 1 })) },
    })),
  ],
  ['S6', 'a yes that a power cut takes back', changed(quiet, the('accepted'), { kept: 'not-kept' })],
  ['S7', 'a message freed that nobody else has', changed(quiet, the('freed', 'device-1:1', 'device-1'), { heldBy: [] })],
  ['S8', 'a message that expires too early', changed(quiet, the('send', 'device-1:3'), { timeToBeReceivedMs: 60_000 })],
  ['S9', 'a message given up that is not in $dead', without(quiet, the('dead-letter'))],
  ['S10', 'a transaction of which only the end is there', withoutWhatItSent()],
  ['S11', 'an urgent message that is overtaken', changed(quiet, the('delivered', 'device-2:2'), { overtook: ['device-1:2'] })],
  [
    'S12',
    'two messages with one identity',
    changed(quiet, the('accepted', 'device-1:2'), { identity: identityOf('device-1:1') }),
  ],
  ['S13', 'other bytes than were sent', changed(quiet, the('delivered', 'device-1:1'), { crc: 1 })],
  ['S14', 'an error that nobody caught', { ...quiet, facts: { ...quiet.facts, uncaught: ['Error: who'] } }],
  [
    'S15',
    'an assertion that fired',
    inserted(quiet, the('acked'), { kind: 'stopped', node: 'central', text: 'invariant: no', because: 'block rots' }),
  ],
  ['S16', 'an express message that comes again after its node died', deliveredFromMemory()],
  ['S17', 'a copy of a message in a queue without a journal', inserted(quiet, the('acked', 'device-1:1'), copyOf('device-1:1'))],
  ['S18', 'a word that nobody asked for', inserted(quiet, the('acked', 'device-1:1'), wordOf('device-1:1'))],
  ['S19', 'a queue that hands out though it is paused', handedOutPaused()],
  ['L1', 'a message that is still on its way', stillThere(quiet)],
  ['L2', 'a message that a dead node holds up', withoutEnd(troubled, 'device-1:3')],
  ['L3', 'a line that never rests', { ...quiet, facts: { ...quiet.facts, lineBytes: 50_000_000 } }],
  ['L4', 'a node that takes an hour to open', changed(quiet, the('serving', 'gateway'), { tookMs: 3_600_000 })],
];

describe('the checks', () => {
  test('pass a quiet run, and look at everything that is in it', () => {
    const { violations, looked } = judge(quiet);
    expect(violations).toEqual([]);
    const idle = [...looked].filter(([, count]) => count === 0).map(([id]) => id);
    expect(idle).toEqual(['S10', 'S13', 'S16', 'S17', 'S18', 'S19', 'L2']);
  });

  test('pass a run whose losses have their causes', () => {
    const { violations, looked } = judge(troubled);
    expect(violations).toEqual([]);
    expect([looked.get('S13'), looked.get('L2')]).toEqual([1, 2]);
  });

  test.each(DOCTORED)('%s sees %s', (id, _what, history) => {
    expect(judge(history).violations.map(({ check }) => check)).toContain(id);
  });

  test('have a lie each that they see through', () => {
    const seen = new Set(DOCTORED.map(([id]) => id));
    expect(CHECKS.map(({ id }) => id).filter((id) => !seen.has(id))).toEqual([]);
  });

  test('are nineteen of safety and four of liveness, each once', () => {
    const ids = [...Array.from({ length: 19 }, (_, i) => `S${i + 1}`), 'L1', 'L2', 'L3', 'L4'];
    expect(CHECKS.map(({ id }) => id)).toEqual(ids);
  });

  test('say nothing of a history without an end, and need none', () => {
    const nothing = { ...quiet.facts, lineBytes: 0, publishes: 0 };
    expect(judge({ facts: nothing, events: [] }).violations).toEqual([]);
    expect(judge(without(quiet, the('end'))).violations).toEqual([]);
  });
});

function identityOf(key: string): string {
  const event = quiet.events.find(the('accepted', key));
  return event?.kind === 'accepted' ? event.identity : '';
}

function withoutWhatItSent(): History {
  const [key, identity] = ['device-1:1', identityOf('device-1:1')];
  return inserted(quiet, the('effect', key), { kind: 'committing', node: 'central', key, identity, sent: ['central:a'] });
}

function copyOf(key: string): object {
  return { kind: 'copy', node: 'central', key: `${key}^`, previous: identityOf(key) };
}

function wordOf(key: string): object {
  return { kind: 'word', node: 'device-1', label: 'ACK_RECEIVE', about: identityOf(key) };
}

function deliveredFromMemory(): History {
  const tale = new Tale()
    .boot('central')
    .send('central:1', { delivery: 'express' })
    .accept('central:1', { durability: 'volatile' });
  return tale
    .down('central', 'crash')
    .boot('central')
    .deliver('central:1')
    .end([atRest('central')]);
}

function handedOutPaused(): History {
  const tale = new Tale().boot('central').send('device-1:1').accept('device-1:1');
  for (const stage of ['asked', 'done'] as const)
    tale.tell({ kind: 'queue-state', node: 'central', queue: 'bags', state: 'paused', stage });
  return tale
    .wait(1_000)
    .deliver('device-1:1')
    .end([atRest('central')]);
}

function effectOf(key: string): object {
  return { kind: 'effect', node: 'central', key, identity: identityOf(key), maybeDuplicate: 'no' };
}

/** All that the central says of the first message comes after what it says of the second. */
function swapped(history: History): History {
  const isFirst = (event: History['events'][number]) =>
    'key' in event && event.key === 'device-1:1' && 'node' in event && event.node === 'central';
  const first = history.events.filter(isFirst);
  const rest = history.events.filter((event) => !isFirst(event));
  const at = rest.findIndex(the('acked', 'device-1:2')) + 1;
  return { ...history, events: [...rest.slice(0, at), ...first, ...rest.slice(at)] };
}

function withoutEnd(history: History, key: string): History {
  const ends = ['freed', 'delivered', 'effect', 'acked'];
  return without(history, (event) => 'key' in event && event.key === key && ends.includes(event.kind));
}

function stillThere(history: History): History {
  return endChanged(withoutEnd(history, 'device-1:10'), 'device-1', ({ stats }) => ({
    live: ['device-1:10'],
    stats: { ...stats, outgoing: [{ stream: '', held: 1, lo: 1, next: 2 }] },
  }));
}

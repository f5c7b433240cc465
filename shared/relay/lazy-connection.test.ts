import { expect, test } from 'vitest';
import { LazyConnection } from './lazy-connection.ts';

const LIMITS = { idleMs: 1_000, checkEveryMs: 60_000 };

/** Plays `<ms> <what happens>`; says what was wanted, and when. */
function play(...events: string[]): string[] {
  const lazy = new LazyConnection(LIMITS);
  const wanted: string[] = [];
  let waits = false;
  for (const event of events) {
    const [at = '', what] = event.split(' ');
    const nowMs = Number(at);
    if (what === 'up') lazy.up();
    if (what === 'down') lazy.down();
    if (what === 'heard') lazy.heard(nowMs);
    if (what === 'waits') waits = true;
    if (what === 'empty') waits = false;
    const now = lazy.pump(waits ? 'something-waits' : 'nothing-waits', nowMs);
    if (now !== undefined) wanted.push(`${at} ${now}`);
  }
  return wanted;
}

test.each<[string, string[], string[]]>([
  ['connects once at the start, and rests when that was idle', ['0', '50 up', '1049', '1050'], ['0 connected', '1050 apart']],
  ['does not give up before it was up', ['0', '5000', '900000'], ['0 connected']],
  [
    'a connection that ends is wanted again until it was up',
    ['0', '10 up', '20 down', '5000', '9000 up', '9999', '10000'],
    ['0 connected', '10000 apart'],
  ],
  ['what waits keeps it', ['0', '10 up', '20 waits', '90000', '90001 empty', '91000', '91001'], ['0 connected', '91001 apart']],
  ['what comes keeps it', ['0', '10 up', '900 heard', '1899', '1900'], ['0 connected', '1900 apart']],
  ['what waits calls it at once', ['0', '10 up', '1010', '1011 waits'], ['0 connected', '1010 apart', '1011 connected']],
  ['time calls it', ['0', '10 up', '1010', '61009', '61010'], ['0 connected', '1010 apart', '61010 connected']],
  [
    'what a connection says that is over counts for nothing',
    ['0', '10 up', '1010', '1011 heard', '1012 down', '1013 up', '61009'],
    ['0 connected', '1010 apart'],
  ],
])('%s', (_name, events, wanted) => expect(play(...events)).toEqual(wanted));

test('wakes when it has to decide, and not before', () => {
  const lazy = new LazyConnection(LIMITS);
  lazy.pump('nothing-waits', 0);
  expect(lazy.wakeAtMs).toBeUndefined();
  lazy.up();
  lazy.pump('something-waits', 10);
  expect(lazy.wakeAtMs).toBeUndefined();
  lazy.pump('nothing-waits', 20);
  expect(lazy.wakeAtMs).toBe(1_020);
  lazy.pump('nothing-waits', 1_020);
  expect([lazy.isResting, lazy.wakeAtMs]).toEqual([true, 61_020]);
});

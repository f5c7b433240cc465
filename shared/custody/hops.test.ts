import { beforeEach, describe, expect, test } from 'vitest';
import { Hops, upHop } from './hops.ts';

const PATIENCE = { failoverMs: 5_000, failbackMs: 30_000 };
const to = (node: string) => ({ node, lo: 1, upTo: 1 });

let hops: Hops;
beforeEach(() => {
  hops = new Hops();
});

function configure(...ways: readonly [string, ...string[]][]): void {
  hops.configure(
    ways.map(([name, ...patterns]) => ({ hop: upHop(name), to: patterns })),
    { ...PATIENCE, nowMs: 0 },
  );
}

function notice(name: string, stands: boolean, nowMs: number): void {
  hops.notice(upHop(name), stands, nowMs);
  hops.pump(nowMs);
}

test('without a configuration everything goes up', () => {
  expect(hops.of(to('anywhere'))).toBe('up');
  expect(hops.leadsTo('anywhere')).toBe(true);
});

describe('several uplinks', () => {
  test('a stream goes where the preferred one that leads there and stands goes', () => {
    configure(['up', 'site-*'], ['b', '*']);
    notice('up', true, 10);
    notice('b', true, 20);
    expect([hops.of(to('site-1')), hops.of(to('central'))]).toEqual(['up', 'up/b']);
  });

  test('when it is lost the streams that may go to the other, after a while, and back after a longer one; each is told', () => {
    configure(['up', '*'], ['b', '*'], ['c', 'hall']);
    for (const name of ['up', 'b', 'c']) notice(name, true, 100);
    expect(hops.of(to('hall'))).toBe('up');
    notice('up', false, 1_000);
    expect([hops.of(to('hall')), hops.wakeAtMs]).toEqual(['up', 6_000]);
    const before = hops.changeCount;
    hops.pump(5_999);
    expect(hops.changeCount).toBe(before);
    hops.pump(6_000);
    expect(hops.of(to('hall'))).toBe('up/b');
    expect(hops.changeCount).toBeGreaterThan(before);
    notice('up', true, 10_000);
    expect([hops.of(to('hall')), hops.wakeAtMs]).toEqual(['up/b', 40_000]);
    hops.pump(40_000);
    expect(hops.of(to('hall'))).toBe('up');
  });

  test('where none leads there is no way, and it is known before anything is sent', () => {
    configure(['up', 'central']);
    expect([hops.leadsTo('central'), hops.leadsTo('hall'), hops.of(to('hall'))]).toEqual([true, false, undefined]);
  });

  test('a node below is below, whatever the uplinks lead to', () => {
    configure(['up', '*']);
    expect(hops.meet('device')).toMatchObject({ key: 'n/device' });
    expect([hops.of(to('device')), hops.leadsTo('device')]).toEqual(['down/device', true]);
    expect(hops.meet('device')).toBeUndefined();
  });

  test('without uplinks only those below are reached', () => {
    configure();
    expect([hops.leadsTo('central'), hops.of(to('central'))]).toEqual([false, undefined]);
  });

  test('says of each whether it is in use, and since when it stands', () => {
    configure(['up', '*'], ['b', '*']);
    notice('b', true, 700);
    expect(hops.state('up')).toEqual({ stands: false, sinceMs: 0, isInUse: true });
    expect(hops.state('up/b')).toEqual({ stands: true, sinceMs: 700, isInUse: false });
    hops.pump(5_000);
    expect([hops.state('up').isInUse, hops.state('up/b').isInUse]).toEqual([false, true]);
  });
});

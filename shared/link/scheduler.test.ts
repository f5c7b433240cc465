import { expect, test } from 'vitest';
import { LIVE_IN_ROW_MAX } from '../limits.ts';
import { PASSED_OVER_MAX, Scheduler, type Served } from './scheduler.ts';

interface Named extends Served {
  name: string;
}
const stream = (name: string, priority: number, age: Served['age'] = 'live'): Named => ({ name, priority, age, servedAt: 0 });

function serve(scheduler: Scheduler<Named>, count: number): string[] {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const next = scheduler.next();
    if (next === undefined) break;
    names.push(next.name);
    scheduler.served(next);
  }
  return names;
}

test('the most urgent is next', () => {
  const scheduler = new Scheduler<Named>();
  scheduler.begin([stream('low', 1), stream('high', 6), stream('middle', 3)]);
  expect(serve(scheduler, 4)).toEqual(['high', 'high', 'high', 'high']);
});

test('equals take turns, also when they are gathered anew after each packet', () => {
  const scheduler = new Scheduler<Named>();
  const all = [stream('a', 3), stream('b', 3), stream('c', 3)];
  const names: string[] = [];
  for (let i = 0; i < 6; i++) {
    scheduler.begin(all);
    names.push(...serve(scheduler, 1));
  }
  expect(names).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  scheduler.begin(all);
  expect(serve(scheduler, 6)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
});

test('each priority that waits gets one packet after sixteen others', () => {
  const scheduler = new Scheduler<Named>();
  scheduler.begin([0, 1, 2, 3, 4, 5, 6, 7].map((priority) => stream(`p${priority}`, priority)));
  const names = serve(scheduler, 1_700);
  for (let priority = 0; priority < 7; priority++) {
    const share = names.filter((name) => name === `p${priority}`).length / names.length;
    expect(share).toBeGreaterThan(0.04);
    expect(share).toBeLessThan(0.08);
  }
  expect(names.filter((name) => name === 'p7').length / names.length).toBeGreaterThan(0.5);
});

test('a share is not saved up by who has nothing to send', () => {
  const scheduler = new Scheduler<Named>();
  const [high, low] = [stream('high', 7), stream('low', 0)];
  scheduler.begin([high]);
  serve(scheduler, 10 * PASSED_OVER_MAX);
  scheduler.begin([high, low]);
  expect(serve(scheduler, PASSED_OVER_MAX)).not.toContain('low');
  expect(serve(scheduler, 1)).toEqual(['low']);
});

test('who rests is not asked again until the next gathering', () => {
  const scheduler = new Scheduler<Named>();
  const [a, b] = [stream('a', 3), stream('b', 2)];
  scheduler.begin([a, b]);
  scheduler.rests(a);
  expect(serve(scheduler, 2)).toEqual(['b', 'b']);
  scheduler.rests(b);
  expect(scheduler.next()).toBeUndefined();
  scheduler.begin([a]);
  expect(scheduler.next()).toBe(a);
});

test('the urgent ones alone: the most urgent of them, whoever was passed over', () => {
  const scheduler = new Scheduler<Named>();
  scheduler.begin([stream('low', 1), stream('urgent', 6), stream('more', 7)]);
  serve(scheduler, PASSED_OVER_MAX);
  expect(scheduler.next()?.name).not.toBe('more');
  expect(scheduler.nextFrom(6)?.name).toBe('more');
  const [more] = [scheduler.nextFrom(6)];
  if (more !== undefined) scheduler.rests(more);
  expect(scheduler.nextFrom(6)?.name).toBe('urgent');
  scheduler.begin([stream('low', 5)]);
  expect(scheduler.nextFrom(6)).toBeUndefined();
});

test('what is new goes before a backlog of its priority, which has one packet in four', () => {
  const scheduler = new Scheduler<Named>();
  const all = [stream('old', 3, 'backlog'), stream('new', 3)];
  const names: string[] = [];
  for (let i = 0; i < 2 * (LIVE_IN_ROW_MAX + 1); i++) {
    scheduler.begin(all);
    names.push(...serve(scheduler, 1));
  }
  expect(names).toEqual(['new', 'new', 'new', 'old', 'new', 'new', 'new', 'old']);
  scheduler.begin(all);
  expect(serve(scheduler, 4)).toEqual(['new', 'new', 'new', 'old']);
});

test('a backlog alone takes all there is, and its streams take turns', () => {
  const scheduler = new Scheduler<Named>();
  scheduler.begin([stream('a', 3, 'backlog'), stream('b', 3, 'backlog')]);
  expect(serve(scheduler, 4)).toEqual(['a', 'b', 'a', 'b']);
});

test('who rests is passed over, whatever its turn', () => {
  const scheduler = new Scheduler<Named>();
  const [old, fresh] = [stream('old', 3, 'backlog'), stream('new', 3)];
  scheduler.begin([old, fresh]);
  serve(scheduler, LIVE_IN_ROW_MAX);
  expect(scheduler.next()).toBe(old);
  scheduler.rests(old);
  expect(serve(scheduler, 2)).toEqual(['new', 'new']);
});

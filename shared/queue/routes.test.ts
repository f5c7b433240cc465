/** The route table: first match, chains, and the tables that a node refuses. */
import { describe, expect, test } from 'vitest';
import { type Route, RouteTable, routeProblems } from './routes.ts';

const NONE = {};

function placesOf(routes: readonly Route[], queue: string, properties = NONE, source = 'me') {
  const routed = new RouteTable(routes, 'me').of({ queue, source, properties });
  return routed && [routed.original, ...routed.onward.map(({ to, changes }) => [to, changes])];
}

describe('a message', () => {
  test('goes where the first route says that fits, and stays where none does', () => {
    const routes: Route[] = [
      { from: 'scans', where: { label: 'alarm', headers: { belt: '3' } }, to: ['alarms'] },
      { from: 'scans', source: 'device-*', to: ['central/scans'], priority: 1 },
      { from: 'belt-*', to: ['belts'] },
    ];
    const alarm = { label: 'alarm', headers: new Map([['belt', '3']]) };
    expect(placesOf(routes, 'scans', alarm, 'device-1')).toEqual(['goes', ['me/alarms', {}]]);
    expect(placesOf(routes, 'scans', { label: 'alarm' }, 'device-1')).toEqual(['goes', ['central/scans', { priority: 1 }]]);
    expect(placesOf(routes, 'scans')).toBeUndefined();
    expect(placesOf(routes, 'belt-2')).toEqual(['goes', ['me/belts', {}]]);
    expect(placesOf(routes, 'belt')).toBeUndefined();
  });

  test('stays only where its own queue is named', () => {
    expect(placesOf([{ from: 'a', to: ['b', 'me/a'] }], 'a')).toEqual(['stays', ['me/b', {}]]);
    expect(placesOf([{ from: '*', to: ['a', 'x/a'] }], 'a')).toEqual(['stays', ['x/a', {}]]);
    expect(placesOf([{ from: '*', to: ['a', 'x/a'] }], 'b')).toEqual(['goes', ['me/a', {}], ['x/a', {}]]);
  });

  test('follows a chain of routes to where it stays or leaves, and comes to each place once', () => {
    const routes: Route[] = [
      { from: 'a', to: ['b', 'c', 'x/q'], priority: 5, timeToReachQueueMs: 100 },
      { from: 'b', source: 'me', to: ['b', 'c', 'x/q', 'topic:t/1'], priority: 6 },
    ];
    const both = { priority: 6, timeToReachQueueMs: 100 };
    const first = { priority: 5, timeToReachQueueMs: 100 };
    expect(placesOf(routes, 'a', NONE, 'device')).toEqual([
      'goes',
      ['me/b', first],
      ['me/c', both],
      ['x/q', both],
      ['topic:t/1', both],
    ]);
    expect(new RouteTable(routes, 'me').queuesBehind('a').sort()).toEqual(['b', 'c']);
  });
});

describe('a table is refused', () => {
  const many = Array.from({ length: 17 }, (_, i) => `n/q${i}`);
  test.each<[string, Route[], object]>([
    [
      'that leads back',
      [
        { from: 'a', to: ['b'] },
        { from: 'b', where: { label: 'x' }, to: ['c', 'a'] },
      ],
      { key: 'to', reason: 'it leads in a circle: b, a, b' },
    ],
    [
      'that leads back over its full name',
      [
        { from: 'a', to: ['me/b'] },
        { from: 'b', to: ['me/a'] },
      ],
      { key: 'to' },
    ],
    [
      'that leads back over a pattern',
      [
        { from: 'p*', to: ['q1'] },
        { from: 'q*', to: ['p1'] },
      ],
      { key: 'to' },
    ],
    ['that leads to too many places', [{ from: 'a', to: many }], { route: 0, key: 'to' }],
    [
      'that leads to too many places by a chain',
      [
        { from: 'a', to: ['b', ...many.slice(0, 10)] },
        { from: 'b', to: many.slice(5, 12) },
      ],
      { route: 0, key: 'to' },
    ],
    ['that leads nowhere', [{ from: 'a', to: [] }], { key: 'to' }],
    ['that names a place twice', [{ from: 'a', to: ['b', 'me/b'] }], { key: 'to' }],
    ['that leads to its own queue alone', [{ from: 'a', to: ['a'] }], { key: 'to' }],
    ['that leads to a queue of the system', [{ from: 'a', to: ['$dead'] }], { key: 'to' }],
    ['of too many routes', Array.from({ length: 65 }, (_, i) => ({ from: `a${i}`, to: ['x/b'] })), { key: '' }],
  ])('%s', (_why, routes, problem) => expect(routeProblems(routes, 'me')).toMatchObject([problem]));

  test.each<[string, Route[]]>([
    ['that stays and goes', [{ from: 'a', to: ['a', 'b'] }]],
    [
      'whose circle nobody can enter, since an earlier route takes all',
      [
        { from: 'a', to: ['x/q'] },
        { from: '*', to: ['a', 'x/q'] },
      ],
    ],
    ['that is empty', []],
  ])('but not one %s', (_why, routes) => expect(routeProblems(routes, 'me')).toEqual([]));
});

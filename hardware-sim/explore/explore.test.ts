/**
 * A part of what `npm run explore` explores, schedules that once were traps, and the proof that it finds something: cores that are
 * spoilt on purpose. All in the exploration's own bundle, which shows what the core keeps private.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CustodyBounds, CustodyNode } from './custody-bounds.ts';
import type { LinkBounds } from './link-world.ts';
import type { Weakening } from './weakenings.ts';
import type { Played, World } from './world.ts';

type Exploration = typeof import('./explore.ts');

let explored: Exploration;
let remove: () => void;
beforeAll(async () => {
  const { bundleExploration } = await import(new URL('../../scripts/explore/bundle.mjs', import.meta.url).href);
  const bundle: { file: string; remove: () => void } = await bundleExploration();
  remove = bundle.remove;
  explored = await import(bundle.file);
});
afterAll(() => remove());

const D: CustodyNode = { name: 'd', role: 'source', cuts: 0, uplinks: ['c'] };
const C: CustodyNode = { name: 'c', role: 'destination', cuts: 0, uplinks: [] };
const CLONE: CustodyNode = { name: 'd', role: 'clone', cuts: 0, uplinks: ['c'] };
/** A session stands; its first item will confirm it. */
const IN_SESSION = ['0 offer:c', '1 hear:0', '0 hear:1'];

const HONEST: CustodyBounds = {
  name: 'test',
  nodes: [
    { ...D, cuts: 1 },
    { ...C, cuts: 1 },
  ],
  messages: [3, 3],
  offers: 2,
  harm: 'none',
  harmed: 0,
  closes: 0,
  accounts: 'none',
};
const ROLLED_BACK: CustodyBounds = {
  ...HONEST,
  nodes: [D, C],
  offers: 3,
  harm: 'rollback',
  before: [...IN_SESSION, '0 image'],
};
const LINE: LinkBounds = {
  name: 'test',
  messages: 3,
  packetNumbers: 8,
  cuts: [0, 0],
  ticks: [1, 1],
  drops: 2,
  repeats: 0,
  stale: 0,
  from: 'session',
};

/** Close to what each weakening breaks, so that it is found in few states. */
const SENT_ONCE: CustodyBounds = {
  ...HONEST,
  nodes: [D, { ...C, cuts: 1 }],
  messages: [3],
  offers: 1,
};
const NEW_STREAM_LOST: CustodyBounds = {
  ...ROLLED_BACK,
  messages: [5, 5],
  before: [...IN_SESSION, '0 image', '0 send:0:5', '0 take:0:c', '1 hear:2', '0 rollback', '0 open:100'],
};
const BOTH_SERVE: CustodyBounds = {
  ...ROLLED_BACK,
  nodes: [D, C, CLONE],
  harm: 'clone',
  before: [...IN_SESSION, '0 image', '0 clone', '2 open:100', '0 send:0:3', '0 take:0:c', '2 offer:c'],
};

/** Of each configuration. `npm run explore` goes on. */
const STATES_MAX = 600;

describe('a part of all states', () => {
  test('every configuration keeps its promises in its nearest states', () => {
    const results = explored.CONFIGS.map(({ name, make }) => {
      const { states, violation } = explored.search(make(), { statesMax: STATES_MAX, stallsEvery: 200 });
      return { name, states, violation };
    });
    expect(results.filter(({ violation }) => violation !== undefined)).toEqual([]);
    expect(results.reduce((sum, { states }) => sum + states, 0)).toBe(STATES_MAX * explored.CONFIGS.length);
  });

  test('where bounds are tight, all states there are', () => {
    const world = new explored.CustodyWorld({ ...HONEST, nodes: [D, C], messages: [3], offers: 2 });
    expect(explored.search(world, { statesMax: 50_000, stallsEvery: 20 })).toMatchObject({
      reached: 'all',
      violation: undefined,
    });
  });

  test('packet numbers come round, and everything arrives', () => {
    const world = new explored.LinkWorld({ ...LINE, messages: 5, packetNumbers: 4 });
    const steps = play(world, [
      'd send',
      'c hear',
      'd hear',
      'd send',
      'c hear',
      'c tick',
      'd hear',
      'd send',
      'c hear',
      'd hear',
    ]);
    const text = steps.map((step) => step.text).join('\n');
    expect(text).toMatch(/data 3[\s\S]*data 0/);
    expect(steps.at(-1)?.stalls()).toBeUndefined();
  });
});

describe('traps', () => {
  test('a message is handed over early, its frame is lost, its number is given out again: impossible, it is not handed over', () => {
    const schedule = ['0 offer:c', '1 hear:@0', '0 hear:@1', '0 flush', '0 send:0:3', '0 take:0:c', '0 cut:lost', '0 open:100'];
    const steps = play(new explored.CustodyWorld(HONEST), schedule);
    expect(steps[6]?.text).not.toContain('says');
    expect(steps.at(-1)?.text).toContain('holds []');
  });

  test('on a disk that lied it was handed over: the new message under its number is not swallowed', () => {
    const liesAtFirst: Weakening = ({ ring }) => {
      if (ring.epoch.random < 100) ring.lie();
    };
    const lying = { ...HONEST, nodes: [{ ...D, cuts: 1 }, C], weakening: liesAtFirst };
    const schedule = [
      ...['0 offer:c', '1 hear:@0', '0 hear:@1', '0 flush', '0 send:0:3', '0 take:0:c', '1 hear:@2', '0 cut:lost'],
      ...['0 open:100', '0 flush', '0 send:1:3', '0 flush', '0 offer:c', '1 hear:@4', '0 hear:@5'],
    ];
    const last = [...new explored.CustodyWorld(lying).play(schedule)].at(-1);
    expect(last?.wrong).toBe('an honest node is called a fork'); // for its disk was not
    expect(last?.text).toContain('holds [m1]');
    expect(last?.stalls()).toBeUndefined();
  });

  test('a store is put back, and has grown past the cursor: a fork, nothing is swallowed', () => {
    const schedule = [
      ...['0 send:0:3', '0 take:0:c', '1 hear:@2', '0 rollback', '0 open:100', '0 send:1:3', '0 send:2:3', '0 send:3:3'],
      ...['0 offer:c', '1 hear:@4', '0 hear:@5'],
    ];
    const last = play(new explored.CustodyWorld({ ...ROLLED_BACK, messages: [3, 3, 3, 3] }), schedule).at(-1);
    expect(last?.text).toContain('delivered [m0]');
    expect(last?.stalls()).toBeUndefined();
    const spoilt = { ...ROLLED_BACK, messages: [3, 3, 3, 3], weakening: weakening('no-sent-check') };
    expect([...new explored.CustodyWorld(spoilt).play(schedule)].at(-1)?.wrong).toContain('nowhere any more');
  });

  test('a store is put back to before the first message of a stream: a fork, nothing is swallowed', () => {
    const schedule = [
      ...['0 send:0:5', '0 take:0:c', '1 hear:@2', '0 rollback', '0 open:100', '0 offer:c', '0 send:1:5'],
      ...['1 hear:@4', '0 hear:@5'],
    ];
    const last = play(new explored.CustodyWorld({ ...ROLLED_BACK, messages: [5, 5] }), schedule).at(-1);
    expect(last?.stalls()).toBeUndefined();
  });
});

describe('a spoilt core is found out', () => {
  // Where only the message is named, it is found missing now or when it never arrives, whichever is looked for first.
  test.each<[string, CustodyBounds, string]>([
    ['accept-against-durable', SENT_ONCE, 'delivered twice: m0'],
    ['acknowledge-before-durable', SENT_ONCE, 'accepted, and nowhere any more: m0'],
    ['free-when-sent', SENT_ONCE, 'accepted, and nowhere any more: m0'],
    ['lying-disk', SENT_ONCE, 'accepted, and nowhere any more: m0'],
    ['never-hands-over', HONEST, 'still on their way: m0'],
    ['no-sent-check', ROLLED_BACK, 'accepted, and nowhere any more: m1'],
    ['no-whole-check', NEW_STREAM_LOST, 'm1'],
    ['no-ticket-check', BOTH_SERVE, 'm1'],
  ])('custody: %s', (name, bounds, text) => {
    expectFound(new explored.CustodyWorld({ ...bounds, weakening: weakening(name) }), text);
  });

  test.each([['closed-holes-forgotten', 'gateways-missing', 'm0']])('two gateways: %s', (name, config, text) => {
    const world = explored.CONFIGS.find((one) => one.name === config)?.make(weakening(name));
    if (world === undefined) throw new Error(`no configuration ${config}`);
    expectFound(world, text);
  });

  test.each<[string, Partial<LinkBounds>, string]>([
    // What was passed over is waited for, and never comes.
    ['accept-out-of-sequence', {}, 'still on their way: m'],
    ['acknowledge-before-durable', { messages: 1, cuts: [0, 1], drops: 0 }, 'accepted, and nowhere any more: m0'],
    ['lying-disk', { messages: 1, cuts: [1, 1], drops: 0 }, 'accepted, and nowhere any more: m0'],
    ['never-hands-over', { messages: 1 }, 'still on their way: m0'],
  ])('link: %s', (name, bounds, text) => {
    expectFound(new explored.LinkWorld({ ...LINE, ...bounds, weakening: weakening(name) }), text);
  });
});

function weakening(name: string) {
  const found = explored.WEAKENINGS[name];
  if (found === undefined) throw new Error(`no weakening ${name}`);
  return found;
}

/** Every step of it, and none may break anything. */
function play(world: World, schedule: readonly string[]): Played[] {
  const steps = [...world.play(schedule)];
  expect(steps.map(({ wrong }) => wrong).filter((wrong) => wrong !== undefined)).toEqual([]);
  return steps;
}

/** Within 60,000 states, and the schedule that is printed breaks the same again. */
function expectFound(world: World, text: string): void {
  const { violation } = explored.search(world, { statesMax: 60_000, stallsEvery: 100 });
  expect(violation?.text).toContain(text);
  const last = [...world.play(violation?.schedule ?? [])].at(-1);
  expect(last?.wrong ?? last?.stalls()).toContain(text);
}

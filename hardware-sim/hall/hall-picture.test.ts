import { expect, test } from 'vitest';
import type { HallLedger } from './hall-ledger.ts';
import { ledgerText, lineOf, nodesText, pictureOf } from './hall-picture.ts';
import type { HallView, NodeView } from './hall-view.ts';

const node = (name: string, more: Partial<NodeView> = {}): NodeView => ({
  role: 'device',
  name,
  state: 'up',
  forNextNode: 0,
  forApplication: 0,
  stored: 12,
  framesWritten: 9,
  openings: 1,
  ringShare: 0.104,
  health: 'green',
  ...more,
});
const view: HallView = {
  seconds: 71.9,
  belts: [
    { label: 'belt-1', acknowledged: 7, repeats: 0 },
    { label: 'belt-2', acknowledged: 1205, repeats: 3 },
  ],
  nodes: [node('device-1', { forNextNode: 5 }), node('gateway', { state: 'down' }), node('central', { forApplication: 2 })],
  application: { state: 'up', received: 1190, dead: 15, redelivered: 1 },
  out: ['gateway'],
  outages: 2,
};
const clean: HallLedger = {
  accepted: 1212,
  received: 1190,
  deadLettered: 22,
  expired: 0,
  lost: 0,
  duplicates: 0,
  redelivered: 1,
  outOfOrder: 0,
  outages: 5,
  seconds: 71.9,
  messagesPerSecond: 16.9,
};

test('the picture: what is queued where, what was received, what is out', () => {
  expect(pictureOf(view)).toEqual([
    '01:11  1212 telegrams acknowledged to the belts',
    '',
    '  belt     acknowledged   repeated',
    '  belt-1              7          0',
    '  belt-2           1205          3',
    '',
    '  node       state   to hand on   to receive   ring   health',
    '  device-1   up               5            0   10 %   green',
    '  gateway    DOWN             0            0   10 %   -',
    '  central    up               0            2   10 %   green',
    '',
    'the application has 1190 received, 15 dead letters, and skipped 1 that came again',
    'out now: gateway   outages so far: 2',
  ]);
});

test('it is as high as before, whatever is out: it can be redrawn in place', () => {
  expect(pictureOf({ ...view, out: [], outages: 0 })).toHaveLength(pictureOf(view).length);
});

test('one line for a log names only what holds something or is away', () => {
  expect(lineOf(view)).toBe('01:11  acknowledged 1212, received 1190, dead 15; queued: device-1 5, gateway down, central 2');
  expect(lineOf({ ...view, nodes: [node('central')] })).toMatch(/queued: nothing$/);
});

test('the ledger says every number, and whether it is clean', () => {
  const text = ledgerText(clean).join('\n');
  for (const line of [
    /acknowledged to the belts +1212/,
    /received +1190/,
    /dead-lettered +22/,
    /lost +0/,
    /redelivered +1/,
    /outages +5/,
  ])
    expect(text).toMatch(line);
  expect(text).toMatch(/Every acknowledged telegram is accounted for\.$/);
  expect(ledgerText({ ...clean, lost: 1, received: 1189 }).at(-1)).toBe(
    'NOT CLEAN: lost is 1; 1212 accepted, 1211 accounted for',
  );
});

test('beside it the nodes’ own numbers, with the reason where one is red', () => {
  expect(nodesText([node('device-1'), node('central', { stored: 1212, health: 'red: NO_PROGRESS' })]).slice(2)).toEqual([
    '  node       stored   durable writes   openings   to hand on   to receive   health',
    '  device-1       12                9          1            0            0   green',
    '  central      1212                9          1            0            0   red: NO_PROGRESS',
  ]);
});

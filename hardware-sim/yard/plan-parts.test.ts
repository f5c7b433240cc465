import { expect, test } from 'vitest';
import { withoutNode } from './plan-parts.ts';
import { toyPlan, toySend } from './toy-yard.ts';

const FAULT = { atMs: 1, fault: 'noise', forMs: 1 };
const PLAN = toyPlan(
  '1',
  [toySend('device-1', 1, 20), toySend('device-2', 2, 20), { ...toySend('device-2', 3, 20), destination: 'device-1/local' }],
  [
    { ...FAULT, target: 'device-1' },
    { ...FAULT, target: 'broker' },
  ],
);

test('takes a node away with its sends, its faults, and what is sent to it', () => {
  const left = withoutNode(PLAN, 'device-1');
  expect(left.world.nodes.map(({ name }) => name)).toEqual(['central', 'gateway-1', 'device-2']);
  expect(left.sends.map(({ atMs }) => atMs)).toEqual([2]);
  expect(left.faults.map(({ target }) => target)).toEqual(['broker']);
  expect(left.world.readers).toHaveLength(1);
});

test('takes those away that hang on it', () => {
  expect(withoutNode(PLAN, 'gateway-1').world.nodes.map(({ name }) => name)).toEqual(['central']);
  expect(withoutNode(PLAN, 'central').world).toMatchObject({ nodes: [], readers: [] });
});

test('takes the dead from the list of the dead', () => {
  const plan = { ...PLAN, world: { ...PLAN.world, dead: ['device-1', 'device-2'] } };
  expect(withoutNode(plan, 'device-1').world.dead).toEqual(['device-2']);
});

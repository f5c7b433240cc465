/** `ringmail holes`: what is waited for where the ways of a stream meet again, and giving it up. */
import type { HoleStats } from '../shared/core/calls.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { defineGroup } from './group.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { tableLines } from './table.ts';

const list = defineCommand(
  {
    name: 'holes list',
    summary: 'numbers that are waited for, or were given up',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print the answer as one line of JSON' } },
    notes: ['What is held is stored, and delivered when the hole before it is filled, or given up.'],
  },
  async ({ values }, world) => {
    const holes = await withNode(placeOf(values, world), world, (node) => new RingmailClient(node).holes());
    await world.stdout(values.json ? `${JSON.stringify({ holes })}\n` : linesOf(holes));
    return EXIT.ok;
  },
);

const close = defineCommand(
  {
    name: 'holes close',
    summary: 'give the holes of a queue or a stream up, at once',
    operands: '<queue | stream>',
    operandCount: { min: 1, max: 1 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print {"count"}' } },
    notes: ['Their numbers are MISSING, each in an account. Who brings them after all is late, and delivered.'],
  },
  async ({ values, operands: [of = ''] }, world) => {
    const count = await withNode(placeOf(values, world), world, (node) => new RingmailClient(node).closeHoles(of));
    await world.stdout(values.json ? `${JSON.stringify({ count })}\n` : `${count} missing\n`);
    return EXIT.ok;
  },
);

export const holes = defineGroup({
  name: 'holes',
  summary: 'messages that another node was to bring',
  tools: { list: async () => list, close: async () => close },
  notes: [
    'A device that goes on over another gateway leaves a hole where the first one still has its messages (docs/routes.md).',
  ],
});

function linesOf(holes: readonly HoleStats[]): string {
  const right = { align: 'right' } as const;
  const lines = tableLines(
    [
      { head: 'stream', cut: 'long' },
      { head: 'from', ...right },
      { head: 'to', ...right },
      { head: 'state' },
      { head: 'left', ...right },
      { head: 'held', ...right },
    ],
    holes.map(({ stream, from, to, state, leftMs, held }) => [
      stream,
      ...[from, to].map(String),
      state,
      state === 'open' ? `${Math.ceil(leftMs / 1_000)} s` : '',
      String(held),
    ]),
  );
  return lines.map((line) => `${line}\n`).join('');
}

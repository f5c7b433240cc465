/** `ringmail ping` and `ringmail trace`: what other nodes say. */
import type { ProbeAnswer } from '../shared/core/calls.ts';
import { isPlace } from '../shared/core/whereabouts.ts';
import { parseIdentity } from '../shared/message/identity.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import { defineCommand, durationMs, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { tableLines } from './table.ts';

const WAIT_DEFAULT = '10s';
const OPTIONS = {
  wait: { type: 'string', value: 'time', help: `how long to wait for answers; ${WAIT_DEFAULT} if not said` },
  ...REACH_OPTIONS,
  json: { type: 'boolean', help: 'print the answers as one line of JSON' },
} as const;

export const ping = defineCommand(
  {
    name: 'ping',
    summary: 'asks a node, and those on the way to it, for an answer',
    operands: '<node>',
    operandCount: { min: 1, max: 1 },
    options: OPTIONS,
    notes: ['The question and its answers go as messages do. Exit code 1: the node did not answer in time; it may later.'],
  },
  async ({ values, operands: [node = ''] }, world) => {
    const waitMs = durationMs('wait', values.wait ?? WAIT_DEFAULT);
    // An address of a queue will do: it is its node that is asked.
    const name = node.split('/')[0] ?? '';
    const answers = await withNode(placeOf(values, world), world, (calls) => new RingmailClient(calls).ping(name, waitMs));
    await world.stdout(values.json ? `${JSON.stringify({ node: name, answers })}\n` : answersText(answers));
    return answers.some(({ at }) => at === 'reached') ? EXIT.ok : EXIT.nothing;
  },
);

export const trace = defineCommand(
  {
    name: 'trace',
    summary: 'where a message is: asks each node on its way',
    operands: '<identity>',
    operandCount: { min: 1, max: 1 },
    options: OPTIONS,
    notes: ['Exit code 1: no node that answered in time has it, or saw it end.'],
  },
  async ({ values, operands: [identity = ''] }, world) => {
    if (parseIdentity(identity) === undefined) throw usage(`${identity} is no identity`);
    const waitMs = durationMs('wait', values.wait ?? WAIT_DEFAULT);
    const found = await withNode(placeOf(values, world), world, (calls) => new RingmailClient(calls).custody(identity, waitMs));
    const { custody, answers } = found;
    await world.stdout(values.json ? `${JSON.stringify({ identity, ...found })}\n` : `${answersText(answers)}${custody}\n`);
    return answers.some(({ at }) => isPlace(at)) ? EXIT.ok : EXIT.nothing;
  },
);

function answersText(answers: readonly ProbeAnswer[]): string {
  const rows = answers.map(({ node, hops, afterMs, at, next, losses = [] }) => [
    node,
    String(hops),
    `${Math.round(afterMs)} ms`,
    [at, ...(next ? [`to ${next}`] : []), ...losses].join(', '),
  ]);
  const columns = [
    { head: 'node' },
    { head: 'hops', align: 'right' },
    { head: 'after', align: 'right' },
    { head: 'says' },
  ] as const;
  return `${tableLines(columns, rows).join('\n')}\n`;
}

/** `ringmail move` and `ringmail redrive`: a message that lies in the wrong place. */
import { RingmailClient } from '../shared/node/library/client.ts';
import { defineCommand, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';

const JSON_OPTION = { type: 'boolean', help: 'print what was done as one line of JSON' } as const;

export const move = defineCommand(
  {
    name: 'move',
    summary: 'put a ready message into a subqueue of its queue, or back',
    operands: '<queue> <lookup> <to>',
    operandCount: { min: 3, max: 3 },
    options: { ...REACH_OPTIONS, json: JSON_OPTION },
    notes: [
      'A subqueue is written <queue>;<name>, in a shell with quotes: ringmail move bags 120 "bags;later". The lookup id is what ' +
        'ringmail peek shows behind the point. The message keeps its identity, its place and its delivery count.',
    ],
  },
  async ({ values, operands: [queue = '', lookup = '', to = ''] }, world) => {
    const lookupId = wholeNumber('<lookup>', lookup);
    await withNode(placeOf(values, world), world, (node) => node.call({ verb: 'move', queue, lookupId, to }));
    if (values.json) await world.stdout(`${JSON.stringify({ queue, lookupId, to })}\n`);
    return EXIT.ok;
  },
);

export const redrive = defineCommand(
  {
    name: 'redrive',
    summary: 'send a dead letter where it was going, or elsewhere',
    operands: '<lookup> [to]',
    operandCount: { min: 1, max: 2 },
    options: {
      queue: { type: 'string', short: 'q', value: 'queue', help: 'the dead letter queue it lies in; $dead' },
      ...REACH_OPTIONS,
      json: JSON_OPTION,
    },
    notes: [
      'It is a new message, linked to the letter, and stored in the write that ends the letter. ringmail dead lists ' +
        'letters. Prints the identity of the new message.',
    ],
  },
  async ({ values, operands: [lookup = '', to] }, world) => {
    const lookupId = wholeNumber('<lookup>', lookup);
    const queue = values.queue ?? '$dead';
    const identity = await withNode(placeOf(values, world), world, (node) =>
      new RingmailClient(node).redrive(queue, lookupId, to),
    );
    await world.stdout(values.json ? `${JSON.stringify({ queue, lookupId, identity })}\n` : `${identity}\n`);
    return EXIT.ok;
  },
);

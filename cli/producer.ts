/** `ringmail producer`: clients that number their requests. */
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { defineGroup } from './group.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';

const retire = defineCommand(
  {
    name: 'producer retire',
    summary: 'forget a producer that will never come again',
    operands: '<producer>',
    operandCount: { min: 1, max: 1 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print {"producer"}' } },
    notes: ['Its name may begin at 1 again: a request that it repeats after this is done a second time.'],
  },
  async ({ values, operands: [producer = ''] }, world) => {
    await withNode(placeOf(values, world), world, (node) => node.call({ verb: 'retireProducer', producer }));
    if (values.json) await world.stdout(`${JSON.stringify({ producer })}\n`);
    return EXIT.ok;
  },
);

export const producer = defineGroup({
  name: 'producer',
  summary: 'forget clients that number their requests',
  tools: { retire: async () => retire },
  notes: ['A node remembers 1,024 of them for ever; the next one is BUSY until one is retired.'],
});

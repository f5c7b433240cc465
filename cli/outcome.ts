/** `ringmail outcome`: what became of a send that was in doubt. */
import type { SendOutcome } from '../shared/core/calls.ts';
import { parseIdentity } from '../shared/message/identity.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import { defineCommand, usage, wholeNumber } from './args.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';

const EXIT_BY_OUTCOME: Readonly<Record<SendOutcome, ExitCode>> = { kept: EXIT.ok, absent: EXIT.nothing, unknown: EXIT.inDoubt };

export const outcome = defineCommand(
  {
    name: 'outcome',
    summary: 'what became of a send that was IN_DOUBT: kept, absent or unknown',
    operands: '<identity>',
    operandCount: { min: 1, max: 1 },
    options: {
      epoch: { type: 'string', value: 'n', help: 'the epoch that the error named' },
      ...REACH_OPTIONS,
      json: { type: 'boolean', help: 'print {"identity", "outcome"}' },
    },
    notes: ['Exit code 0: it was stored. 1: it was not, and never will be. 6: nobody can say any more.'],
  },
  async ({ values, operands: [identity = ''] }, world) => {
    if (parseIdentity(identity) === undefined) throw usage(`${identity} is no identity`);
    const epoch = values.epoch === undefined ? undefined : wholeNumber('epoch', values.epoch);
    const found = await withNode(placeOf(values, world), world, (node) => new RingmailClient(node).outcome(identity, epoch));
    await world.stdout(values.json ? `${JSON.stringify({ identity, outcome: found })}\n` : `${found}\n`);
    return EXIT_BY_OUTCOME[found];
  },
);

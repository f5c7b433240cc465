/** `ringmail transaction`: several sends and ends of leases, in one frame. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TRANSACTION_BYTES_MAX } from '../shared/node/api/api-limits.ts';
import { readSteps } from '../shared/node/api/transaction-json.ts';
import { defineCommand, type OptionSpecs, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { readAll } from './stdin.ts';
import type { World } from './world.ts';

const OPTIONS = {
  producer: { type: 'string', value: 'name', help: 'who sends: with --number the same request again does nothing' },
  number: { type: 'string', value: 'n', help: 'number of this request, one higher than the one before' },
  json: { type: 'boolean', help: 'print {"identities", "durability"} on one line' },
  ...REACH_OPTIONS,
} as const satisfies OptionSpecs;

export const transaction = defineCommand(
  {
    name: 'transaction',
    summary: 'do several things in one write: all of them, or none',
    operands: '<file | ->',
    operandCount: { min: 1, max: 1 },
    options: OPTIONS,
    notes: [
      'The file, or stdin, has {"steps": [...]} as the local API takes it (docs/local-api.md). Steps are {"do": "send", "destination", ' +
        '"body", ...}, {"do": "ack", "lease"}, {"do": "deadLetter", "lease", "reason"} and {"do": "move", "lease", "to"}. Prints the ' +
        'identities of what was sent, one a line.',
    ],
  },
  async ({ values, operands: [path = ''] }, world) => {
    const { producer, number } = values;
    if ((producer === undefined) !== (number === undefined)) throw usage('--producer and --number belong together');
    const by = producer === undefined || number === undefined ? {} : { by: { producer, number: wholeNumber('number', number) } };
    const bytes = path === '-' ? await readAll(world, TRANSACTION_BYTES_MAX) : await read(path, world);
    if (bytes === undefined) return EXIT.interrupted;
    const steps = readSteps(bytes);
    const result = await withNode(placeOf(values, world), world, (node) => node.call({ verb: 'commit', steps, ...by }));
    if (result.kind !== 'committed') throw new TypeError(`a commit was answered with ${result.kind}`);
    const { identities, durability } = result;
    await world.stdout(
      values.json
        ? `${JSON.stringify({ identities, durable: durability === 'sync', durability })}\n`
        : identities.map((identity) => `${identity}\n`).join(''),
    );
    return EXIT.ok;
  },
);

/** @throws USAGE_INVALID when it cannot be read */
async function read(path: string, { cwd }: World): Promise<Uint8Array> {
  try {
    return await readFile(resolve(cwd, path));
  } catch (error) {
    throw usage(`${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

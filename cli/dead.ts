/** `ringmail dead`: letters, with why they are there. */
import type { Peeked } from '../shared/core/calls.ts';
import { isEndingClass } from '../shared/message/classes.ts';
import { parseIdentity } from '../shared/message/identity.ts';
import { peekedJson } from '../shared/node/api/message-json.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { Selector } from '../shared/queue/selector.ts';
import { defineCommand, type OptionSpecs, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { placeOption } from './select-options.ts';
import { tableLines } from './table.ts';

const OPTIONS = {
  class: { type: 'string', short: 'c', value: 'class', help: 'only letters that ended as this, such as POISON' },
  count: { type: 'string', short: 'n', value: 'n', help: 'how many at the most; 20' },
  after: { type: 'string', value: 'place', help: 'go on behind this place, such as 3.120' },
  json: { type: 'boolean', help: 'print each as one line of JSON, without its body' },
  ...REACH_OPTIONS,
} as const satisfies OptionSpecs;

const COUNT_DEFAULT = '20';

export const dead = defineCommand(
  {
    name: 'dead',
    summary: 'list dead letters: how each ended, whose it was, and why',
    operands: '[queue]',
    operandCount: { min: 0, max: 1 },
    options: OPTIONS,
    notes: [
      'Without a queue it is $dead. The lookup id is what ringmail redrive and ringmail peek --lookup take. Exit code 1 when there ' +
        'is nothing.',
    ],
  },
  async ({ values, operands: [queue = '$dead'] }, world) => {
    const { class: wanted, count = COUNT_DEFAULT, after, json } = values;
    if (wanted !== undefined && !isEndingClass(wanted)) throw usage(`--class ${wanted}: no message ends so`);
    const start: Selector = after === undefined ? { by: 'first' } : { by: 'after', place: placeOption('after', after) };
    const how = { queue, start, countMax: wholeNumber('count', count), wanted };
    const found = await withNode(placeOf(values, world), world, (node) => letters(node, how, world.signal));
    if (found.length === 0) return EXIT.nothing;
    const lines = json ? found.map((letter) => peekedJson(letter, 'none')) : table(found);
    await world.stdout(lines.map((line) => `${line}\n`).join(''));
    return EXIT.ok;
  },
);

interface How {
  readonly queue: string;
  readonly start: Selector;
  readonly countMax: number;
  readonly wanted: string | undefined;
}

async function letters(node: NodeCalls, { queue, start, countMax, wanted }: How, signal: AbortSignal): Promise<Peeked[]> {
  const found: Peeked[] = [];
  let select = start;
  while (found.length < countMax && !signal.aborted) {
    const result = await node.call({ verb: 'peek', queue, waitMs: 0, select, bodies: 'without' }, signal);
    if (result.kind !== 'peeked') break;
    const { message, lookupId } = result.peeked;
    select = { by: 'after', place: { priority: message.priority, lookupId } };
    if (wanted === undefined || message.history?.at(-1)?.class === wanted) found.push(result.peeked);
  }
  return found;
}

function table(found: readonly Peeked[]): string[] {
  const rows = found.map(({ lookupId, message }) => {
    const last = message.history?.at(-1);
    const origin = parseIdentity(message.previous ?? '');
    const whose = origin === undefined ? '' : `${origin.origin} to ${origin.destination}`;
    return [String(lookupId), last?.class ?? '', whose, last?.reason ?? ''];
  });
  return tableLines(
    [
      { head: 'lookup', align: 'right' },
      { head: 'class', cut: 'long' },
      { head: 'from', cut: 'long' },
      { head: 'reason', cut: 'long' },
    ],
    rows,
  );
}

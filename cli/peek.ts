/** `ringmail peek`: what is ready in a queue, in the order in which it would be received. Nothing is taken. */
import type { Peeked } from '../shared/core/calls.ts';
import { exactText } from '../shared/node/api/body-forms.ts';
import { peekedJson } from '../shared/node/api/message-json.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import { placeText, type Selector } from '../shared/queue/selector.ts';
import { type CommandLine, defineCommand, durationMs, type OptionSpecs, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { placeOption, SELECT_OPTIONS, selectorOf } from './select-options.ts';
import { type Column, tableLines } from './table.ts';
import type { World } from './world.ts';

const OPTIONS = {
  count: { type: 'string', short: 'n', value: 'n', help: 'how many at the most; 20, or 1 where one is named' },
  after: { type: 'string', value: 'place', help: 'go on behind this place, such as 3.120' },
  ...SELECT_OPTIONS,
  wait: { type: 'string', short: 'w', value: 'time', help: 'how long to wait for the first one; 0' },
  'headers-only': { type: 'boolean', help: 'leave the bodies where they are' },
  raw: { type: 'boolean', help: 'print the bytes of the bodies and nothing else' },
  json: { type: 'boolean', help: 'print each as one line of JSON: the answer of the local API' },
  ...REACH_OPTIONS,
} as const satisfies OptionSpecs;

const COUNT_DEFAULT = 20;

interface Plan {
  readonly queue: string;
  readonly select: Selector;
  readonly countMax: number;
  readonly waitMs: number;
  readonly bodies: 'with' | 'without';
  readonly form: 'table' | 'raw' | 'json';
}

export const peek = defineCommand(
  {
    name: 'peek',
    summary: 'look at what is ready in a queue, and leave it there',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: OPTIONS,
    notes: [
      'Each line has the place of a message, how often it was delivered, its size, its label and its body. Exit code 1 when there ' +
        'is nothing.',
    ],
  },
  async (line, world) => {
    const plan = planOf(line);
    return withNode(placeOf(line.values, world), world, (node, where) =>
      look(where === 'opened' ? { ...plan, waitMs: 0 } : plan, node, world),
    );
  },
);

function planOf({ values, operands: [queue = ''] }: CommandLine<typeof OPTIONS>): Plan {
  const { count, after, wait, raw, json } = values;
  const named = selectorOf(values);
  if (raw && json) throw usage('--raw or --json, not both');
  if (raw && values['headers-only']) throw usage('--raw or --headers-only, not both');
  if (named !== undefined && (after !== undefined || count !== undefined))
    throw usage('--after and --count go on from a place: they go with no single message');
  if (count === '0') throw usage('--count 0: at least one');
  const behind: Selector | undefined = after === undefined ? undefined : { by: 'after', place: placeOption('after', after) };
  return {
    queue,
    select: named ?? behind ?? { by: 'first' },
    countMax: named === undefined ? wholeNumber('count', count ?? String(COUNT_DEFAULT)) : 1,
    waitMs: durationMs('wait', wait ?? '0'),
    bodies: values['headers-only'] ? 'without' : 'with',
    form: raw ? 'raw' : json ? 'json' : 'table',
  };
}

async function look({ queue, select, countMax, waitMs, bodies, form }: Plan, node: NodeCalls, world: World): Promise<number> {
  const shown: Peeked[] = [];
  let next = select;
  while (shown.length < countMax && !world.signal.aborted) {
    const wait = shown.length === 0 ? waitMs : 0;
    const result = await node.call({ verb: 'peek', queue, waitMs: wait, select: next, bodies }, world.signal);
    if (result.kind !== 'peeked') break;
    const { peeked } = result;
    shown.push(peeked);
    next = { by: 'after', place: { priority: peeked.message.priority, lookupId: peeked.lookupId } };
    if (!(await print(peeked, { form, bodies }, world))) return EXIT.outputClosed;
  }
  if (shown.length === 0) return EXIT.nothing;
  if (form === 'table')
    await world.stdout(
      table(shown, bodies)
        .map((line) => `${line}\n`)
        .join(''),
    );
  return EXIT.ok;
}

/** False when nobody reads any more. A table is printed as a whole, later. */
async function print(peeked: Peeked, { form, bodies }: Pick<Plan, 'form' | 'bodies'>, world: World): Promise<boolean> {
  switch (form) {
    case 'raw':
      return world.stdout(peeked.message.body);
    case 'json':
      return world.stdout(`${peekedJson(peeked, bodies === 'with' ? 'auto' : 'none')}\n`);
    case 'table':
      return true;
  }
}

function table(shown: readonly Peeked[], bodies: 'with' | 'without'): string[] {
  const columns: Column[] = [
    { head: 'place' },
    { head: 'tries', align: 'right' },
    { head: 'size', align: 'right' },
    { head: 'label', cut: 'long' },
    bodies === 'with' ? { head: 'body', cut: 'long' } : { head: 'type', cut: 'long' },
  ];
  const rows = shown.map(({ message, lookupId, deliveryCount, bodyBytes }) => [
    placeText({ priority: message.priority, lookupId }),
    String(deliveryCount),
    formatSize(bodyBytes),
    message.label ?? '',
    bodies === 'with' ? bodyText(message.body) : (message.contentType ?? ''),
  ]);
  return tableLines(columns, rows);
}

/** As far as a line shows it. */
const BODY_TEXT_BYTES_MAX = 400;

function bodyText(body: Uint8Array): string {
  const text = exactText(body);
  if (text !== undefined) return text.slice(0, BODY_TEXT_BYTES_MAX);
  return `hex ${Buffer.from(body.subarray(0, BODY_TEXT_BYTES_MAX)).toString('hex')}`;
}

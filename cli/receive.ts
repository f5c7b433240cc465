/** `ringmail receive`: prints messages, and acknowledges each one once it is printed. */
import type { Received } from '../shared/core/calls.ts';
import { exactText } from '../shared/node/api/body-forms.ts';
import { receivedJson } from '../shared/node/api/message-json.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { Selector } from '../shared/queue/selector.ts';
import { type CommandLine, defineCommand, durationMs, type OptionSpecs, usage, wholeNumber } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { harmless } from './plain-text.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { SELECT_OPTIONS, selectorOf } from './select-options.ts';
import type { World } from './world.ts';

const OPTIONS = {
  wait: { type: 'string', short: 'w', value: 'time', help: 'how long to wait for each message; default 0: what is there now' },
  count: { type: 'string', short: 'n', value: 'n', help: 'how many messages at the most; default 1' },
  follow: { type: 'boolean', short: 'f', help: 'go on until stopped' },
  raw: { type: 'boolean', help: 'print the bytes of the body and nothing else, not even a line end' },
  json: { type: 'boolean', help: 'print each message as one line of JSON: the answer of the local API' },
  'no-ack': { type: 'boolean', help: 'only look: the message is back when its lease ends' },
  ...SELECT_OPTIONS,
  lease: { type: 'string', value: 'time', help: 'how long a message is ours while it is printed; default 30s' },
  ...REACH_OPTIONS,
} as const satisfies OptionSpecs;

/** One wait of `--follow`. The next one follows at once. */
const FOLLOW_WAIT_MS = 30_000;

interface Plan {
  readonly queue: string;
  readonly select: Selector | undefined;
  readonly countMax: number;
  readonly waitMs: number;
  readonly leaseMs: number;
  readonly whenEmpty: 'end' | 'go on';
  readonly whenPrinted: 'ack' | 'keep';
  readonly form: 'text' | 'raw' | 'json';
}

export const receive = defineCommand(
  {
    name: 'receive',
    summary: 'receive messages from a queue and print them',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: OPTIONS,
    notes: [
      'A message is acknowledged when it is printed: what could not be printed goes back to its queue. Exit code 0 when something ' +
        'was received, 1 when nothing was there within the wait, 7 when nobody reads the output any more.',
      'A body that is not UTF-8 is printed as base64, and said so on stderr; --raw and --json give it exactly.',
      'When no node runs, what the ring file holds is received from there, without waiting: nobody can send meanwhile. --follow ' +
        'needs a node.',
    ],
  },
  async (line, world) => {
    const plan = planOf(line);
    const place = placeOf(line.values, world);
    if (plan.whenEmpty === 'end') {
      return withNode(place, world, (node, where) => receiveAll(where === 'opened' ? { ...plan, waitMs: 0 } : plan, node, world));
    }
    if (place.socketPath === undefined)
      throw usage('--follow needs a node behind a socket: nobody sends to a ring that is open here');
    return withNode({ ...place, ringPath: undefined }, world, (node) => receiveAll(plan, node, world));
  },
);

function planOf({ values, operands: [queue = ''] }: CommandLine<typeof OPTIONS>): Plan {
  const { wait, count, lease, follow, raw, json } = values;
  if (follow && (wait !== undefined || count !== undefined))
    throw usage('--follow goes on until stopped: it takes no --wait and no --count');
  if (raw && json) throw usage('--raw or --json, not both');
  const select = selectorOf(values);
  if (select !== undefined && select.by !== 'last' && (follow || count !== undefined))
    throw usage('one message is named: it takes no --count and no --follow');
  if (count === '0') throw usage('--count 0: at least one');
  return {
    queue,
    select,
    countMax: follow ? Number.POSITIVE_INFINITY : wholeNumber('count', count ?? '1'),
    waitMs: follow ? FOLLOW_WAIT_MS : durationMs('wait', wait ?? '0'),
    leaseMs: durationMs('lease', lease ?? '30s'),
    whenEmpty: follow ? 'go on' : 'end',
    whenPrinted: values['no-ack'] ? 'keep' : 'ack',
    form: raw ? 'raw' : json ? 'json' : 'text',
  };
}

async function receiveAll(plan: Plan, node: NodeCalls, world: World): Promise<number> {
  const { queue, select, waitMs, leaseMs } = plan;
  let count = 0;
  while (count < plan.countMax && !world.signal.aborted) {
    const result = await node.call({ verb: 'receive', queue, waitMs, leaseMs, ...(select && { select }) }, world.signal);
    if (result.kind !== 'received') {
      if (plan.whenEmpty === 'end') break;
      continue;
    }
    const { lease } = result.received;
    if (!(await print(result.received, plan, world))) {
      await node.call({ verb: 'nack', lease, delayMs: 0 });
      return EXIT.outputClosed;
    }
    if (plan.whenPrinted === 'ack') await node.call({ verb: 'ack', lease });
    count += 1;
  }
  return count > 0 || plan.whenEmpty === 'go on' ? EXIT.ok : EXIT.nothing;
}

/** False when nobody reads any more. */
async function print(received: Received, { form }: Plan, world: World): Promise<boolean> {
  const { body } = received.message;
  switch (form) {
    case 'raw':
      return world.stdout(body);
    case 'json':
      return world.stdout(`${receivedJson(received, 'auto')}\n`);
    case 'text': {
      const text = exactText(body);
      if (text === undefined) await world.stderr('the body is not UTF-8: shown as base64\n');
      const shown = text ?? Buffer.from(body.buffer, body.byteOffset, body.length).toString('base64');
      return world.stdout(`${world.isTty ? harmless(shown) : shown}\n`);
    }
  }
}

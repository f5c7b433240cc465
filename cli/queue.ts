/** `ringmail queue`: queues of a node. */
import type { QueueStats } from '../shared/core/calls.ts';
import { RingmailError } from '../shared/errors.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import { type Command, type CommandTable, defineCommand, type OptionSpecs, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { defineGroup } from './group.ts';
import { oneLine } from './plain-text.ts';
import { CHANGE_OPTIONS, CREATE_OPTIONS, optionRows, optionsOf } from './queue-options.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { tableLines } from './table.ts';
import type { World } from './world.ts';

const JSON_OPTION = { type: 'boolean', help: 'print the answer as one line of JSON' } as const;
const COMMON_OPTIONS = { ...REACH_OPTIONS, json: JSON_OPTION } as const satisfies OptionSpecs;

type Reach = Parameters<typeof placeOf>[0] & { readonly json?: boolean };

/** Runs `act` with the node that is meant. */
function withClient<T>(values: Reach, world: World, act: (client: RingmailClient) => Promise<T>): Promise<T> {
  return withNode(placeOf(values, world), world, (node) => act(new RingmailClient(node)));
}

/** Nothing for people to read when it is done: that is the exit code. */
async function done(values: Reach, world: World, queue: string): Promise<number> {
  if (values.json) await world.stdout(`${JSON.stringify({ queue })}\n`);
  return EXIT.ok;
}

const create = defineCommand(
  {
    name: 'queue create',
    summary: 'make a queue',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: { ...CREATE_OPTIONS, ...COMMON_OPTIONS },
    notes: ['What is not said has its default (docs/queues.md). A time is a whole number and its unit: 500ms, 5s, 2m, 1h, 4d.'],
  },
  async ({ values, operands: [queue = ''] }, world) => {
    const options = optionsOf(values);
    await withClient(values, world, (client) => client.createQueue(queue, options));
    return done(values, world, queue);
  },
);

const set = defineCommand(
  {
    name: 'queue set',
    summary: 'change what a queue is; what is not said stays',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: { ...CHANGE_OPTIONS, ...COMMON_OPTIONS },
    refused: { ordering: 'it is set when a queue is made, and cannot be changed' },
    notes: ['A queue of the configuration file has the properties of that file again when its node starts.'],
  },
  async ({ values, operands: [queue = ''] }, world) => {
    const changes = optionsOf(values);
    if (Object.keys(changes).length === 0) throw usage('ringmail queue set needs something to change');
    await withClient(values, world, (client) => client.setQueue(queue, changes));
    return done(values, world, queue);
  },
);

const remove = defineCommand(
  {
    name: 'queue delete',
    summary: 'end all messages of a queue, then the queue',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: COMMON_OPTIONS,
    notes: ['Its messages end as Q_DELETED, those under lease too, and are counted. There is no way back.'],
  },
  async ({ values, operands: [queue = ''] }, world) => {
    await withClient(values, world, (client) => client.deleteQueue(queue));
    return done(values, world, queue);
  },
);

const list = defineCommand(
  {
    name: 'queue list',
    summary: 'all queues, with what is in them',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: COMMON_OPTIONS,
    notes: ['--json prints a line for each queue, with all of its properties.'],
  },
  async ({ values }, world) => {
    const queues = await withClient(values, world, (client) => client.queues());
    const lines = values.json ? queues.map((queue) => JSON.stringify(queue)) : listLines(queues);
    await world.stdout(lines.map((line) => `${line}\n`).join(''));
    return EXIT.ok;
  },
);

const show = defineCommand(
  {
    name: 'queue show',
    summary: 'one queue: its properties, and what is in it',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: COMMON_OPTIONS,
    notes: [],
  },
  async ({ values, operands: [name = ''] }, world) => {
    const queues = await withClient(values, world, (client) => client.queues());
    const queue = queues.find((one) => one.name === name);
    if (queue === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue: name });
    await world.stdout(values.json ? `${JSON.stringify(queue)}\n` : showText(queue));
    return EXIT.ok;
  },
);

const purge = defineCommand(
  {
    name: 'queue purge',
    summary: 'end all messages of a queue that nobody has under lease',
    operands: '<queue>',
    operandCount: { min: 1, max: 1 },
    options: COMMON_OPTIONS,
    notes: ['They end as Q_PURGED, and are counted. Prints how many. There is no way back.'],
  },
  async ({ values, operands: [queue = ''] }, world) => {
    const count = await withClient(values, world, (client) => client.purge(queue));
    await world.stdout(values.json ? `${JSON.stringify({ queue, count })}\n` : `${count}\n`);
    return EXIT.ok;
  },
);

function stateCommand(name: 'pause' | 'resume', summary: string): Command {
  return defineCommand(
    {
      name: `queue ${name}`,
      summary,
      operands: '<queue>',
      operandCount: { min: 1, max: 1 },
      options: COMMON_OPTIONS,
      notes: [],
    },
    async ({ values, operands: [queue = ''] }, world) => {
      await withClient(values, world, (client) => client[name](queue));
      return done(values, world, queue);
    },
  );
}

/** In the order of the help. */
const TOOLS: CommandTable = {
  create: async () => create,
  set: async () => set,
  delete: async () => remove,
  list: async () => list,
  show: async () => show,
  purge: async () => purge,
  pause: async () => stateCommand('pause', 'let a queue take messages and hand out none'),
  resume: async () => stateCommand('resume', 'let it hand them out again'),
};

export const queue = defineGroup({ name: 'queue', summary: 'make, change, list, empty and delete queues', tools: TOOLS });

function listLines(queues: readonly QueueStats[]): string[] {
  const right = { align: 'right' } as const;
  return tableLines(
    [
      { head: 'queue', cut: 'long' },
      { head: 'ready', ...right },
      { head: 'leased', ...right },
      { head: 'delayed', ...right },
      { head: 'size', ...right },
      { head: 'limit', ...right },
      { head: 'state' },
    ],
    queues.map(({ name, ready, leased, delayed, bytes, bytesLimit, state }) => [
      name,
      ...[ready, leased, delayed].map(String),
      ...[bytes, bytesLimit].map(formatSize),
      state,
    ]),
  );
}

function showText(queue: QueueStats): string {
  const { ready, leased, delayed, held, blocked, dropped, expired } = queue;
  const rows: [string, string][] = [
    ['queue', queue.name],
    ...optionRows(queue),
    ['messages', `${ready} ready, ${leased} leased, ${delayed} delayed, ${held} held, ${formatSize(queue.bytes)}`],
    ['senders that wait', String(blocked)],
    ['ever dropped', String(dropped)],
    ['ever expired', String(expired)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows
    .map(([name, value]) => `${name.padEnd(width)}${oneLine(value)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

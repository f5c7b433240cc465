/** How things are when all is over: what each node says of itself, what lies on its platter, and what its dead letters tell. */

import { ADMIN_QUEUE, JOURNAL_QUEUE } from '../../shared/custody/message-room.ts';
import type { Message } from '../../shared/message/message.ts';
import type { Place, Selector } from '../../shared/queue/selector.ts';
import type { SimNode } from '../sim-node.ts';
import type { Stage } from './applications.ts';
import type { YardEvent } from './history.ts';
import { copyKey, isCopyKey, keyIn, keyOf, LETTER_QUEUES, sourceKey } from './letters.ts';

/** Longer than reading all of them takes. */
const LEASE_MS = 3_600_000;
const LETTER_COUNT_MAX = 2_000;

export async function endOfRun(what: {
  readonly stage: Stage;
  readonly nodes: readonly SimNode[];
  readonly unsentMax: ReadonlyMap<string, number>;
  readonly quietMs: number;
}): Promise<void> {
  const { stage, nodes, unsentMax } = what;
  const { recorder, oracle, world } = stage;
  const dead = new Map<SimNode, Set<string>>();
  for (const node of nodes) {
    const keys = new Set<string>();
    dead.set(node, keys);
    for (const queue of LETTER_QUEUES) await until(world, (done) => readLetters(stage, { node, queue, keys }, done));
    await until(world, (done) => look(node, JOURNAL_QUEUE, (message) => tellCopy(stage, node, message), done));
    await until(world, (done) => look(node, ADMIN_QUEUE, (message) => tellWord(stage, node, message), done));
    await until(world, (done) => askOutcomes(stage, node, done));
  }
  // A letter that could not be read ended, and that is on the disk by then.
  await world.run(world.nowMs + 1_000);
  const end = nodes.flatMap((node) => {
    const stats = node.stats();
    if (stats === undefined) return [];
    const live = [...oracle.keys(node.name)].filter((key) => !isCopyKey(key) && dead.get(node)?.has(key) !== true);
    return [{ node: node.name, stats, live, ringBytes: node.disk.bytes, unsentBytesMax: unsentMax.get(node.name) ?? 0 }];
  });
  recorder.add({ kind: 'end', nodes: end });
}

async function until(world: Stage['world'], begin: (done: () => void) => void): Promise<void> {
  let isDone = false;
  begin(() => {
    isDone = true;
  });
  if (!isDone) await world.run(world.nowMs + 60_000, () => isDone);
}

/** One after the other, leased and never acknowledged: they stay where they are. */
function readLetters(
  stage: Stage,
  from: { readonly node: SimNode; readonly queue: string; readonly keys: Set<string> },
  done: () => void,
  count = 0,
): void {
  const { recorder } = stage;
  const { node, queue, keys } = from;
  node.call({ verb: 'receive', queue, waitMs: 0, leaseMs: LEASE_MS }, (result) => {
    if (result.kind !== 'received' || count >= LETTER_COUNT_MAX) return done();
    const { message } = result.received;
    const { body, previous, history = [] } = message;
    const place = sourceKey(keyOf(message, 'letters') ?? '') === undefined ? undefined : keyOf(message, 'letters');
    const [key, reason] = [place ?? keyIn(body), history.at(-1)?.reason ?? ''];
    if (key !== undefined) keys.add(key);
    const classes = history.map((one) => one.class);
    const about = { node: node.name, queue, key: keyOf(message, 'letters'), bytes: body.length };
    recorder.add({ kind: 'dead-letter', ...about, previous, classes, reason });
    if (classes.some((one) => one === 'Q_EXCEED_QUOTA')) recorder.mark('dead-lettered by custody');
    if (queue !== LETTER_QUEUES[0]) recorder.mark('in a dead letter queue of its own');
    readLetters(stage, from, done, count + 1);
  });
}

/** All that is ready, one after the other, left where it is. */
function look(node: SimNode, queue: string, see: (message: Message) => void, done: () => void, after?: Place): void {
  const select: Selector = after === undefined ? { by: 'first' } : { by: 'after', place: after };
  node.call({ verb: 'peek', queue, waitMs: 0, select, bodies: 'with' }, (result) => {
    if (result.kind !== 'peeked') return done();
    const { message, lookupId } = result.peeked;
    see(message);
    look(node, queue, see, done, { priority: message.priority, lookupId });
  });
}

function tellCopy({ recorder }: Stage, node: SimNode, { body, previous }: Message): void {
  const key = keyIn(body);
  recorder.mark('copy in a journal');
  recorder.add({ kind: 'copy', node: node.name, key: key === undefined ? undefined : copyKey(key), previous });
}

function tellWord({ recorder }: Stage, node: SimNode, { label = '', correlationId = '' }: Message): void {
  recorder.mark('told what became of a message');
  recorder.add({ kind: 'word', node: node.name, label, about: correlationId });
}

/** What became of the messages that lay in its memory only. */
function askOutcomes(stage: Stage, node: SimNode, done: () => void): void {
  const { events } = stage.recorder;
  const asked = events.flatMap((event) => (isExpressAt(event, node.name) ? [event] : []));
  let left = asked.length;
  if (left === 0) return done();
  for (const { key, identity } of asked) {
    node.call({ verb: 'outcome', identity }, (result) => {
      if (result.kind === 'outcome')
        stage.recorder.add({ kind: 'outcome', node: node.name, key, identity, outcome: result.outcome });
      left -= 1;
      if (left === 0) done();
    });
  }
}

function isExpressAt(event: YardEvent, node: string): event is YardEvent & { readonly kind: 'accepted' } {
  return event.kind === 'accepted' && event.node === node && event.durability === 'volatile';
}

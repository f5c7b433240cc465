/**
 * What some programs of a plan do besides sending and reading, each habit drawn from a stream of its own, so that what a seed meant
 * before, it means still: a world without habits is the world as it was.
 *
 *   transactions   a message is ended together with sending one or two others
 *   patience       a queue gives up what was delivered too often; some messages are never liked
 *   keeping        queues keep copies of what is received, or have a dead letter queue of their own
 *   wishes         some senders want a copy, or no dead letter
 *   express        some send to a queue of their own node what lies in memory only
 *   operator       queues are paused, and resumed, or not; dead letters are sent again
 */
import type { Prng } from '../random.ts';
import { PLACE, UNWANTED } from './letters.ts';
import type { PlannedChore, PlannedNode, PlannedReader, PlannedSend, PlannedWorld } from './plan.ts';

/** Where transactions send to, at the node of their reader. */
export const BILLS = 'bills';

/** The same world, in which some readers end messages by transactions, whose results others read. */
export function withTransactions(world: PlannedWorld, random: Prng): PlannedWorld {
  if (!random.chance(0.5)) return world;
  const busy = new Map<string, number>();
  const nodes = world.nodes.map((node): PlannedNode => {
    if (node.queues.length === 0 || !random.chance(0.8)) return node;
    busy.set(node.name, random.pick([0.3, 0.7, 1]));
    return { ...node, queues: [...node.queues, { name: BILLS, bytesLimit: random.pick([40_000, 40_000, 2_000]) }] };
  });
  const readers = world.readers.map((reader): PlannedReader => {
    const share = busy.get(reader.node);
    return share === undefined ? reader : { ...reader, commit: { share, to: BILLS } };
  });
  // Behind the others: each has its chance by its place.
  for (const node of busy.keys()) {
    readers.push({
      node,
      queue: BILLS,
      leaseMs: random.pick([1_000, 5_000]),
      workMsMax: random.pick([0, 5, 100]),
      crash: random.pick([0, 0.02]),
      giveBack: random.pick([0, 0.05]),
      giveUp: 0,
    });
  }
  return { ...world, nodes, readers };
}

/** The same world, in which some queues have an end of their patience, and some readers do not like some messages. */
export function withPatience(world: PlannedWorld, random: Prng): PlannedWorld {
  if (!random.chance(0.5)) return world;
  const dislike = random.pick([0, 0.03, 0.1]);
  const nodes = world.nodes.map((node): PlannedNode => {
    const queues = node.queues.map((queue) => {
      if (!random.chance(0.7)) return queue;
      return { ...queue, deliveriesMax: random.pick([2, 3, 4]), retryMs: random.pick([0, 20, 500, 3_000]) };
    });
    return { ...node, queues };
  });
  return { ...world, nodes, readers: world.readers.map((reader) => ({ ...reader, dislike })) };
}

/** The same world, in which some queues keep copies of what is received, and some have a dead letter queue of their own. */
export function withKeeping(world: PlannedWorld, random: Prng): PlannedWorld {
  if (!random.chance(0.5)) return world;
  const [journalled, own] = [random.pick([0, 0.3, 0.7]), random.pick([0, 0.5])];
  const nodes = world.nodes.map((node): PlannedNode => {
    const queues = node.queues.map((queue) => ({
      ...queue,
      ...(random.chance(journalled) && { journal: 'on' as const }),
      ...(random.chance(own) && { deadLetterQueue: UNWANTED }),
    }));
    if (!queues.some(({ deadLetterQueue }) => deadLetterQueue === UNWANTED)) return node;
    const whenFull = random.pick<'reject' | 'drop-oldest'>(['reject', 'drop-oldest']);
    return { ...node, queues: [...queues, { name: UNWANTED, bytesLimit: random.pick([1_500, 8_000]), whenFull }] };
  });
  return { ...world, nodes };
}

/** The same messages, some of which are to leave a copy, or no dead letter. */
export function withWishes(sends: readonly PlannedSend[], random: Prng): PlannedSend[] {
  const [copied, unlettered] = random.pick<readonly [number, number]>([
    [0, 0],
    [0.1, 0],
    [0, 0.2],
    [0.05, 0.1],
  ]);
  return sends.map((send) => ({
    ...send,
    ...(random.chance(copied) && { journal: 'on' as const }),
    ...(random.chance(unlettered) && { deadLetter: 'off' as const }),
  }));
}

const EXPRESS_COUNT_MAX = 16;
/** Numbers of express messages: above those of a plan, below those of clones. */
const EXPRESS_NUMBER_MIN = 5_000;

/** The same messages, and some that lie in the memory of their node only. */
export function withExpress(sends: readonly PlannedSend[], world: PlannedWorld, random: Prng): PlannedSend[] {
  const places = world.readers.filter(({ queue }) => queue !== BILLS && !queue.startsWith(PLACE));
  if (!random.chance(0.4) || places.length === 0) return [...sends];
  const endMs = sends.at(-1)?.atMs ?? 0;
  const express = Array.from({ length: 4 + random.int(EXPRESS_COUNT_MAX - 3) }, (_, at): PlannedSend => {
    const { node, queue } = random.pick(places as [PlannedReader, ...PlannedReader[]]);
    return {
      key: `${node}:${EXPRESS_NUMBER_MIN + at}`,
      atMs: random.int(endMs + 1),
      node,
      destination: queue,
      // Mostly none that others have: what is lost of these explains no loss of those.
      priority: random.pick([1, 2, 6, 3]),
      bytes: 20 + random.int(180),
      delivery: 'express',
      ...(random.chance(0.1) && { timeToBeReceivedMs: random.pick([500, 5_000]) }),
      // So that some still lie there when something happens to their node.
      ...(random.chance(0.3) && { deliverAfterMs: random.pick([300, 3_000, 20_000]) }),
      ...(random.chance(0.1) && { deadLetter: 'off' as const }),
      ...(random.chance(0.2) && { acknowledge: 'receive' as const }),
    };
  });
  return [...sends, ...express].sort((a, b) => a.atMs - b.atMs);
}

/** What whoever runs the nodes does: pauses queues and resumes them, sends dead letters again. */
export function drawChores(world: PlannedWorld, random: Prng, endMs: number): PlannedChore[] {
  const chores: PlannedChore[] = [];
  if (random.chance(0.4)) {
    const places = world.nodes.flatMap(({ name, queues }) => queues.map((queue) => ({ node: name, queue: queue.name })));
    const paused = places.filter(({ queue }) => queue !== UNWANTED && random.chance(0.4));
    for (const place of paused) {
      const isSmall = place.queue === 'alarms' || place.queue === 'local';
      const forMs = isSmall && random.chance(0.25) ? 'for-good' : 200 + random.int(Math.max(1_000, endMs / 2));
      chores.push({ do: 'pause', ...place, atMs: random.int(endMs + 1), forMs });
    }
  }
  if (random.chance(0.4)) {
    const nodes = world.nodes.filter(({ queues }) => queues.length > 0);
    for (const { name } of nodes) {
      const count = 1 + random.int(5);
      for (let i = 0; i < count; i++) chores.push({ do: 'redrive', node: name, atMs: Math.floor(endMs * (0.2 + random.next())) });
    }
  }
  return chores.sort((a, b) => a.atMs - b.atMs);
}

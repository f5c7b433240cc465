/**
 * A yard without any product in it, for the tests of the machinery around yards: it answers at once, and breaks promises by plan.
 *
 *   S1  a `lost write` at a node, and a send of more than 100 bytes from there while it lasts
 *   S2  a body of 404 bytes: no fault is needed
 *   a seed whose name begins with `moody` ends differently each time; `crash`: it throws; `exit`: the process ends
 */

import { stream } from '../random.ts';
import type { CoveredRun } from './coverage.ts';
import type { Plan, PlannedFault, PlannedNode, PlannedSend } from './plan.ts';

export const FAULT_NAMES: readonly string[] = ['power cut', 'lost write', 'noise'];
export const MARKS: readonly string[] = ['nothing happened', 'cut twice'];
export const SEEDS_THAT_FAILED: readonly { readonly seed: string }[] = [];

const NODES = ['central', 'gateway-1', 'device-1', 'device-2'];
const SPAN_MS = 10_000;

let moods = 0;

/** Seeds that begin with `bad` have S1 in them, with `odd` S2, among much that has nothing to do with it. */
export function drawPlan(seed: string): Plan {
  const random = stream(seed, 'toy');
  const sends = Array.from({ length: 60 }, (_, at) => toySend(`device-${1 + (at % 2)}`, at * 100, 20 + random.int(70)));
  const faults: PlannedFault[] = Array.from({ length: 20 }, () => ({
    atMs: random.int(SPAN_MS),
    fault: random.pick(['power cut', 'noise', 'lost write']),
    target: `device-${1 + random.int(2)}`,
    forMs: 200 + random.int(2_000),
  }));
  if (seed.startsWith('bad')) {
    sends.push(toySend('device-2', 5_010, 300));
    faults.push({ atMs: 5_000, fault: 'lost write', target: 'device-2', forMs: 500 });
  }
  if (seed.startsWith('odd')) sends.push(toySend('device-1', 5_000, 404));
  return toyPlan(seed, sends, faults);
}

export function toyPlan(seed: string, sends: readonly PlannedSend[], faults: readonly PlannedFault[]): Plan {
  const readers = [{ node: 'central', queue: 'bags', leaseMs: 5_000, workMsMax: 5, crash: 0.1, giveBack: 0, giveUp: 0.02 }];
  return { seed, world: { nodes: NODES.map(toyNode), readers, broker: 'sim', cutEvery: 5, dead: [] }, sends, faults };
}

export function toySend(node: string, atMs: number, bytes: number): PlannedSend {
  return { key: `${node}:${atMs}`, atMs, node, destination: 'central/bags', priority: 5, bytes, timeToBeReceivedMs: 5_000 };
}

/** What a toy broke, without running it. */
export function toyViolations({ sends, faults }: Plan): { check: string; text: string }[] {
  const lost = sends.find((send) => send.bytes > 100 && faults.some((fault) => isLostIn(send, fault)));
  const odd = sends.find(({ bytes }) => bytes === 404);
  return [
    ...(lost === undefined ? [] : [{ check: 'S1', text: `what ${lost.node} sent at ${lost.atMs} ms is gone` }]),
    ...(odd === undefined ? [] : [{ check: 'S2', text: 'a body of 404 bytes' }]),
  ];
}

interface ToyRun extends CoveredRun {
  readonly trace: number;
}

export async function runPlan(plan: Plan): Promise<ToyRun> {
  const { seed, sends, faults } = plan;
  if (seed.startsWith('crash')) throw new Error('the toy is broken');
  if (seed.startsWith('exit')) process.exit(3);
  await new Promise((resolve) => setImmediate(resolve));
  const struck: Record<string, number> = {};
  for (const { fault } of faults) struck[fault] = (struck[fault] ?? 0) + 1;
  moods += seed.startsWith('moody') ? 1 : 0;
  const cuts = struck['power cut'] ?? 0;
  const violations = toyViolations(plan);
  return {
    history: { events: sends.map(({ atMs, node }) => ({ atMs, kind: 'accepted' as const, node })) },
    violations,
    looked: new Map([
      ['S1', sends.length],
      ['S10', 0],
    ]),
    trace: sends.length * 1_000 + faults.length + moods,
    virtualMs: SPAN_MS,
    delivered: sends.length,
    vacuous: seed.startsWith('empty'),
    marks: new Set(cuts > 1 ? ['cut twice'] : []),
    faults: struck,
    pairs: cuts > 1 ? ['power cut × noise', 'noise × cut twice'] : [],
  };
}

function isLostIn(send: PlannedSend, { fault, target, atMs, forMs }: PlannedFault): boolean {
  return fault === 'lost write' && target === send.node && send.atMs >= atMs && send.atMs < atMs + forMs;
}

function toyNode(name: string): PlannedNode {
  const isCentral = name === 'central';
  return {
    name,
    uplink: isCentral ? 'none' : name === 'gateway-1' ? 'mqtt' : 'link',
    dials: name.startsWith('device') ? 'gateway-1' : undefined,
    central: 'central',
    isCentral: isCentral ? 'yes' : 'no',
    queues: isCentral ? [{ name: 'bags', bytesLimit: 40_000 }] : [],
    baud: 9_600,
    lineDelayMs: 16,
    blockBytes: 512,
    blockCount: 384,
    syncMsMax: 8,
    commitDelayMs: 20,
    driftPpm: 200,
  };
}

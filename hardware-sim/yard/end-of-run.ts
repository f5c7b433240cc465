/** How things are when all is over: what each node says of itself, what lies on its platter, and what its dead letters tell. */
import type { SimNode } from '../sim-node.ts';
import type { Stage } from './applications.ts';
import { keyIn } from './letters.ts';

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
    let isDone = false;
    readLetters(stage, node, keys, () => {
      isDone = true;
    });
    await world.run(world.nowMs + 60_000, () => isDone);
  }
  // A letter that could not be read ended, and that is on the disk by then.
  await world.run(world.nowMs + 1_000);
  const end = nodes.flatMap((node) => {
    const stats = node.stats();
    if (stats === undefined) return [];
    const live = [...oracle.keys(node.name)].filter((key) => dead.get(node)?.has(key) !== true);
    return [{ node: node.name, stats, live, ringBytes: node.disk.bytes, unsentBytesMax: unsentMax.get(node.name) ?? 0 }];
  });
  recorder.add({ kind: 'end', nodes: end });
}

/** One after the other, leased and never acknowledged: they stay where they are. */
function readLetters(stage: Stage, node: SimNode, keys: Set<string>, done: () => void, count = 0): void {
  const { recorder } = stage;
  node.call({ verb: 'receive', queue: '$dead', waitMs: 0, leaseMs: LEASE_MS }, (result) => {
    if (result.kind !== 'received' || count >= LETTER_COUNT_MAX) return done();
    const { message } = result.received;
    const key = keyIn(message.body);
    const history = message.history ?? [];
    const reason = history.at(-1)?.reason ?? '';
    if (key !== undefined) keys.add(key);
    const classes = history.map((one) => one.class);
    recorder.add({ kind: 'dead-letter', node: node.name, key, previous: message.previous, classes, reason });
    if (classes.some((one) => one === 'Q_EXCEED_QUOTA')) recorder.mark('dead-lettered by custody');
    readLetters(stage, node, keys, done, count + 1);
  });
}

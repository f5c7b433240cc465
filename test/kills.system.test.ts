/** The whole path as real processes, broken again and again: every kind of outage many times, at moments drawn from a seed. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Hall } from '../hardware-sim/hall/hall.ts';
import { serialLinesAvailable } from '../hardware-sim/hall/hall-lines.ts';
import type { HallShape } from '../hardware-sim/hall/hall-nodes.ts';
import { COMPACT_HALL_TARGETS, FULL_HALL_TARGETS, type OutageTarget } from '../hardware-sim/hall/hall-outages.ts';
import type { NodeView } from '../hardware-sim/hall/hall-view.ts';
import { writeProblems } from '../hardware-sim/hall/hall-writes.ts';
import { CLI, temporaryFolder } from './child.ts';

/** Of each kind, 10 seconds apart. The compact hall has fewer parts, and its own kind of node. */
const HALLS: readonly { shape: HallShape; rounds: number; kinds: readonly OutageTarget[] }[] = [
  { shape: 'full', rounds: 20, kinds: FULL_HALL_TARGETS },
  { shape: 'compact', rounds: 6, kinds: COMPACT_HALL_TARGETS },
];
const ROUND_MS = 10_000;
/** Opening the hall, draining it and closing it, beside its rounds. */
const BESIDE_MS = 220_000;
/** Telegrams that a hall takes per round at least, broken as it is. */
const ROUND_ACCEPTED_MIN = 25;

const noSerial = await serialLinesAvailable();

for (const { shape, rounds, kinds } of HALLS) {
  const name = `${shape} hall, ${rounds} kills each of ${kinds.join(', ')}: nothing accepted is lost, nothing arrives twice`;
  test(name, { timeout: 20 * ROUND_MS + BESIDE_MS }, async (context) => {
    context.skip(noSerial !== undefined, noSerial);
    const folder = temporaryFolder(`kills-${shape}`);
    const directory = join(folder.path, 'hall');
    mkdirSync(directory);
    const events: string[] = [];
    const hall = await Hall.open(
      {
        shape,
        directory,
        commandLine: CLI,
        telegrams: { kind: 'generated', seed: 'kills' },
        seed: 'kills',
        broker: { kind: 'own' },
        bitErrorRate: 0,
        lines: 'pty',
        volatile: 'allow',
        onEvent: (text) => events.push(text),
      },
      new AbortController().signal,
    );
    let isDrained = false;
    let nodes: readonly NodeView[] = [];
    try {
      hall.start({ withinMs: rounds * ROUND_MS, rounds });
      await new Promise((resolve) => setTimeout(resolve, rounds * ROUND_MS));
      isDrained = await hall.drain();
      nodes = hall.view().nodes;
    } finally {
      await hall.close();
    }
    const ledger = hall.ledger();
    expect({ isDrained, troubles: hall.troubles }, events.join('\n')).toEqual({ isDrained: true, troubles: [] });
    const { accepted, received, deadLettered, expired } = ledger;
    expect(ledger).toMatchObject({ lost: 0, duplicates: 0, outOfOrder: 0, outages: rounds * kinds.length });
    expect(received + deadLettered + expired).toBe(accepted);
    expect(accepted).toBeGreaterThan(rounds * ROUND_ACCEPTED_MIN);
    if (shape === 'compact') expect(writeProblems(nodes, ledger)).toEqual([]);
    folder.remove();
  });
}

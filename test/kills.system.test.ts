/** The whole path as real processes, broken a hundred times: every kind of outage twenty times, at moments drawn from a seed. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Hall } from '../hardware-sim/hall/hall.ts';
import { serialLinesAvailable } from '../hardware-sim/hall/hall-lines.ts';
import { CLI, temporaryFolder } from './child.ts';

const ROUNDS = 20;
const ROUND_MS = 10_000;
const KINDS = ['broker', 'gateway', 'device', 'central', 'cable'];

const noSerial = await serialLinesAvailable();

test(`${ROUNDS} kills each of ${KINDS.join(', ')}: nothing accepted is lost, nothing arrives twice`, {
  timeout: 420_000,
}, async (context) => {
  context.skip(noSerial !== undefined, noSerial);
  const folder = temporaryFolder('kills');
  const directory = join(folder.path, 'hall');
  mkdirSync(directory);
  const events: string[] = [];
  const hall = await Hall.open(
    {
      shape: 'full',
      directory,
      commandLine: CLI,
      telegrams: { kind: 'generated', seed: 'kills' },
      seed: 'kills',
      broker: { kind: 'own' },
      lines: 'pty',
      volatile: 'allow',
      onEvent: (text) => events.push(text),
    },
    new AbortController().signal,
  );
  let isDrained = false;
  try {
    hall.start({ withinMs: ROUNDS * ROUND_MS, rounds: ROUNDS });
    await new Promise((resolve) => setTimeout(resolve, ROUNDS * ROUND_MS));
    isDrained = await hall.drain();
  } finally {
    await hall.close();
  }
  const ledger = hall.ledger();
  expect({ isDrained, troubles: hall.troubles }, events.join('\n')).toEqual({ isDrained: true, troubles: [] });
  const { accepted, received, deadLettered, expired } = ledger;
  expect(ledger).toMatchObject({ lost: 0, duplicates: 0, outOfOrder: 0, outages: ROUNDS * KINDS.length });
  expect(received + deadLettered + expired).toBe(accepted);
  expect(accepted).toBeGreaterThan(500);
  folder.remove();
});

/** The examples that are several processes, or open a port: each is run as a reader would, and prints what docs/examples.md shows. */
import { expect, test } from 'vitest';
import { ptysAvailable } from '../hardware-sim/pty.ts';
import { outputOf, shownUnder } from './example-output.ts';

const missing = await ptysAvailable();

test('financial transfers: killed again and again, and the books balance', async () => {
  expect(await outputOf('financial-transfers.mjs')).toMatch(shownUnder('Financial transfers'));
});

test('workflow agents: one system is upgraded while the others run', async () => {
  expect(await outputOf('workflow-agents.mjs')).toMatch(shownUnder('Workflow agents'));
});

test.skipIf(missing !== undefined)(
  `baggage sorter: priorities, timers and a command${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  async () => {
    expect(await outputOf('baggage-sorter.mjs')).toMatch(shownUnder('Baggage sorter'));
  },
);

import { expect, test } from 'vitest';
import { QueueBox } from '../../hardware-sim/queue-box.ts';
import { POSITION_COUNT_MAX } from '../limits.ts';
import type { TransactionStep } from './calls.ts';

test('no transaction brings more places than may be remembered', async () => {
  const box = new QueueBox('positions', {});
  await box.start();
  const steps = (from: number, to: number): TransactionStep[] =>
    Array.from({ length: to - from }, (_, i) => ({ do: 'position', name: `p${from + i}`, value: Uint8Array.of(1) }));
  expect(await box.commit(steps(0, 1000))).toBe('committed');
  expect(await box.commit(steps(1000, POSITION_COUNT_MAX + 1))).toBe('BUSY');
  expect(await box.commit(steps(990, POSITION_COUNT_MAX))).toBe('committed');
  expect(await box.commit(steps(POSITION_COUNT_MAX, POSITION_COUNT_MAX + 1))).toBe('BUSY');
});

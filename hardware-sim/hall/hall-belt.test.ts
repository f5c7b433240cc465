import { expect, test, vi } from 'vitest';
import { encodeAck, TelegramAssembler } from '../../device/adapters/stx-etx.ts';
import type { Line } from '../../shared/ports.ts';
import { linePair } from '../line-pair.ts';
import { HallBelt, keysOf } from './hall-belt.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** A node that answers everything; what it was told. */
function answering(line: Line): string[] {
  const told: string[] = [];
  const assembler = new TelegramAssembler();
  line.listen({
    onBytes: (chunk) => {
      for (const event of assembler.push(chunk)) {
        if (event.kind !== 'telegram') continue;
        told.push(Buffer.from(event.bytes).toString());
        line.write(encodeAck(event.sequence));
      }
    },
    onClosed: () => undefined,
  });
  return told;
}

test('given telegrams are shared among the belts, each told once, then the belt is done', async () => {
  const telegrams = { kind: 'given', telegrams: ['a', 'b', 'c', 'd', 'e'].map(bytes) } as const;
  const belts = [0, 1, 2, 3].map((index) => new HallBelt(index, 4, telegrams));
  const told = belts.map((belt) => {
    const [near, far] = linePair();
    belt.onLine(near);
    return answering(far);
  });
  expect(belts.map((belt) => belt.isDone)).toEqual([false, false, false, false]);
  for (const belt of belts) belt.start();
  await vi.waitFor(() => expect(belts.every((belt) => belt.isDone)).toBe(true), 5000);
  expect(told).toEqual([['a', 'e'], ['b'], ['c'], ['d']]);
  expect(belts[0]?.controller.accepted.map(({ telegram }) => Buffer.from(telegram).toString())).toEqual(['a', 'e']);
  for (const belt of belts) belt.close();
});

test('says nothing before it starts, and uses the newest line: the one before is closed', async () => {
  const belt = new HallBelt(0, 1, { kind: 'generated', seed: 1 });
  const [old, oldFar] = linePair();
  const heard: string[] = [];
  oldFar.listen({ onBytes: () => heard.push('bytes'), onClosed: () => heard.push('closed') });
  belt.onLine(old);
  const [near, far] = linePair();
  belt.onLine(near);
  const told = answering(far);
  belt.start();
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(1), 5000);
  await belt.stop();
  expect(heard).toEqual(['closed']);
  expect(belt.isDone).toBe(false);
  expect(belt.controller.accepted).toHaveLength(told.length);
  const keyOf = keysOf({ kind: 'generated', seed: 1 });
  expect(new Set(told.map((text) => keyOf(bytes(text)))).size).toBe(told.length);
  belt.close();
});

test('the same seed tells the same telegrams, another belt others', async () => {
  const first = async (index: number): Promise<string> => {
    const belt = new HallBelt(index, 4, { kind: 'generated', seed: 9 });
    const [near, far] = linePair();
    const told = answering(far);
    belt.onLine(near);
    belt.start();
    await vi.waitFor(() => expect(told).not.toEqual([]), 5000);
    belt.close();
    return told[0] ?? '';
  };
  expect(await first(0)).toBe(await first(0));
  expect(await first(0)).not.toBe(await first(1));
});

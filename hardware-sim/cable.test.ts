import { expect, test, vi } from 'vitest';
import type { Line, LineListener } from '../shared/ports.ts';
import { Cable, END_HELD_BYTES_MAX, PAUSE_BYTES } from './cable.ts';
import { linePair } from './line-pair.ts';
import { stream } from './random.ts';

function recorder() {
  const seen = { bytes: [] as number[], closed: [] as string[] };
  return {
    seen,
    onBytes: (bytes: Uint8Array) => void seen.bytes.push(...bytes),
    onClosed: (reason: string) => void seen.closed.push(reason),
  };
}

function joined(baud: number | undefined) {
  const [a, cableA] = linePair();
  const [b, cableB] = linePair();
  const cable = new Cable(cableA, cableB, { baud, random: stream(1, 'cable') });
  const heard = { a: recorder(), b: recorder() };
  a.listen(heard.a);
  b.listen(heard.b);
  return { a, b, cable, heard };
}

const some = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);

test('relays both ways at the pace of the line', async () => {
  const { a, b, heard } = joined(115_200);
  const startMs = performance.now();
  a.write(some(250));
  b.write(some(100));
  await vi.waitFor(() => expect(heard.b.seen.bytes).toEqual([...some(250)]));
  expect(performance.now() - startMs).toBeGreaterThan((250 * 10_000) / 115_200 - 1);
  expect(heard.a.seen.bytes).toEqual([...some(100)]);
});

test('a cut tells nobody and loses what is under way', async () => {
  const { a, b, cable, heard } = joined(undefined);
  cable.cut();
  a.write(some(3));
  b.write(some(4));
  await vi.waitFor(() => expect(cable.aToB.counters.lostInCut + cable.bToA.counters.lostInCut).toBe(7));
  cable.restore();
  a.write(some(5));
  await vi.waitFor(() => expect(heard.b.seen).toEqual({ bytes: [...some(5)], closed: [] }));
  expect(heard.a.seen.closed).toEqual([]);
});

test('faults are changed while it runs, one direction at a time', async () => {
  const { a, b, cable, heard } = joined(undefined);
  cable.aToB.faults.dropRate = 1;
  a.write(some(9));
  b.write(some(9));
  await vi.waitFor(() => expect(heard.a.seen.bytes).toEqual([...some(9)]));
  expect(heard.b.seen.bytes).toEqual([]);
  expect(cable.aToB.counters.dropped).toBe(9);
});

test('one end closed closes the other', async () => {
  const { a, heard } = joined(115_200);
  a.close();
  await vi.waitFor(() => expect(heard.b.seen.closed).toHaveLength(1));
});

/** An end that shows what is done to it. */
class FakeEnd implements Line {
  listener: LineListener | undefined;
  written = 0;
  heldBytes = 0;
  readonly calls: string[] = [];
  write(bytes: Uint8Array): number {
    this.written += bytes.length;
    return this.heldBytes;
  }
  close(): void {
    this.calls.push('close');
  }
  listen(listener: LineListener): void {
    this.listener = listener;
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
}

test('pauses a source that is ahead of the line, and lets it go on', async () => {
  const source = new FakeEnd();
  const sink = new FakeEnd();
  new Cable(source, sink, { baud: 1_000_000, random: stream(1, 'cable') });
  source.listener?.onBytes(some(PAUSE_BYTES));
  expect(source.calls).toEqual([]);
  source.listener?.onBytes(some(PAUSE_BYTES));
  expect(source.calls).toEqual(['pause']);
  await vi.waitFor(() => expect(source.calls).toEqual(['pause', 'resume']));
  await vi.waitFor(() => expect(sink.written).toBe(2 * PAUSE_BYTES));
});

test('gives nothing more to an end that holds too much, until that has drained', async () => {
  const source = new FakeEnd();
  const sink = new FakeEnd();
  const cable = new Cable(source, sink, { baud: undefined, random: stream(1, 'cable') });
  sink.heldBytes = END_HELD_BYTES_MAX + 1;
  source.listener?.onBytes(some(1));
  await vi.waitFor(() => expect(sink.written).toBe(1));
  source.listener?.onBytes(some(10));
  await vi.waitFor(() => expect(cable.aToB.counters.overrun).toBe(10));
  sink.heldBytes = 0;
  sink.listener?.onDrained?.();
  source.listener?.onBytes(some(2));
  await vi.waitFor(() => expect(sink.written).toBe(3));
});

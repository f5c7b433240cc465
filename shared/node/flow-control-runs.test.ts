import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { frameForLine } from '../link/cobs.ts';
import { FlowControlRuns, RUN_BYTES_ANYWHERE } from './flow-control-runs.ts';

function runs(...chunks: (readonly number[] | Uint8Array)[]): number {
  const found = new FlowControlRuns();
  for (const chunk of chunks) found.push(Uint8Array.from(chunk));
  return found.count;
}

describe('runs of XON and XOFF', () => {
  test('two behind a delimiter are one, however long it is and however it is cut', () => {
    expect(runs([0x00, 0x11, 0x11, 0x05])).toBe(1);
    expect(runs([0x00], [0x13], [0x11], [0x13, 0x13], [0x05])).toBe(1);
    expect(runs([0x00, 0x11, 0x11, 0x00, 0x13, 0x13])).toBe(2);
  });

  test('one cannot be told from a packet of seventeen bytes; in the middle many may be data', () => {
    expect(runs([0x00, 0x11, 0x05, 0x00, 0x13, 0x80])).toBe(0);
    expect(runs([0x00, 0x05, ...Array(RUN_BYTES_ANYWHERE - 1).fill(0x11), 0x05])).toBe(0);
  });

  test('a stuck one is found without any delimiter, once', () => {
    expect(runs([0x05], ...Array(10).fill(Array(100).fill(0x13)))).toBe(1);
  });

  test('no packet of the link is one: none has such a header, whatever follows', () => {
    const random = stream(1, 'packets');
    const found = new FlowControlRuns();
    const fixed = [0x01, 0x02, 0x05, 0x15, 0x45, 0x55, 0x06, 0x07, 0x17, 0x0a, 0x0b] as const;
    for (let i = 0; i < 20_000; i++) {
      const packet = Uint8Array.from({ length: 5 + random.int(60) }, () => random.int(256));
      packet[0] = random.chance(0.5) ? random.pick(fixed) : 0x80 + random.int(0x80);
      found.push(frameForLine(packet));
    }
    expect(found.count).toBe(0);
  });
});

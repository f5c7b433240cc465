/** For tests of the simulated line: two ends, and what they hear. */
import type { Line } from '../shared/ports.ts';
import { Clock } from './link-world.ts';
import { type Prng, stream } from './random.ts';
import { type SimLinePair, simLines } from './sim-line.ts';

export interface Ear {
  readonly chunks: number[][];
  readonly closed: string[];
  drained: number;
}

function hear(line: Line): Ear {
  const ear: Ear = { chunks: [], closed: [], drained: 0 };
  line.listen({
    onBytes: (bytes) => void ear.chunks.push([...bytes]),
    onClosed: (reason) => void ear.closed.push(reason),
    onDrained: () => {
      ear.drained += 1;
    },
  });
  return ear;
}

export interface Bench {
  readonly clock: Clock;
  readonly pair: SimLinePair;
  readonly random: Prng;
  readonly a: Ear;
  readonly b: Ear;
}

/** A pair with both ends listened to; several share a clock. Without `baud` 115,200 bit/s. */
export function lineBench(more: { clock?: Clock; baud?: number | undefined; delayMs?: number; seed?: number } = {}): Bench {
  const { clock = new Clock(), seed = 1, delayMs = 0 } = more;
  const baud = 'baud' in more ? more.baud : 115_200;
  const random = stream(seed, 'line');
  const pair = simLines({ world: clock, random, baud, delayMs });
  return { clock, pair, random, a: hear(pair.a), b: hear(pair.b) };
}

export const run = ({ clock }: Bench, ms: number): void => clock.run(clock.nowMs + ms);
export const bytesOf = (ear: Ear): number[] => ear.chunks.flat();
export const text = (ear: Ear): string => String.fromCharCode(...bytesOf(ear));

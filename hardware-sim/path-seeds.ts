/** Many seeds of the path, each a draw of its own: how many devices, how fast a line, how much breaks. */
import { type PathOptions, type PathResult, runPath } from './path.ts';
import { stream } from './random.ts';

/** What a seed stands for. */
export function drawPath(seed: number): PathOptions {
  const draw = stream(seed, 'swarm');
  return {
    seed,
    deviceCount: 1 + draw.int(3),
    messageCount: 6 + draw.int(14),
    faultMs: draw.pick([250, 500, 1_000, 2_000]),
    baud: draw.pick([19_200, 115_200, 921_600]),
  };
}

/** Empty when the run kept every promise; otherwise what it broke, with the seed that tells it again. */
export function brokenPromises(seed: number, { ledger, stops }: PathResult): string[] {
  const { accepted, received, lost, duplicates, outOfOrder } = ledger;
  const broken: string[] = [];
  if (lost > 0) broken.push(`${lost} of ${accepted} acknowledged messages are lost`);
  if (duplicates > 0) broken.push(`${duplicates} effects happened twice`);
  if (outOfOrder > 0) broken.push(`${outOfOrder} messages out of order`);
  if (received === 0) broken.push('nothing arrived');
  for (const stop of stops) broken.push(`a store stopped: ${stop}`);
  return broken.map((text) => `seed ${seed}: ${text}`);
}

export async function runSeeds(from: number, count: number): Promise<{ broken: string[]; faults: number; accepted: number }> {
  const broken: string[] = [];
  let faults = 0;
  let accepted = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = await runPath(drawPath(seed));
    broken.push(...brokenPromises(seed, result));
    faults += Object.values(result.faults).reduce((sum, n) => sum + n, 0);
    accepted += result.ledger.accepted;
  }
  return { broken, faults, accepted };
}

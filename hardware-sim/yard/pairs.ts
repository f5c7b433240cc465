/** Which troubles met: faults with faults, and faults with the moments that were marked, within one window of virtual time. */
import type { YardEvent } from './history.ts';

const WINDOW_MS = 1_000;
const HITS_MAX = 400;

/** `a × b`, each once, names in alphabetical order; a mark after the fault. */
export function pairsOf(events: readonly YardEvent[], marks: ReadonlyMap<string, readonly number[]>): string[] {
  const pairs = new Set<string>();
  const faults = events.filter((event) => event.kind === 'fault').slice(0, HITS_MAX);
  for (const [at, a] of faults.entries()) {
    for (const b of faults.slice(at + 1)) {
      const touch = b.atMs <= a.untilMs + WINDOW_MS && a.atMs <= b.untilMs + WINDOW_MS;
      if (touch) pairs.add([a.fault, b.fault].sort().join(' × '));
    }
    for (const [mark, times] of marks) {
      if (times.some((ms) => ms >= a.atMs - WINDOW_MS && ms <= a.untilMs + WINDOW_MS)) pairs.add(`${a.fault} × ${mark}`);
    }
  }
  return [...pairs];
}

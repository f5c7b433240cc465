import type { Stats } from '../../shared/core/calls.ts';
import type { LeftOut } from './history.ts';

/** What a node had no room to write beside the end, or the arrival, of a message since it opened. */
export function leftOut(stats: Stats | undefined): Record<LeftOut, number> {
  const { wordsLeftOut: words = 0, copiesLeftOut: copies = 0, lettersLeftOut: letters = 0 } = stats?.counters ?? {};
  return { words, copies, letters };
}

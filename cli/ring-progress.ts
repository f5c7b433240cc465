/** Says on stderr how far work that takes long is. Work that is over at once says nothing. */
import { formatSize } from '../shared/node/config/sizes.ts';
import type { Running } from '../shared/node/read-ring.ts';
import type { World } from './world.ts';

/** Between two lines, and before the first. */
const PROGRESS_MS = 2_000;

/** For the steps of one tool: ends with the process's own signal. */
export function runningOf(world: World, work: { readonly tool: string; readonly fileBytes: number }): Running {
  let bytes = 0;
  let saidMs = performance.now();
  return {
    signal: world.signal,
    onRead: (count) => {
      bytes += count;
      if (performance.now() - saidMs < PROGRESS_MS) return;
      saidMs = performance.now();
      void world.stderr(`ring ${work.tool}: ${formatSize(bytes)} read, of a file of ${formatSize(work.fileBytes)}\n`);
    },
  };
}

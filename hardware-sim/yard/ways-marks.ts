/** What of several ways a node met, by what it says of itself. For the coverage: nothing is judged by it. */
import type { Stats } from '../../shared/core/calls.ts';
import type { Recorder } from './recorder.ts';

export function markWays(recorder: Recorder, { uplinks, queues, accounts, counters }: Stats): void {
  for (const [at, { kind, use, name }] of uplinks.entries()) {
    if (use !== 'in-use' || at === 0 || name === 'up' || name === 'archive') continue;
    recorder.mark(kind === 'mqtt' && uplinks[0]?.kind === 'mqtt' ? 'second broker on duty' : 'another uplink in use');
  }
  const { turned = 0, elsewhere = 0 } = counters;
  if (turned > 0) recorder.mark('carried');
  if (elsewhere > 0) recorder.mark('passed over as elsewhere');
  if (queues.some(({ held }) => held > 0)) recorder.mark('waited for another way');
  if (accounts.some((account) => account.class === 'MISSING' && account.count > 0)) recorder.mark('given up as missing');
}

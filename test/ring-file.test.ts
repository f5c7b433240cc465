import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stream } from '../hardware-sim/random.ts';
import { SimDisk } from '../hardware-sim/sim-disk.ts';
import { openRingFile } from '../shared/node/ring-file.ts';
import { type RingFileMaker, ringFileContract } from './ring-file.contract.ts';

function simulated(completion: 'at-once' | 'stepped') {
  return async (bytes: number): Promise<RingFileMaker> => {
    const disk = new SimDisk({ bytes, random: stream('contract', completion), completion });
    disk.onPending = () => queueMicrotask(() => disk.step());
    return {
      open: async () => disk.open(),
      faults: { failNextWrite: () => disk.failNextSync(), cutPower: () => disk.powerCut() },
      cleanUp: async () => {},
    };
  };
}

ringFileContract('simulated disk, writes at once', simulated('at-once'), 'provoked');
ringFileContract('simulated disk, writes step by step', simulated('stepped'), 'provoked');
ringFileContract(
  'simulated disk, large sectors that land early',
  async (bytes) => {
    const random = stream('contract', 'large');
    const disk = new SimDisk({ bytes, random, completion: 'stepped', sectorBytes: 4096 });
    disk.onPending = () => {
      disk.writeBack();
      queueMicrotask(() => disk.step());
    };
    return {
      open: async () => disk.open(),
      faults: { failNextWrite: () => disk.failNextSync('old', 'ENOSPC'), cutPower: () => disk.powerCut() },
      cleanUp: async () => {},
    };
  },
  'provoked',
);
ringFileContract('node file', async (bytes) => {
  const folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
  const path = join(folder, 'ring');
  writeFileSync(path, new Uint8Array(bytes));
  return {
    open: () => openRingFile(path, { volatile: 'allow' }),
    cleanUp: () => rm(folder, { recursive: true }),
  };
});

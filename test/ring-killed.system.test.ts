/** A ring in a process of its own, killed again and again: what it called durable is there, in its order, and nothing else is. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { hasCode } from '../shared/errors.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { temporaryFolder } from './child.ts';
import { bundleChild, RingChild } from './real-ring/children.ts';
import { type Contents, type Judgement, judge, NOTHING, readLedger } from './real-ring/ledger.ts';
import { RealRing } from './real-ring/real-ring.ts';

const KILLS = 120;
/** The smallest: a life of a tenth of a second may go round it. */
const RING_BYTES = 388 * 4096;
const LOCK_MS_MAX = 5_000;

let child: RingChild | undefined;
afterEach(async () => {
  await child?.kill();
});

test(`${KILLS} kills of a ring's owner: nothing durable is lost, no batch is torn, the lock is free`, {
  timeout: 170_000,
}, async () => {
  const folder = temporaryFolder('ring-killed');
  const random = stream('ring-killed', 'kills');
  const script = await bundleChild(folder.path);
  const path = join(folder.path, 'ring');
  await createRing(path, { fileBytes: RING_BYTES, fileId: random.bytes(16), volatile: 'allow' });
  let contents: Contents = NOTHING;
  let interrupted = 0;
  let bytesPut = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const life = `kill ${kill}`;
    const ledger = join(folder.path, `ledger-${kill}`);
    child = new RingChild(script, ['write', path, ledger, life, '0']);
    // Mostly while it writes; sometimes while it starts, opens, or not even that.
    const isEarly = random.chance(0.2);
    if (!isEarly) await child.said(/open/);
    await pause(random.int(isEarly ? 120 : 160));
    await child.kill();
    const told = readLedger(ledger);
    const real = await openWhenFree(path);
    const judgement: Judgement = await judge(real, contents, { life, told });
    expect(judgement.problems, `kill ${kill}, ${ledger}`).toEqual([]);
    contents = judgement.contents;
    interrupted += told.batches.some(({ k }) => k > told.durable) ? 1 : 0;
    for (const { puts } of told.batches) for (const { bytes } of puts) bytesPut += bytes;
    if (random.chance(0.5)) await real.close();
    else await real.abandon();
  }
  expect(interrupted, 'kills that met a batch on its way').toBeGreaterThan(KILLS / 4);
  expect(bytesPut / RING_BYTES, 'laps').toBeGreaterThan(5);
  folder.remove();
});

/** The helper that takes the lock holds it for a moment longer than a process that is killed while it opens. */
async function openWhenFree(path: string): Promise<RealRing> {
  for (const deadline = performance.now() + LOCK_MS_MAX; ; ) {
    try {
      return await RealRing.open(path, { epochRandom: 1, volatile: 'allow' });
    } catch (error) {
      if (!hasCode(error, 'RING_LOCKED') || performance.now() > deadline) throw error;
      await pause(5);
    }
  }
}

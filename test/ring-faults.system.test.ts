/** System calls of a ring's owner that fail, one at a time: it stops there, says so, and calls nothing durable that is not. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { temporaryFolder } from './child.ts';
import { bundleChild, RingChild } from './real-ring/children.ts';
import { type Contents, judge, NOTHING, readLedger } from './real-ring/ledger.ts';
import { RealRing } from './real-ring/real-ring.ts';

const RING_BYTES = 388 * 4096;
/** Of the writes of an opening, the first ones, and some of the ring's life: while both ways to sync are tried, and later. */
const WRITES = [1, 2, 3, 4, 5, 6, 7, 8, 40, 41];
/** There are as many of these at least: both ways are tried eight times. */
const SYNCS = [1, 2, 3, 8];
const noStrace = straceMissing();

let folder: ReturnType<typeof temporaryFolder>;
let path = '';
let script = '';
let child: RingChild | undefined;

beforeEach(async () => {
  folder = temporaryFolder('ring-faults');
  path = join(folder.path, 'ring');
  script = await bundleChild(folder.path);
  await createRing(path, { fileBytes: RING_BYTES, fileId: stream('ring-faults', 'id').bytes(16), volatile: 'allow' });
});
afterEach(async () => {
  await child?.kill();
  folder.remove();
});

/** strace counts calls by thread: one thread in the pool, so that there is one count. It traces from beside: the child is the writer. */
function writerWith(fault: string, ledger: string): RingChild {
  const inject = ['strace', '-D', '-f', '-qq', '-o', join(folder.path, 'calls'), '-P', path, '-e', `inject=${fault}`];
  return new RingChild(script, ['write', path, ledger, fault, '0'], ['env', 'UV_THREADPOOL_SIZE=1', ...inject]);
}

const faults = [
  ...WRITES.flatMap((count) => ['EIO', 'ENOSPC', 'EROFS'].map((code) => ({ call: 'pwrite64', code, count }))),
  ...SYNCS.map((count) => ({ call: 'fdatasync', code: 'EIO', count })),
];

test(`${faults.length} calls that fail: the owner stops at each, and what it had called durable is there`, async (context) => {
  context.skip(noStrace !== undefined, noStrace);
  let stopped = 0;
  let contents: Contents = NOTHING;
  for (const { call, code, count } of faults) {
    const fault = `${call}:error=${code}:when=${count}+`; // from then on: now and then strace lets one through
    const ledger = join(folder.path, `ledger-${fault}`);
    child = writerWith(fault, ledger);
    await child.saidOrEnded(/stopped /);
    expect(child.output, fault).toContain(code);
    if (/stopped /.test(child.output)) stopped += 1;
    await child.kill();
    const real = await RealRing.open(path, { epochRandom: 1, volatile: 'allow' });
    const judgement = await judge(real, contents, { life: fault, told: readLedger(ledger) });
    expect(judgement.problems, fault).toEqual([]);
    contents = judgement.contents;
    await real.abandon();
  }
  expect(stopped, 'failures of a ring that served').toBeGreaterThan(faults.length / 2);
});

/** The second of each thread, and every third from there. */
async function interrupted(calls: string): Promise<void> {
  const ledger = join(folder.path, 'ledger');
  const fault = `${calls}:error=EINTR:when=2+3`;
  child = writerWith(fault, ledger);
  await child.said(/open/);
  await pause(1000);
  await child.kill();
  const told = readLedger(ledger);
  expect(told.durable).toBeGreaterThan(20);
  const real = await RealRing.open(path, { epochRandom: 1, volatile: 'allow' });
  expect((await judge(real, NOTHING, { life: fault, told })).problems).toEqual([]);
  await real.close();
}

test('writes and syncs that a signal interrupts are made again', async (context) => {
  context.skip(noStrace !== undefined, noStrace);
  await interrupted('pwrite64,fdatasync');
});

test('reads that a signal interrupts are made again', async (context) => {
  context.skip(noStrace !== undefined, noStrace);
  await interrupted('pread64');
});

/** Why nothing can be made to fail here; undefined when it can. */
function straceMissing(): string | undefined {
  const { status, error } = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=chroot:error=EIO', 'true']);
  if (error !== undefined) return 'no strace on this machine';
  return status === 0 ? undefined : 'strace may not trace here';
}

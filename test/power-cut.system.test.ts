/**
 * Power cuts of a real file system: the writer is stopped, the image below its ext4 is copied, the copy is mounted as after a reboot.
 * What the writer had told before is in the ring there, and nothing that it never began. The same is told under `eatmydata`, where
 * nothing is ever synced: it must be seen to lose, or this would show nothing.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { hasCode } from '../shared/errors.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { MAKE_STEPS, type MakeStep } from '../shared/node/make-ring.ts';
import { resizeRing } from '../shared/node/resize-ring.ts';
import { bundleChild, RingChild } from './real-ring/children.ts';
import { eatmydataMissing, ImageBed, imagesMissing } from './real-ring/ext4-image.ts';
import { type Judgement, judge, NOTHING, readLedger, type Told } from './real-ring/ledger.ts';
import { RealRing } from './real-ring/real-ring.ts';

const CUTS = 20;
const CUTS_UNSYNCED = 3;
/** The smallest, and another one. */
const RING_BYTES = 388 * 4096;
const OTHER_BYTES = 500 * 4096;
const random = stream('power-cut', 'test');
const noImages = imagesMissing();

let bed: ImageBed;
let script: string;
let child: RingChild | undefined;

beforeAll(async () => {
  bed = new ImageBed();
  script = await bundleChild(bed.folder);
});
afterEach(async () => {
  await child?.kill();
});
afterAll(() => bed.remove());

const fresh = (path: string) => createRing(path, { fileBytes: RING_BYTES, fileId: random.bytes(16) });
const open = (path: string) => RealRing.open(path, { epochRandom: random.uint32(), volatile: 'refuse' });

/** The power goes while the child does not run; `look` sees what a reboot would. */
async function afterCut<T>(image: string, look: (folder: string) => Promise<T>): Promise<T> {
  const copy = bed.cut(image);
  const point = bed.mount(copy);
  try {
    return await look(point);
  } finally {
    bed.discard(point, copy);
  }
}

/** Problems with what the ring in `folder` holds; one that cannot even be opened is one. */
async function problemsOf(folder: string, life: string, told: Told): Promise<readonly string[]> {
  const opened = await open(join(folder, 'ring')).catch((error: unknown) => String(error));
  if (typeof opened === 'string') return [opened];
  const first: Judgement = await judge(opened, NOTHING, { life, told });
  await opened.abandon();
  // What one opening shows the next one shows, and the ring goes on.
  const again = await open(join(folder, 'ring'));
  const second = await judge(again, NOTHING, { life, told });
  const { outcome } = await again.append({ metas: [{ key: 'after', value: new Uint8Array(100) }] });
  await again.close();
  const isOther = second.contents.count !== first.contents.count ? ['another opening shows another ring'] : [];
  return [...first.problems, ...second.problems, ...isOther, ...(outcome === 'durable' ? [] : [outcome])];
}

test(`${CUTS} power cuts while a ring is written to: what was called durable is there`, async (context) => {
  context.skip(noImages !== undefined, noImages);
  const image = bed.make();
  const point = bed.mount(image);
  const path = join(point, 'ring');
  const ledger = join(bed.folder, 'ledger');
  await fresh(path);
  child = new RingChild(script, ['write', path, ledger, 'written', '0']);
  await child.said(/open/);
  let interrupted = 0;
  let told = readLedger(ledger);
  for (let cut = 0; cut < CUTS; cut++) {
    await pause(random.int(250));
    await child.stop();
    told = readLedger(ledger);
    if (random.chance(0.3)) bed.writeBack(point);
    const problems = await afterCut(image, (folder) => problemsOf(folder, 'written', told));
    expect(problems, `cut ${cut}`).toEqual([]);
    interrupted += told.batches.some(({ k }) => k > told.durable) ? 1 : 0;
    child.continue();
  }
  expect(interrupted, 'cuts that met a batch on its way').toBeGreaterThan(CUTS / 4);
  expect(told.durable).toBeGreaterThan(10 * CUTS);
  await child.kill();
  bed.discard(point, image);
});

/** What the file system does before each cut. It may write back anything at any moment, and then nobody notices a sync that is missing. */
const HOWS = ['does what it is told', 'writes back all it has'] as const;

/** Steps of making a file after which it must be there, and before which it need not be. */
const IS_THERE: readonly MakeStep[] = ['name-synced'];

test.for(HOWS)(
  'a power cut after each step of making a ring: it is there whole or not at all (the system %s)',
  async (how, context) => {
    context.skip(noImages !== undefined, noImages);
    const image = bed.make();
    const point = bed.mount(image);
    const folder = join(point, 'folder');
    mkdirSync(folder);
    const ledger = join(bed.folder, `ledger-make ${how}`);
    child = new RingChild(script, ['make', join(folder, 'ring'), ledger, String(RING_BYTES)]);
    for (const step of MAKE_STEPS) {
      await stoppedAfter(child, ledger, step);
      if (how === 'writes back all it has') bed.writeBack(point);
      await afterCut(image, async (cutPoint) => {
        const path = join(cutPoint, 'folder', 'ring');
        const isThere = existsSync(path);
        if (IS_THERE.includes(step)) expect(isThere, step).toBe(true);
        if (!isThere) {
          mkdirSync(join(cutPoint, 'folder'), { recursive: true });
          await fresh(path);
        }
        expect(statSync(path).size, step).toBe(RING_BYTES);
        await (await open(path)).close();
        if (isThere) expect(await codeOf(fresh(path)), step).toBe('RING_EXISTS');
      });
      child.continue();
    }
    await child.kill();
    bed.discard(point, image);
  },
);

test.for(HOWS)(
  'a power cut after each step of a resize: all messages are there, in the old file or the new one (the system %s)',
  async (how, context) => {
    context.skip(noImages !== undefined, noImages);
    const image = bed.make();
    const point = bed.mount(image);
    const path = join(point, 'ring');
    const ledger = join(bed.folder, `ledger-written ${how}`);
    await fresh(path);
    child = new RingChild(script, ['write', path, ledger, 'resized', '300']);
    await child.said(/resting/);
    await child.kill();
    const told = readLedger(ledger);
    expect(told.durable).toBe(300);
    const steps = join(bed.folder, `ledger-resize ${how}`);
    child = new RingChild(script, ['resize', path, steps, String(OTHER_BYTES)]);
    for (const step of MAKE_STEPS) {
      await stoppedAfter(child, steps, step);
      if (how === 'writes back all it has') bed.writeBack(point);
      await afterCut(image, async (cutPoint) => {
        const size = statSync(join(cutPoint, 'ring')).size;
        expect(IS_THERE.includes(step) ? [OTHER_BYTES] : [RING_BYTES, OTHER_BYTES], step).toContain(size);
        expect(await problemsOf(cutPoint, 'resized', told), step).toEqual([]);
        const resized = await resizeRing(join(cutPoint, 'ring'), { fileBytes: OTHER_BYTES, fileId: random.bytes(16) });
        expect(resized.bytes).toBe(OTHER_BYTES);
        expect(readdirSync(cutPoint).sort(), step).toEqual(['lost+found', 'ring']);
      });
      child.continue();
    }
    await child.kill();
    bed.discard(point, image);
  },
);

test('without syncs the same cuts lose what was called durable, and the ring that was made', async (context) => {
  context.skip(noImages !== undefined, noImages);
  const noEatmydata = eatmydataMissing();
  context.skip(noEatmydata !== undefined, noEatmydata);
  const image = bed.make();
  const point = bed.mount(image);
  const path = join(point, 'ring');
  const ledger = join(bed.folder, 'ledger-unsynced');
  await fresh(path);
  child = new RingChild(script, ['write', path, ledger, 'unsynced', '0'], ['eatmydata']);
  await child.said(/open/);
  for (let cut = 0; cut < CUTS_UNSYNCED; cut++) {
    await pause(200);
    await child.stop();
    const told = readLedger(ledger);
    expect(told.durable).toBeGreaterThan(0);
    const problems = await afterCut(image, (folder) => problemsOf(folder, 'unsynced', told));
    expect(problems[0], `cut ${cut}`).toMatch(/^batch \d+ was called durable, and \d+ is the last there$/);
    child.continue();
  }
  await child.kill();
  const folder = join(point, 'folder');
  mkdirSync(folder);
  const steps = join(bed.folder, 'ledger-make-unsynced');
  child = new RingChild(script, ['make', join(folder, 'ring'), steps, String(RING_BYTES)], ['eatmydata']);
  for (const step of MAKE_STEPS) {
    await stoppedAfter(child, steps, step);
    const isThere = await afterCut(image, async (cutPoint) => existsSync(join(cutPoint, 'folder', 'ring')));
    expect(isThere, step).toBe(false);
    child.continue();
  }
  await child.kill();
  bed.discard(point, image);
});

/** It stops itself there. */
async function stoppedAfter(maker: RingChild, ledger: string, step: MakeStep): Promise<void> {
  while (readLedger(ledger).notes.at(-1) !== step) {
    expect(maker.isOver, `ended before ${step}`).toBe(false);
    await pause(2);
  }
  await maker.isStopped();
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return hasCode(error, 'RING_EXISTS') ? error.code : String(error);
}

/**
 * Two readers of one format: what the ring shows after it opened a file is what test/golden/read-ring.py, written from
 * docs/ring-file.md alone, reads in the same bytes; before the opening and after it. The files come from lives drawn by seed: wrapped
 * and cleaned, torn by power cuts and failed syncs, and rotted.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { openRing, type RingDriver } from '../hardware-sim/ring-driver.ts';
import { freshHarness, type RingHarness, readBody } from '../hardware-sim/ring-harness.ts';
import { SimDisk } from '../hardware-sim/sim-disk.ts';
import { toHex } from '../shared/bytes.ts';
import { hasCode } from '../shared/errors.ts';
import type { AckReason } from '../shared/ring/entry-layout.ts';
import { geometryFor } from '../shared/ring/geometry.ts';
import type { Batch, NewMessage } from '../shared/ring/ring.ts';

const READER = join(import.meta.dirname, 'golden', 'read-ring.py');
const ENDS = ['closed', 'killed', 'cut in a write', 'failed sync', 'rotted', 'rotted and cut'] as const;
type End = (typeof ENDS)[number];
/** What may be said to a batch that wants room. */
const REFUSALS = ['QUEUE_FULL', 'BUSY', 'TRANSACTION_TOO_LARGE'] as const;
const SEEDS = 48;
const STEPS = 300;
const META_KEYS: readonly [string, ...string[]] = ['cursor', 'ключ', 'q/1', 'q/2', 'long', 'empty', 'k'.repeat(255)];
/** The reader tells a longer body as its SHA-256. */
const HEX_MAX = 64;

interface Shown {
  readonly epoch: number;
  readonly messages: readonly Record<string, unknown>[];
  readonly metas: Record<string, string>;
  /** Null: how much is lost cannot be known. */
  readonly gaps: readonly { readonly frames: number | null; readonly ids: number | null }[];
  readonly tornBlocks: number;
}

interface Opened {
  readonly name: string;
  /** What the medium held before. */
  readonly platter: Uint8Array;
  readonly product: Shown;
}

test('a second reader reads what the ring shows', (context) => {
  const version = spawnSync('python3', ['--version']);
  if (version.status !== 0) return context.skip('python3 is not installed');
  const opened = Array.from({ length: SEEDS }, (_, seed) => live(seed)).flat();
  const folder = mkdtempSync(join(tmpdir(), 'second-reader-'));
  try {
    const platters = opened.map(({ platter }) => platter);
    const read = readAll(folder, platters);
    for (const [i, { name, product }] of opened.entries()) {
      const gaps = product.gaps.map((gap, n) => (read[i]?.gaps[n]?.frames === null ? { frames: null, ids: null } : gap));
      expect(comparable(read[i]), name).toEqual(comparable({ ...product, gaps }));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  // Else this shows little.
  expect(opened.filter(({ product }) => product.tornBlocks > 0).length).toBeGreaterThan(3);
  expect(opened.filter(({ product }) => product.gaps.length > 0).length).toBeGreaterThan(3);
});

test('a second reader refuses what is no ring', (context) => {
  if (spawnSync('python3', ['--version']).status !== 0) return context.skip('python3 is not installed');
  const read = spawnSync('python3', [READER, READER], { encoding: 'utf8' });
  expect(read.status).toBe(1);
  expect(read.stderr).toContain('no whole superblock');
});

/** One process for all of them: starting one takes longer than reading. */
function readAll(folder: string, files: readonly Uint8Array[]): (Shown | undefined)[] {
  const paths = files.map((bytes, i) => {
    const path = join(folder, `${i}.ring`);
    writeFileSync(path, bytes);
    return path;
  });
  const read = spawnSync('python3', [READER, ...paths], { encoding: 'utf8', maxBuffer: 1 << 28 });
  expect(read.stderr).toBe('');
  const lines = read.stdout.trimEnd().split('\n');
  return lines.map((line): Shown => JSON.parse(line));
}

/** Without what an opening itself writes: its epoch, and what it found missing. */
function comparable(shown: Shown | undefined) {
  if (shown === undefined) return undefined;
  const { epoch, messages, metas, tornBlocks, gaps } = shown;
  const { epoch: _, lost: __, ...kept } = metas;
  return { epoch, messages, metas: kept, tornBlocks, gaps };
}

/** Opened twice: as the life left it, and as the first opening left that. */
function live(seed: number): Opened[] {
  const end = ENDS[seed % ENDS.length] ?? 'closed';
  const random = stream(seed, 'second reader');
  const blockBytes = random.pick([512, 512, 1024]);
  const geometry = geometryFor((388 + random.int(100)) * blockBytes, blockBytes);
  const h = freshHarness({ geometry, random: stream(seed, 'disk'), completion: 'stepped' });
  h.settle();
  const load = 0.2 + 0.9 * random.next();
  for (let step = 0; step < STEPS; step++) {
    h.nowMs += random.int(20);
    use(h, random, load);
    if (random.chance(0.9)) h.settle();
    if (random.chance(0.02)) crash(h, random);
  }
  h.settle();
  finish(h, random, end);
  const name = `seed ${seed}: ${end}, ${geometry.blockCount} blocks of ${blockBytes}, ${(h.disk.counters.bytesWritten / h.disk.bytes).toFixed(1)} laps`;
  const first = openCopy(name, h.disk.platter());
  return [first.opened, openCopy(`${name}, opened again`, first.disk.platter()).opened];
}

function openCopy(name: string, platter: Uint8Array): { opened: Opened; disk: SimDisk } {
  const disk = new SimDisk({ bytes: platter.length, random: stream(name, 'copy') }, platter);
  const driver = openRing(disk, { epochRandom: 99 });
  driver.play(0);
  expect(driver.ring.state, `${name}: ${driver.ring.failure?.message}`).toBe('serving');
  return { opened: { name, platter, product: shownBy(driver) }, disk };
}

function use(h: RingHarness, random: Prng, load: number): void {
  const { ring } = h;
  const { index } = ring;
  const ids = [...index.slots()].map((slot) => index.id(slot)).sort((a, b) => a - b);
  const isFull = ring.bytesUsed > load * ring.bytesMax;
  const puts = Array.from({ length: isFull ? random.int(2) : random.int(6) }, () => drawMessage(random));
  if (puts.length > 1 && random.chance(0.3)) share(puts);
  const metas = new Map<string, Uint8Array | undefined>();
  while (random.chance(0.3)) metas.set(random.pick(META_KEYS), drawValue(random));
  // Runs, so that they are said in one entry, and single ones.
  const from = random.chance(0.3) ? random.int(ids.length + 1) : 0;
  // A holder goes with its last place, by itself.
  const acked = ids.slice(from, from + random.int(isFull ? 30 : 5)).filter((id) => !index.isHolder(index.find(id)));
  const reason = random.pick<AckReason>(['acknowledged', 'expired', 'dropped', 'purged', 'handed-over', 'replaced']);
  const states = ids.filter((id) => !acked.includes(id) && random.chance(0.02));
  const batch: Batch = {
    puts,
    acks: acked.map((id) => ({ id, reason })),
    states: states.map((id) => ({
      ...{ id, deliveryCount: random.int(65_536), notBeforeMs: random.int(1_000_000) },
      ...(random.chance(0.5) && { queue: random.pick([0, 1, 7, 8]), moveCount: random.int(65_536) }),
    })),
    metas: [...metas].map(([key, value]) => ({ key, value })),
  };
  try {
    ring.append(batch, { nowMs: h.nowMs, delayMs: 0 }, () => {});
  } catch (error) {
    if (!REFUSALS.some((code) => hasCode(error, code))) throw error;
  }
  h.play();
}

function drawMessage(random: Prng): NewMessage {
  const bytes = random.pick([0, 1, 20, 64, 65, 200, 900, 2500]);
  return {
    queue: random.pick([0, 1, 7, 0xffff_ffff]),
    priority: random.int(8),
    stream: random.uint32(),
    number: random.int(1 << 30),
    epochCounter: random.int(100),
    epochRandom: random.uint32(),
    deliveryCount: random.pick([0, 0, 1, 65_535]),
    expiresAtMs: random.pick([0, 2 ** 40 + random.int(1000)]),
    notBeforeMs: random.pick([0, random.int(1 << 30)]),
    body: random.bytes(bytes),
  };
}

/** The first keeps a body for the others. */
function share(puts: NewMessage[]): void {
  for (const [i, put] of puts.entries()) puts[i] = { ...put, holder: i === 0 ? 'itself' : 'above' };
}

function drawValue(random: Prng): Uint8Array | undefined {
  return random.chance(0.2) ? undefined : random.bytes(random.pick([0, 1, 8, 60, 600]));
}

/** In the middle of whatever is written now, then opened again. */
function crash(h: RingHarness, random: Prng): void {
  use(h, random, 0.9);
  const how = random.pick(['cut', 'cut', 'kill', 'failed sync']);
  if (how === 'cut') h.powerCut();
  if (how === 'kill') h.disk.kill();
  if (how === 'failed sync') failSync(h, random);
  // Openings are cut short too, so that one says again what another said again.
  while (random.chance(0.4)) {
    h.beginReopen();
    h.play();
    if (random.chance(0.5) && h.disk.step()) h.play();
    if (random.chance(0.5)) h.powerCut();
    else failSync(h, random);
  }
  h.beginReopen();
  h.settle();
}

function failSync(h: RingHarness, random: Prng): void {
  if (h.disk.pending.length > 0) {
    h.disk.failNextSync(random.pick(['new', 'old']));
    h.settle();
  }
  h.disk.kill();
}

function finish(h: RingHarness, random: Prng, end: End): void {
  if (end === 'closed') {
    h.ring.close(() => {});
    return h.settle();
  }
  if (end === 'killed') return h.disk.kill();
  if (end !== 'rotted') use(h, random, 2);
  if (end === 'failed sync') failSync(h, random);
  if (end === 'cut in a write' || end === 'rotted and cut') h.powerCut();
  if (end === 'rotted' || end === 'rotted and cut') {
    const { blockBytes, blockCount } = h.ring.geometry;
    for (let n = 2 + random.int(20); n > 0; n--) {
      h.disk.rot((2 + random.int(blockCount)) * blockBytes, blockBytes, random.pick(['zeros', 'garbage', 'one-bit']));
    }
  }
}

function shownBy(driver: RingDriver): Shown {
  const { index, metas, report, epoch } = driver.ring;
  const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
  const messages = slots.map((slot) => ({
    id: index.id(slot),
    queue: index.queue(slot),
    priority: index.priority(slot),
    stream: index.stream(slot),
    number: index.number(slot),
    epochCounter: index.epochCounter(slot),
    epochRandom: index.epochRandom(slot),
    deliveryCount: index.deliveryCount(slot),
    moveCount: index.moveCount(slot),
    storedAt: index.storedAtMs(slot),
    expiresAt: index.expiresAtMs(slot),
    notBefore: index.notBeforeMs(slot),
    damaged: index.isDamaged(slot),
    holder: index.copyOf(slot).holder ?? 0,
    ...toldBody(readBody(driver, index.id(slot), 0)),
  }));
  const values = [...metas.withPrefix('')].map(([key, value]) => [key, toHex(value)]);
  const gaps = report.gaps.map(({ framesLost, idsLost }) => ({ frames: framesLost, ids: idsLost }));
  return { epoch: epoch.counter - 1, messages, metas: Object.fromEntries(values), gaps, tornBlocks: report.tornBlocks };
}

function toldBody(body: Uint8Array | undefined) {
  if (body === undefined) return { bodyHex: null };
  if (body.length <= HEX_MAX) return { bodyHex: toHex(body) };
  return { bodySha256: createHash('sha256').update(body).digest('hex') };
}

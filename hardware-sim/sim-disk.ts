/**
 * A disk that behaves worse than hardware, and files on it behind the RingFile port.
 *
 *   writeDurable ──▶ cache (what reads see) ──completed──▶ platter (what survives a power cut)
 *                      │
 *                      ├─ power cut while pending: every sector of its own (512 or 4096 bytes): old, new, half-written or garbage
 *                      ├─ early writeback: any sectors reach the platter before anybody asked; a power cut finds those new
 *                      ├─ failed write or sync (EIO, ENOSPC, EROFS): any sectors reach the platter, or none of a read-only one; the
 *                      │  cache goes on showing the new bytes as if they were clean, or the old ones
 *                      ├─ lying flush: reported as durable, but only `flush` or luck brings it to the platter
 *                      ├─ lost write: one is reported as durable and never lands; only the cache knows it
 *                      ├─ misdirected write: one lands at another place, and what it should have replaced stays
 *                      └─ latency: exponential about a mean, with rare stalls, for who completes writes in virtual time
 *
 *   read ◀── cache
 *              ├─ latent sector error: reads of a range fail, a number of times or for good
 *              └─ stale read: one gives what stood there before the last write
 *
 * One disk holds one file. After a power cut or a failed write the open file is dead for good; `open` gives a new one, which sees
 * the cache: what a restarted process sees. All chance comes from the generator it is given. What is planned for "the next write"
 * meets the next that completes by itself, not one that a power cut or a kill ends.
 */
import { unreachable } from '../shared/assert.ts';
import { equalBytes } from '../shared/bytes.ts';
import type { Fence } from '../shared/ports.ts';
import {
  type ChooseFate,
  DiskFaults,
  type DiskLatency,
  drawLatencyMs,
  SECTOR_FATES,
  type Sector,
  type SectorBytes,
  type SectorFate,
  sectorsOf,
} from './disk-faults.ts';
import { Pages } from './pages.ts';
import type { Prng } from './random.ts';
import { type FileMedium, SimFile, type SimWrite } from './sim-file.ts';

export type { CacheAfterFailure, ChooseFate, DiskLatency, FailReason, SectorFate } from './disk-faults.ts';
export { SimFile, type SimWrite } from './sim-file.ts';

/** Bytes of a sector unless the options say otherwise. */
export const SECTOR_BYTES = 512;

/** `at-once`: a write is on the platter when it returns. `stepped`: when `step` says so. */
export type Completion = 'at-once' | 'stepped';

export interface SimDiskOptions {
  readonly bytes: number;
  readonly random: Prng;
  readonly completion?: Completion;
  readonly sectorBytes?: SectorBytes;
  readonly latency?: DiskLatency;
}

interface Pending {
  readonly write: SimWrite;
  readonly file: SimFile;
  readonly whenOver: () => void;
  /** What the cache showed. */
  readonly before: Uint8Array;
  /** Offsets of the sectors that are on the platter already. */
  readonly landed: Set<number>;
}

export class SimDisk extends DiskFaults implements FileMedium {
  readonly completion: Completion;
  readonly counters = { writes: 0, bytesWritten: 0, reads: 0, fencesBroken: 0 };
  /** Called with every write that begins. For who counts and asserts. */
  onWrite: ((write: SimWrite) => void) | undefined;
  /** Called when a write begins to wait for `step`. For who moves a virtual clock. */
  onPending: (() => void) | undefined;
  /** How long writes take from now on. Undefined: whoever completes them knows. */
  latency: DiskLatency | undefined;
  #random: Prng;
  readonly #platter: Pages;
  #cache: Pages;
  /** What stood in the cache before the last write of each byte. */
  #earlier: Pages;
  #pending: Pending[] = [];
  #unflushed: Sector[] = [];
  #flushes: 'honest' | 'lying' = 'honest';
  #files: SimFile[] = [];

  /** A disk of zeros, or with a copy of an image, or of what another one has on its platter. */
  constructor(options: SimDiskOptions, from?: Uint8Array | SimDisk) {
    super(options.bytes, options.sectorBytes ?? SECTOR_BYTES);
    this.completion = options.completion ?? 'at-once';
    this.latency = options.latency;
    this.#random = options.random;
    if (from instanceof SimDisk) this.#platter = from.#platter.copy();
    else this.#platter = from === undefined ? new Pages(options.bytes) : Pages.of(from);
    this.#cache = this.#platter.copy();
    this.#earlier = this.#platter.copy();
  }

  /** A new owner of the file. */
  open(): SimFile {
    const file = new SimFile(this);
    this.#files.push(file);
    return file;
  }

  /** Writes that wait for `step`. */
  get pending(): readonly SimWrite[] {
    return this.#pending.map(({ write }) => write);
  }

  /** Completes the oldest write that waits. False when none does. */
  step(): boolean {
    const next = this.#pending.shift();
    if (next === undefined) return false;
    this.#complete(next);
    return true;
  }

  /** The power goes: what was on its way meets its fate, the cache is gone, whoever had the file open has it no more. */
  powerCut(choose: ChooseFate = () => this.#random.pick(SECTOR_FATES)): void {
    for (const one of this.#unflushed) this.#scatter(this.#sectorsOf(one), () => this.#random.pick(['old', 'new']));
    const count = this.pendingSectorCount;
    let position = 0;
    for (const one of this.#pending) this.#scatterRest(one, () => choose(position++, count));
    this.#unflushed = [];
    this.#cache = this.#platter.copy();
    this.#forget('power cut');
  }

  /** The process dies, the machine does not: writes on their way reach the platter whole. */
  kill(): void {
    for (const { write } of this.#pending) this.#land(write.offset, write.bytes);
    this.#forget('killed');
  }

  /** Sectors whose fate is open. */
  get pendingSectorCount(): number {
    return this.#pending.reduce((count, { write, landed }) => count + this.#sectorsOf(write).length - landed.size, 0);
  }

  /** Any sectors of the writes on their way become durable on their own; nobody is told, and the writes go on. */
  writeBack(): void {
    for (const { write, landed } of this.#pending) {
      for (const { offset, bytes } of this.#sectorsOf(write)) {
        if (this.#random.chance(0.5)) continue;
        this.#platter.set(bytes, offset);
        landed.add(offset);
      }
    }
  }

  /** A time for a write to take, in milliseconds; undefined, and nothing drawn, without `latency`. */
  latencyMs(): number | undefined {
    return this.latency && drawLatencyMs(this.latency, this.#random);
  }

  /** From now on writes are called durable that are not. */
  lie(): void {
    this.#flushes = 'lying';
  }

  /** Everything that was ever called durable now is, and flushes are honest again. */
  flush(): void {
    for (const { offset, bytes } of this.#unflushed) this.#platter.set(bytes, offset);
    this.#unflushed = [];
    this.#flushes = 'honest';
  }

  /** Damage that nobody wrote, on the platter and in the cache. */
  rot(offset: number, bytes: number, how: 'zeros' | 'garbage' | 'one-bit'): void {
    if (how === 'zeros') this.poke(offset, new Uint8Array(bytes));
    if (how === 'garbage') this.poke(offset, this.#random.bytes(bytes));
    if (how === 'one-bit') {
      const at = offset + this.#random.int(bytes);
      this.poke(at, new Uint8Array([(this.#cache.slice(at, at + 1)[0] ?? 0) ^ (1 << this.#random.int(8))]));
    }
  }

  /** Puts bytes on platter and cache, past everybody. */
  poke(offset: number, bytes: Uint8Array): void {
    this.#platter.set(bytes, offset);
    this.#cache.set(bytes, offset);
  }

  /** What stands on the platter now, or in a part of it. */
  platter(offset = 0, bytes = this.bytes - offset): Uint8Array {
    return this.#platter.slice(offset, offset + bytes);
  }

  /** A disk of its own in the same state: platter, cache, and writes on their way (which nobody waits for). What is planned is not. */
  clone(random: Prng): SimDisk {
    const { bytes, completion, sectorBytes } = this;
    const copy = new SimDisk({ bytes, random, completion, sectorBytes }, this);
    copy.latency = this.latency;
    copy.#cache = this.#cache.copy();
    copy.#earlier = this.#earlier.copy();
    copy.#unflushed = [...this.#unflushed];
    copy.#flushes = this.#flushes;
    copy.takeMedium(this);
    const file = copy.open();
    copy.#pending = this.#pending.map((one) => {
      return { ...one, write: { ...one.write }, file, whenOver: () => {}, landed: new Set(one.landed) };
    });
    return copy;
  }

  /** For the files of this disk. */
  read(offset: number, into: Uint8Array): void {
    this.checkRange(offset, into.length);
    this.counters.reads += 1;
    const end = offset + into.length;
    if (this.readFails(offset, end)) throw new Error(`EIO: read at ${offset}`);
    this.#cache.read(offset, into);
    const stale = this.takeStale(offset, end);
    if (stale !== undefined) into.set(this.#earlier.slice(stale.offset, stale.end), stale.offset - offset);
  }

  /** For the files of this disk. `whenOver` is called when the state is no longer `pending`, maybe at once. */
  begin(file: SimFile, write: SimWrite, whenOver: () => void): void {
    this.checkRange(write.offset, write.bytes.length);
    this.counters.writes += 1;
    this.counters.bytesWritten += write.bytes.length;
    this.onWrite?.(write);
    const before = this.#cache.slice(write.offset, write.offset + write.bytes.length);
    this.#earlier.set(before, write.offset);
    this.#cache.set(write.bytes, write.offset);
    const next = { write, file, whenOver, before, landed: new Set<number>() };
    if (this.completion === 'at-once') return this.#complete(next);
    this.#pending.push(next);
    this.onPending?.();
  }

  /** True when the fence holds; counts when not. */
  fenceHolds(fence: Fence): boolean {
    const holds = equalBytes(this.#cache.slice(fence.offset, fence.offset + fence.bytes.length), fence.bytes);
    if (!holds) this.counters.fencesBroken += 1;
    return holds;
  }

  #complete(pending: Pending): void {
    const { write, file, whenOver } = pending;
    const fate = this.nextWriteFate();
    write.state = fate.kind === 'fails' ? 'failed' : 'durable';
    if (fate.kind !== 'lands' && fate.cache === 'old') this.#cache.set(pending.before, write.offset);
    switch (fate.kind) {
      case 'lands':
        this.#land(write.offset, write.bytes);
        break;
      case 'fails':
        if (fate.reason !== 'EROFS') this.#scatterRest(pending, () => this.#random.pick(['old', 'new']));
        write.reason = `${fate.reason}: sync`;
        file.fail(write.reason);
        break;
      case 'lost':
        break;
      case 'misdirected': {
        const bytes = write.bytes.subarray(0, this.bytes - fate.offset);
        this.#land(fate.offset, bytes);
        if (fate.cache === 'old') this.#cache.set(bytes, fate.offset);
        break;
      }
      default:
        unreachable(fate);
    }
    whenOver();
  }

  #land(offset: number, bytes: Uint8Array): void {
    if (this.#flushes === 'lying') this.#unflushed.push({ offset, bytes: bytes.slice() });
    else this.#platter.set(bytes, offset);
  }

  /** Every sector of a write on its way meets a fate, but for those that have landed. */
  #scatterRest({ write, landed }: Pending, choose: () => SectorFate): void {
    this.#scatter(this.#sectorsOf(write), ({ offset }) => (landed.has(offset) ? 'new' : choose()));
  }

  #scatter(sectors: readonly Sector[], choose: (sector: Sector) => SectorFate): void {
    for (const sector of sectors) {
      const fate = choose(sector);
      if (fate === 'new') this.#platter.set(sector.bytes, sector.offset);
      if (fate === 'half') this.#platter.set(sector.bytes.subarray(0, sector.bytes.length >> 1), sector.offset);
      if (fate === 'garbage') this.#platter.set(this.#random.bytes(sector.bytes.length), sector.offset);
    }
  }

  #sectorsOf(write: Sector): Sector[] {
    return sectorsOf(write, this.sectorBytes);
  }

  /** Nobody hears of the writes that were on their way: their process is gone. */
  #forget(reason: string): void {
    this.#pending = [];
    for (const file of this.#files) file.fail(reason);
    this.#files = [];
  }
}

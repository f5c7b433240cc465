/**
 * A disk that behaves worse than hardware, and files on it behind the RingFile port.
 *
 *   writeDurable ──▶ cache (what reads see) ──completed──▶ platter (what survives a power cut)
 *                      │
 *                      ├─ power cut while pending: every 512-byte sector of its own: old, new, half-written or garbage
 *                      ├─ failed sync: any sectors reach the platter, the cache goes on showing the new bytes as if they were clean
 *                      └─ lying flush: reported as durable, but only `flush` or luck brings it to the platter
 *
 * One disk holds one file. After a power cut or a failed write the open file is dead for good; `open` gives a new one, which sees
 * the cache: what a restarted process sees. All chance comes from the generator it is given.
 */
import { equalBytes } from '../shared/bytes.ts';
import type { Fence, RingFile } from '../shared/ports.ts';
import type { Prng } from './random.ts';

export const SECTOR_BYTES = 512;

/** What became of a sector that was on its way when the power went. */
export type SectorFate = 'old' | 'new' | 'half' | 'garbage';
const FATES: readonly [SectorFate, ...SectorFate[]] = ['old', 'new', 'half', 'garbage'];
/** Chooses a fate for sector `position` of the `count` that are on their way. */
export type ChooseFate = (position: number, count: number) => SectorFate;

/** `at-once`: a write is on the platter when it returns. `stepped`: when `step` says so. */
export type Completion = 'at-once' | 'stepped';

export interface SimDiskOptions {
  readonly bytes: number;
  readonly random: Prng;
  readonly completion?: Completion;
}

/** A write on its way. `state` says what the port would have said. */
export interface SimWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
  state: 'pending' | 'durable' | 'failed';
  reason: string;
}

/** What reads see after a sync failed: the new bytes (ext4, XFS), or those from before the write (btrfs); the platter may differ from both. */
export type CacheAfterFailure = 'new' | 'old';

interface Pending {
  readonly write: SimWrite;
  readonly file: SimFile;
  readonly whenOver: () => void;
  /** What the cache showed. */
  readonly before: Uint8Array;
}

export class SimDisk {
  readonly bytes: number;
  readonly completion: Completion;
  readonly counters = { writes: 0, bytesWritten: 0, reads: 0, fencesBroken: 0 };
  /** Called with every write that begins. For who counts and asserts. */
  onWrite: ((write: SimWrite) => void) | undefined;
  /** Called when a write begins to wait for `step`. For who moves a virtual clock. */
  onPending: (() => void) | undefined;
  #random: Prng;
  #platter: Uint8Array;
  #cache: Uint8Array;
  #pending: Pending[] = [];
  #unflushed: { offset: number; bytes: Uint8Array }[] = [];
  #flushes: 'honest' | 'lying' = 'honest';
  #nextFailure: CacheAfterFailure | undefined;
  #unreadable: { offset: number; end: number; left: number }[] = [];
  #files: SimFile[] = [];

  /** A disk of zeros, or with a copy of what another platter holds. */
  constructor(options: SimDiskOptions, platter: Uint8Array = new Uint8Array(options.bytes)) {
    this.bytes = options.bytes;
    this.completion = options.completion ?? 'at-once';
    this.#random = options.random;
    this.#platter = platter.slice();
    this.#cache = platter.slice();
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
  powerCut(choose: ChooseFate = () => this.#random.pick(FATES)): void {
    for (const { offset, bytes } of this.#unflushed) this.#scatter(offset, bytes, () => this.#random.pick(['old', 'new']));
    const count = this.pendingSectorCount;
    let position = 0;
    for (const { write } of this.#pending) this.#scatter(write.offset, write.bytes, () => choose(position++, count));
    this.#unflushed = [];
    this.#cache = this.#platter.slice();
    this.#forget('power cut');
  }

  /** The process dies, the machine does not: writes on their way reach the platter whole. */
  kill(): void {
    for (const { write } of this.#pending) this.#land(write.offset, write.bytes);
    this.#forget('killed');
  }

  get pendingSectorCount(): number {
    return this.#pending.reduce((count, { write }) => count + sectorsOf(write.offset, write.bytes).length, 0);
  }

  /** The next write to complete fails: any of its sectors may have reached the platter. */
  failNextSync(cache: CacheAfterFailure = 'new'): void {
    this.#nextFailure = cache;
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
    for (const medium of [this.#platter, this.#cache]) {
      if (how === 'zeros') medium.fill(0, offset, offset + bytes);
    }
    if (how === 'garbage') this.poke(offset, this.#random.bytes(bytes));
    if (how === 'one-bit') {
      const at = offset + this.#random.int(bytes);
      this.poke(at, new Uint8Array([(this.#cache[at] ?? 0) ^ (1 << this.#random.int(8))]));
    }
  }

  /** Puts bytes on platter and cache, past everybody. */
  poke(offset: number, bytes: Uint8Array): void {
    this.#platter.set(bytes, offset);
    this.#cache.set(bytes, offset);
  }

  /** So many reads that touch this range fail, or all of them until `healReads`. */
  failReads(offset: number, bytes: number, times = Number.POSITIVE_INFINITY): void {
    this.#unreadable.push({ offset, end: offset + bytes, left: times });
  }

  healReads(): void {
    this.#unreadable = [];
  }

  /** What stands on the platter now. */
  platter(): Uint8Array {
    return this.#platter.slice();
  }

  /** A disk of its own in the same state: platter, cache, and writes on their way (which nobody waits for). */
  clone(random: Prng): SimDisk {
    const copy = new SimDisk({ bytes: this.bytes, random, completion: this.completion }, this.#platter);
    copy.#cache.set(this.#cache);
    copy.#unflushed = [...this.#unflushed];
    copy.#flushes = this.#flushes;
    copy.#unreadable = this.#unreadable.map((bad) => ({ ...bad }));
    const file = copy.open();
    copy.#pending = this.#pending.map(({ write, before }) => ({ write: { ...write }, file, whenOver: () => {}, before }));
    return copy;
  }

  /** For the files of this disk. */
  read(offset: number, into: Uint8Array): void {
    this.#checkRange(offset, into.length);
    this.counters.reads += 1;
    const end = offset + into.length;
    const bad = this.#unreadable.find((one) => one.offset < end && offset < one.end && one.left > 0);
    if (bad !== undefined) {
      bad.left -= 1;
      throw new Error(`EIO: read at ${offset}`);
    }
    into.set(this.#cache.subarray(offset, end));
  }

  /** For the files of this disk. `whenOver` is called when the state is no longer `pending`, maybe at once. */
  begin(file: SimFile, write: SimWrite, whenOver: () => void): void {
    this.#checkRange(write.offset, write.bytes.length);
    this.counters.writes += 1;
    this.counters.bytesWritten += write.bytes.length;
    this.onWrite?.(write);
    const before = this.#cache.slice(write.offset, write.offset + write.bytes.length);
    this.#cache.set(write.bytes, write.offset);
    const next = { write, file, whenOver, before };
    if (this.completion === 'at-once') return this.#complete(next);
    this.#pending.push(next);
    this.onPending?.();
  }

  /** True when the fence holds; counts when not. */
  fenceHolds(fence: Fence): boolean {
    const holds = equalBytes(this.#cache.subarray(fence.offset, fence.offset + fence.bytes.length), fence.bytes);
    if (!holds) this.counters.fencesBroken += 1;
    return holds;
  }

  #complete({ write, file, whenOver, before }: Pending): void {
    const failure = this.#nextFailure;
    this.#nextFailure = undefined;
    if (failure !== undefined) {
      this.#scatter(write.offset, write.bytes, () => this.#random.pick(['old', 'new']));
      if (failure === 'old') this.#cache.set(before, write.offset);
      file.fail('EIO: sync');
      write.state = 'failed';
      write.reason = 'EIO: sync';
    } else {
      this.#land(write.offset, write.bytes);
      write.state = 'durable';
    }
    whenOver();
  }

  #land(offset: number, bytes: Uint8Array): void {
    if (this.#flushes === 'lying') this.#unflushed.push({ offset, bytes: bytes.slice() });
    else this.#platter.set(bytes, offset);
  }

  #scatter(offset: number, bytes: Uint8Array, choose: () => SectorFate): void {
    for (const sector of sectorsOf(offset, bytes)) {
      const fate = choose();
      if (fate === 'new') this.#platter.set(sector.bytes, sector.offset);
      if (fate === 'half') this.#platter.set(sector.bytes.subarray(0, sector.bytes.length >> 1), sector.offset);
      if (fate === 'garbage') this.#platter.set(this.#random.bytes(sector.bytes.length), sector.offset);
    }
  }

  /** Nobody hears of the writes that were on their way: their process is gone. */
  #forget(reason: string): void {
    this.#pending = [];
    for (const file of this.#files) file.fail(reason);
    this.#files = [];
  }

  #checkRange(offset: number, bytes: number): void {
    if (offset < 0 || offset + bytes > this.bytes) throw new RangeError(`${bytes} bytes at ${offset} leave the file`);
  }
}

/** The file of a disk, as one owner has it open. */
export class SimFile implements RingFile {
  readonly size: number;
  readonly #disk: SimDisk;
  #failure: string | undefined;
  #ending: 'open' | 'closed' = 'open';

  constructor(disk: SimDisk) {
    this.#disk = disk;
    this.size = disk.bytes;
  }

  read(offset: number, into: Uint8Array): void {
    if (this.#ending === 'closed') throw new Error('the file is closed');
    this.#disk.read(offset, into);
  }

  writeDurable(offset: number, bytes: Uint8Array, fence?: Fence): void | Promise<void> {
    let settle = () => {};
    const over = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const write = this.begin(offset, bytes, { fence, whenOver: settle });
    if (write.state === 'durable') return;
    if (write.state === 'failed') throw new Error(write.reason);
    return over.then(() => {
      if (write.state === 'failed') throw new Error(write.reason);
    });
  }

  /** `writeDurable` for who is synchronous: look at `state`. */
  begin(offset: number, bytes: Uint8Array, how: { fence?: Fence | undefined; whenOver?: () => void } = {}): SimWrite {
    const write: SimWrite = { offset, bytes: bytes.slice(), state: 'pending', reason: '' };
    const { fence } = how;
    if (this.#failure === undefined && fence !== undefined && !this.#disk.fenceHolds(fence)) this.fail('the fence does not hold');
    if (this.#ending === 'closed' || this.#failure !== undefined) {
      write.state = 'failed';
      write.reason = this.#failure ?? 'the file is closed';
      return write;
    }
    this.#disk.begin(this, write, how.whenOver ?? (() => {}));
    return write;
  }

  close(): void {
    this.#ending = 'closed';
  }

  /** For the disk: every later write fails. The first reason stands. */
  fail(reason: string): void {
    this.#failure ??= reason;
  }
}

/** The parts of a write that live and die apart. */
function sectorsOf(offset: number, bytes: Uint8Array): { offset: number; bytes: Uint8Array }[] {
  const sectors: { offset: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(SECTOR_BYTES - ((offset + at) % SECTOR_BYTES), bytes.length - at);
    sectors.push({ offset: offset + at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return sectors;
}

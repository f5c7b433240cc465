/**
 * What a simulated disk may do to a write or a read, and when: the plan of a SimDisk, which carries it out (sim-disk.ts).
 *
 *   write completes ──▶ lands            the platter has it
 *                   ├─▶ fails            it says so; of EIO and ENOSPC any sectors arrived, of EROFS none
 *                   ├─▶ lost             it says durable; nothing arrived
 *                   └─▶ misdirected      it says durable; it arrived elsewhere, and its place is as it was
 *   read            ──▶ is served        what the cache shows
 *                   ├─▶ unreadable       EIO, so many times or for good
 *                   └─▶ stale            what stood there before the last write of it, once
 */
import type { Prng } from './random.ts';

export type SectorBytes = 512 | 4096;

/** What became of a sector that was on its way when the power went. */
export type SectorFate = 'old' | 'new' | 'half' | 'garbage';
export const SECTOR_FATES: readonly [SectorFate, ...SectorFate[]] = ['old', 'new', 'half', 'garbage'];
/** Chooses a fate for sector `position` of the `count` that are on their way. */
export type ChooseFate = (position: number, count: number) => SectorFate;

/** Why a write fails: the medium broke, the file system is full, or it has become read-only. */
export type FailReason = 'EIO' | 'ENOSPC' | 'EROFS';

/**
 * What reads see after a write did not arrive where it should: the new bytes (ext4, XFS, any page cache that knows no better), or those
 * from before the write (btrfs, or reads past the cache). The platter may differ from both.
 */
export type CacheAfterFailure = 'new' | 'old';

/** What becomes of a write that completes. */
export type WriteFate =
  | { readonly kind: 'lands' }
  | { readonly kind: 'fails'; readonly reason: FailReason; readonly cache: CacheAfterFailure }
  | { readonly kind: 'lost'; readonly cache: CacheAfterFailure }
  | { readonly kind: 'misdirected'; readonly offset: number; readonly cache: CacheAfterFailure };

/** How long writes take: exponential about a mean, and now and then a card that tidies up first. Milliseconds; `stallChance` 0 to 1. */
export interface DiskLatency {
  readonly meanMs: number;
  readonly stallChance: number;
  readonly stallMs: number;
}

export function drawLatencyMs({ meanMs, stallChance, stallMs }: DiskLatency, random: Prng): number {
  const isStalled = random.chance(stallChance);
  return -Math.log(1 - random.next()) * meanMs + (isStalled ? stallMs : 0);
}

interface Range {
  readonly offset: number;
  readonly end: number;
}

/** The faults that wait for a disk's writes and reads: planned by tests, taken by the disk. */
export class DiskFaults {
  readonly bytes: number;
  readonly sectorBytes: SectorBytes;
  /** Fates of writes, by how many complete before them. */
  #planned: { left: number; readonly fate: WriteFate }[] = [];
  /** Every write fails for this reason while it is set. */
  #standing: FailReason | undefined;
  #unreadable: (Range & { left: number })[] = [];
  #stale: Range[] = [];

  constructor(bytes: number, sectorBytes: SectorBytes) {
    this.bytes = bytes;
    this.sectorBytes = sectorBytes;
  }

  /** The next write to complete fails: any of its sectors may have reached the platter, or none if that is read-only. */
  failNextSync(cache: CacheAfterFailure = 'new', reason: FailReason = 'EIO'): void {
    this.failWriteNumber(1, reason, cache);
  }

  /** The same for the write that completes as number `count` from now; 1 is the next. @throws RangeError for less */
  failWriteNumber(count: number, reason: FailReason = 'EIO', cache: CacheAfterFailure = 'new'): void {
    this.#plan(count, { kind: 'fails', reason, cache });
  }

  /** Every write fails until `healWrites`, and the cache shows what was there: a full file system, or one that became read-only. */
  failWrites(reason: FailReason): void {
    this.#standing = reason;
  }

  healWrites(): void {
    this.#standing = undefined;
  }

  /** The next write is called durable and never lands, but for what `writeBack` had taken along. */
  loseNextWrite(cache: CacheAfterFailure = 'new'): void {
    this.#plan(1, { kind: 'lost', cache });
  }

  /**
   * The next write is called durable and lands at `offset`, a sector's, instead of its own place. What leaves the file there is lost.
   * With the cache `new`, reads see it in its own place, and what it hit as it was, until the power goes; with `old`, the truth.
   * @throws RangeError when no sector of the file begins there
   */
  misdirectNextWrite(offset: number, cache: CacheAfterFailure = 'new'): void {
    this.checkRange(offset, 1);
    if (offset % this.sectorBytes !== 0) throw new RangeError(`no sector begins at ${offset}`);
    this.#plan(1, { kind: 'misdirected', offset, cache });
  }

  /** So many reads that touch this range fail, or all of them until `healReads`, whatever is written there meanwhile. */
  failReads(offset: number, bytes: number, times = Number.POSITIVE_INFINITY): void {
    this.#unreadable.push({ offset, end: offset + bytes, left: times });
  }

  /** The same for the sector that holds byte `offset`. */
  failSector(offset: number, times = Number.POSITIVE_INFINITY): void {
    this.failReads(offset - (offset % this.sectorBytes), this.sectorBytes, times);
  }

  healReads(): void {
    this.#unreadable = [];
  }

  /** The next read that touches this range shows its part of it as it was before the last write there. */
  staleNextRead(offset = 0, bytes = this.bytes): void {
    this.#stale.push({ offset, end: offset + bytes });
  }

  /** For the disk: the fate of the write that completes now. The last plan for it stands. */
  protected nextWriteFate(): WriteFate {
    for (const one of this.#planned) one.left -= 1;
    const due = this.#planned.filter(({ left }) => left === 0).at(-1);
    this.#planned = this.#planned.filter(({ left }) => left > 0);
    if (this.#standing !== undefined) return { kind: 'fails', reason: this.#standing, cache: 'old' };
    return due?.fate ?? { kind: 'lands' };
  }

  /** For the disk: true when a read of this range fails; that is one time less. */
  protected readFails(offset: number, end: number): boolean {
    const bad = this.#unreadable.find((one) => touches(one, offset, end) && one.left > 0);
    if (bad !== undefined) bad.left -= 1;
    return bad !== undefined;
  }

  /** For the disk: the part of this range that is read as it was, this once. */
  protected takeStale(offset: number, end: number): Range | undefined {
    const at = this.#stale.findIndex((one) => touches(one, offset, end));
    const [stale] = at < 0 ? [] : this.#stale.splice(at, 1);
    return stale && { offset: Math.max(offset, stale.offset), end: Math.min(end, stale.end) };
  }

  /** For a clone: what is wrong with the medium, not what is planned for its writes. */
  protected takeMedium(from: DiskFaults): void {
    this.#standing = from.#standing;
    this.#unreadable = from.#unreadable.map((bad) => ({ ...bad }));
    this.#stale = [...from.#stale];
  }

  protected checkRange(offset: number, bytes: number): void {
    if (offset < 0 || offset + bytes > this.bytes) throw new RangeError(`${bytes} bytes at ${offset} leave the file`);
  }

  #plan(count: number, fate: WriteFate): void {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`write number ${count} from now is none`);
    this.#planned.push({ left: count, fate });
  }
}

function touches(range: Range, offset: number, end: number): boolean {
  return range.offset < end && offset < range.end;
}

export interface Sector {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The parts of a write that live and die apart. Of a sector that it covers in part, only that part is its own. */
export function sectorsOf({ offset, bytes }: Sector, sectorBytes: number): Sector[] {
  const sectors: Sector[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(sectorBytes - ((offset + at) % sectorBytes), bytes.length - at);
    sectors.push({ offset: offset + at, bytes: bytes.subarray(at, at + length) });
    at += length;
  }
  return sectors;
}

/**
 * Copy-forward cleaning: what is still live at the tail rides the next frames, so that the tail can pass. Blocks from the tail on
 * are read ahead; a frame takes the live entries of up to `CLEAN_FACTOR` blocks per block it needs itself, and pays no extra sync.
 */
import { type DirectoryEntry, entryBytes, type MetaEntry, type PutEntry } from './entry-layout.ts';
import { decodeFrame, type FrameSeal } from './frame-layout.ts';
import { CLEAN_LOG_BYTES_MIN, CLEAN_LOG_FACTOR, type RingGeometry } from './geometry.ts';
import type { LiveSet } from './live-set.ts';
import { NO_SLOT } from './message-index.ts';

/** Frames to read, in one piece. Their places are noted here: while the read is under way the log may move on. */
export interface Load {
  readonly lsn: number;
  readonly blocks: number;
  readonly frames: readonly { readonly lsn: number; readonly blocks: number }[];
}

interface Victim {
  readonly lsn: number;
  readonly blocks: number;
  readonly entries: readonly DirectoryEntry[];
  /** Entries before this one are copied, or dead. */
  at: number;
  readonly bytes: Uint8Array;
}

const NOTHING_ENDED: ReadonlySet<number | string> = new Set();

export interface Copies {
  readonly entries: DirectoryEntry[];
  readonly bodies: Uint8Array[];
}

export class Cleaner {
  readonly #geometry: RingGeometry;
  readonly #seal: FrameSeal;
  readonly #live: LiveSet;
  #victims: Victim[] = [];
  isLoading = false;

  constructor(geometry: RingGeometry, seal: FrameSeal, live: LiveSet) {
    this.#geometry = geometry;
    this.#seal = seal;
    this.#live = live;
  }

  /**
   * What the log needs, with so many blocks free. `padding`: it is longer than recovery should have to read, so what would be
   * padding takes copies, which costs nothing. `blocks`: it is far too long, or room is getting short.
   */
  need(freeBlocks: number): 'nothing' | 'padding' | 'blocks' {
    const { blockBytes, blockCount, cleanDivisor } = this.#geometry;
    if (freeBlocks < blockCount / cleanDivisor) return 'blocks';
    const log = this.#live.log.headLsn - this.#live.log.tailLsn;
    if (log <= CLEAN_LOG_BYTES_MIN / blockBytes) return 'nothing';
    const liveBlocks = Math.ceil(this.#live.bytes / blockBytes);
    if (log > 2 * CLEAN_LOG_FACTOR * liveBlocks) return 'blocks';
    return log > CLEAN_LOG_FACTOR * liveBlocks ? 'padding' : 'nothing';
  }

  /** Blocks of the frame that is copied next; 0 when none is loaded. */
  get firstBlocks(): number {
    return this.#victims[0]?.blocks ?? 0;
  }

  /**
   * What to read next: frames from the tail on, as many as one frame could replace. Undefined while some wait to be copied, are
   * being read, or none are left.
   */
  nextLoad(): Load | undefined {
    const { log } = this.#live;
    if (this.isLoading) return undefined;
    // What died while it waited is not copied: who wants to move the tail must look further.
    for (let first = this.#victims[0]; first && this.#liveBytes(first, NOTHING_ENDED) === 0; first = this.#victims[0])
      this.#victims.shift();
    if (this.#victims.length > 0) return undefined;
    const frames: { lsn: number; blocks: number }[] = [];
    let blocks = 0;
    for (let lsn = log.tailLsn; lsn < log.headLsn; ) {
      const more = log.blocksAt(lsn);
      if (log.liveAt(lsn) > 0) {
        if (frames.length > 0 && blocks + more > this.#geometry.frameBlocksMax) break;
        frames.push({ lsn, blocks: more });
      } else if (blocks + more > this.#geometry.frameBlocksMax) {
        break;
      }
      blocks += more;
      lsn += more;
    }
    return frames.length === 0 ? undefined : { lsn: log.tailLsn, blocks, frames };
  }

  /** The answer to `nextLoad`, with zeros where the medium gave nothing. */
  loaded(load: Load, bytes: Uint8Array): void {
    const { blockBytes } = this.#geometry;
    this.isLoading = false;
    for (const { lsn, blocks } of load.frames) {
      const start = (lsn - load.lsn) * blockBytes;
      const whole = bytes.subarray(start, start + blocks * blockBytes);
      const entries = decodeFrame(whole, lsn, this.#seal)?.entries ?? this.#remembered(lsn);
      this.#victims.push({ lsn, blocks, entries, at: 0, bytes: whole });
    }
  }

  /**
   * Live entries of the loaded frames, whole frames as far as they fit, or a part of the first one. What the frame itself ends or
   * replaces (`beside`) is not copied: an ACK must come after every copy of its message (I7), and the newest META must stay the last.
   */
  take(room: { bytes: number; blocks: number }, beside: readonly DirectoryEntry[]): Copies {
    return this.#take(room, beside, 'whole-frames');
  }

  /** As `take`, entry by entry until the next one does not fit. */
  takeWhatFits(room: { bytes: number; blocks: number }, beside: readonly DirectoryEntry[]): Copies {
    return this.#take(room, beside, 'entries');
  }

  #take(room: { bytes: number; blocks: number }, beside: readonly DirectoryEntry[], unit: 'whole-frames' | 'entries'): Copies {
    const copies: Copies = { entries: [], bodies: [] };
    const ended = this.#victims.length === 0 ? NOTHING_ENDED : endedBy(beside);
    let { bytes, blocks } = room;
    for (let victim = this.#victims[0]; victim !== undefined && blocks > 0; victim = this.#victims[0]) {
      if (unit === 'whole-frames' && copies.entries.length > 0 && this.#liveBytes(victim, ended) > bytes) break;
      for (let entry = this.#nextLive(victim, ended); entry !== undefined; entry = this.#nextLive(victim, ended)) {
        bytes -= bytesOf(entry);
        if (bytes < 0) return copies;
        victim.at += 1;
        if (entry.kind === 'put') {
          const body = bodyOf(victim, entry);
          copies.bodies.push(body);
          copies.entries.push(this.#checked(entry, body));
        } else {
          copies.entries.push(entry);
        }
      }
      blocks -= victim.blocks;
      this.#victims.shift();
    }
    return copies;
  }

  /**
   * A damaged body moves with its message, marked, under a checksum that holds: a frame with a wrong one in it would be taken for torn.
   * Whoever fetches it is told.
   */
  #checked(entry: PutEntry, body: Uint8Array): PutEntry {
    const bodyCrc = this.#seal.checksum(body, this.#seal.seed);
    return bodyCrc === entry.bodyCrc ? entry : { ...entry, damaged: true, bodyCrc };
  }

  /** Entries of a frame without a readable directory, from memory. */
  #remembered(lsn: number): DirectoryEntry[] {
    const { index, metas } = this.#live;
    const entries: DirectoryEntry[] = [];
    for (const [key, value] of metas.withPrefix('')) if (metas.lsnOf(key) === lsn) entries.push({ kind: 'meta', key, value });
    for (const slot of index.slots()) if (index.lsn(slot) === lsn) entries.push(this.#live.index.copyOf(slot));
    return entries;
  }

  /** True when the frame at `lsn` is still where this is found, and nothing in `ended` ends it. */
  #isLive(entry: DirectoryEntry, lsn: number, ended: ReadonlySet<number | string>): boolean {
    const { index, metas } = this.#live;
    if (entry.kind === 'put') {
      const slot = index.find(entry.id);
      return slot !== NO_SLOT && index.lsn(slot) === lsn && !ended.has(entry.id);
    }
    return entry.kind === 'meta' && entry.value !== undefined && metas.lsnOf(entry.key) === lsn && !ended.has(entry.key);
  }

  /** The next entry to copy; those before it are copied or dead, which they stay. A COPY carries the full state of now (I7). */
  #nextLive(victim: Victim, ended: ReadonlySet<number | string>): PutEntry | MetaEntry | undefined {
    for (let entry = victim.entries[victim.at]; entry !== undefined; entry = victim.entries[++victim.at]) {
      if (!this.#isLive(entry, victim.lsn, ended)) continue;
      if (entry.kind === 'put') return this.#live.index.copyOf(this.#live.index.find(entry.id));
      if (entry.kind === 'meta') return { kind: 'meta', key: entry.key, value: this.#live.metas.get(entry.key) };
    }
    return undefined;
  }

  #liveBytes(victim: Victim, ended: ReadonlySet<number | string>): number {
    let bytes = 0;
    for (let at = victim.at; at < victim.entries.length; at++) {
      const entry = victim.entries[at];
      if (entry !== undefined && this.#isLive(entry, victim.lsn, ended)) bytes += bytesOf(entry);
    }
    return bytes;
  }
}

function bytesOf(entry: DirectoryEntry): number {
  return entryBytes(entry) + (entry.kind === 'put' ? entry.bodyBytes : 0);
}

/** The body of a put entry, exactly as long as the entry says, also where the frame is not. */
function bodyOf(victim: Victim, entry: { bodyOffset: number; bodyBytes: number }): Uint8Array {
  const body = victim.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes);
  if (body.length === entry.bodyBytes) return body;
  const padded = new Uint8Array(entry.bodyBytes);
  padded.set(body);
  return padded;
}

/** Ids that the entries acknowledge and META keys that they set. */
function endedBy(entries: readonly DirectoryEntry[]): Set<number | string> {
  const ended = new Set<number | string>();
  for (const entry of entries) {
    if (entry.kind === 'meta') ended.add(entry.key);
    if (entry.kind === 'ack') for (let id = entry.id; id < entry.id + entry.count; id++) ended.add(id);
  }
  return ended;
}

/**
 * Copy-forward cleaning: what is still live at the tail rides the next frames, so that the tail can pass. Blocks from the tail on
 * are read ahead; a frame takes the live entries of up to `CLEAN_FACTOR` blocks per block it needs itself, and pays no extra sync.
 */
import { type DirectoryEntry, entryBytes } from './entry-layout.ts';
import { decodeFrame, type FrameSeal } from './frame-layout.ts';
import { CLEAN_LOG_BYTES_MIN, CLEAN_LOG_FACTOR, type RingGeometry } from './geometry.ts';
import type { LiveSet } from './live-set.ts';
import { NO_SLOT } from './message-index.ts';

interface Victim {
  readonly lsn: number;
  readonly blocks: number;
  readonly entries: readonly DirectoryEntry[];
  readonly bytes: Uint8Array;
}

export interface Copies {
  readonly entries: DirectoryEntry[];
  readonly bodies: Uint8Array[];
}

export class Cleaner {
  readonly #geometry: RingGeometry;
  readonly #seal: FrameSeal;
  readonly #live: LiveSet;
  #victims: Victim[] = [];
  #scanLsn = 0;
  isLoading = false;
  /** Messages given up because neither directory nor body could be read. */
  corruptCount = 0;

  constructor(geometry: RingGeometry, seal: FrameSeal, live: LiveSet) {
    this.#geometry = geometry;
    this.#seal = seal;
    this.#live = live;
  }

  /** True when the log is too long for what lives in it, or `freeBlocks` is below the trigger. */
  isDue(freeBlocks: number): boolean {
    const { blockBytes, blockCount, cleanDivisor } = this.#geometry;
    const log = this.#live.log.headLsn - this.#live.log.tailLsn;
    const liveBlocks = Math.ceil(this.#live.bytes / blockBytes);
    const logMax = Math.max(Math.ceil(CLEAN_LOG_BYTES_MIN / blockBytes), CLEAN_LOG_FACTOR * liveBlocks);
    return freeBlocks < blockCount / cleanDivisor || log > Math.min(logMax, blockCount);
  }

  /** Blocks to read next, or undefined while some wait to be copied, are being read, or none are left. */
  nextLoad(): { lsn: number; blocks: number } | undefined {
    const { log } = this.#live;
    if (this.isLoading || this.#victims.length > 0) return undefined;
    this.#scanLsn = Math.max(this.#scanLsn, log.tailLsn);
    while (this.#scanLsn < log.headLsn && log.liveAt(this.#scanLsn) === 0) this.#scanLsn += log.blocksAt(this.#scanLsn);
    if (this.#scanLsn >= log.headLsn) return undefined;
    let blocks = 0;
    while (this.#scanLsn + blocks < log.headLsn) {
      const more = log.blocksAt(this.#scanLsn + blocks);
      if (blocks > 0 && blocks + more > this.#geometry.frameBlocksMax) break;
      blocks += more;
    }
    return { lsn: this.#scanLsn, blocks };
  }

  /** The answer to `nextLoad`. From a frame whose directory is damaged the index still saves what bodies are whole. */
  loaded(at: { lsn: number; blocks: number }, bytes: Uint8Array | undefined): void {
    const { blockBytes } = this.#geometry;
    this.isLoading = false;
    for (let lsn = at.lsn; lsn < at.lsn + at.blocks; ) {
      const blocks = this.#live.log.blocksAt(lsn);
      const start = (lsn - at.lsn) * blockBytes;
      const whole = bytes?.subarray(start, start + blocks * blockBytes);
      const frame = whole && decodeFrame(whole, lsn, this.#seal);
      const entries = frame?.entries ?? this.#salvage(lsn, whole ?? new Uint8Array(0));
      this.#victims.push({ lsn, blocks, entries, bytes: whole ?? new Uint8Array(0) });
      lsn += blocks;
    }
    this.#scanLsn = at.lsn + at.blocks;
  }

  /**
   * Live entries of the loaded frames, as far as they fit. What the frame itself ends or replaces (`beside`) is not copied:
   * an ACK must come after every copy of its message (I7), and the newest META must stay the last.
   */
  take(room: { bytes: number; blocks: number }, beside: readonly DirectoryEntry[]): Copies {
    const copies: Copies = { entries: [], bodies: [] };
    const ended = endedBy(beside);
    let { bytes, blocks } = room;
    for (let victim = this.#victims[0]; victim !== undefined && blocks > 0; victim = this.#victims[0]) {
      const live = this.#liveEntries(victim).filter((entry) => !ended.has(entry.kind === 'meta' ? entry.key : entry.id));
      const needed = live.reduce((sum, entry) => sum + entryBytes(entry) + (entry.kind === 'put' ? entry.bodyBytes : 0), 0);
      if (needed > bytes) break;
      for (const entry of live) {
        copies.entries.push(entry);
        if (entry.kind === 'put') copies.bodies.push(victim.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes));
      }
      bytes -= needed;
      blocks -= victim.blocks;
      this.#victims.shift();
    }
    return copies;
  }

  /** Entries of a frame without a readable directory: META from memory, messages whose body is whole, the others given up as corrupt. */
  #salvage(lsn: number, bytes: Uint8Array): DirectoryEntry[] {
    const { index, metas } = this.#live;
    const entries: DirectoryEntry[] = [];
    for (const [key, value] of metas.withPrefix('')) if (metas.lsnOf(key) === lsn) entries.push({ kind: 'meta', key, value });
    for (const slot of index.slots()) {
      if (index.lsn[slot] !== lsn) continue;
      const id = index.id[slot] ?? 0;
      const bodyOffset = index.bodyOffset[slot] ?? 0;
      const bodyBytes = index.bodyBytes[slot] ?? 0;
      const bodyCrc = index.bodyCrc[slot] ?? 0;
      const body = bytes.subarray(bodyOffset, bodyOffset + bodyBytes);
      if (body.length !== bodyBytes || this.#seal.checksum(body, this.#seal.seed) !== bodyCrc) {
        this.corruptCount += 1;
        entries.push({ kind: 'ack', reason: 'corrupt', id, count: 1 });
        continue;
      }
      const where = { id, bodyOffset, bodyBytes, bodyCrc, stream: index.stream[slot] ?? 0, number: index.number[slot] ?? 0 };
      const state = { queue: index.queue[slot] ?? 0, priority: index.priority[slot] ?? 0, deliveryCount: index.deliveryCount[slot] ?? 0 };
      const unknown = { epochCounter: 0, epochRandom: 0, storedAtMs: 0, expiresAtMs: 0, notBeforeMs: 0 };
      entries.push({ kind: 'put', copy: true, ...where, ...state, ...unknown });
    }
    return entries;
  }

  /** COPY carries the full current state: a STATE entry may be reclaimed before the message it speaks of. */
  #liveEntries(victim: Victim): DirectoryEntry[] {
    const { index, metas } = this.#live;
    const live: DirectoryEntry[] = [];
    for (const entry of victim.entries) {
      if (entry.kind === 'put') {
        const slot = index.find(entry.id);
        if (slot === NO_SLOT || index.lsn[slot] !== victim.lsn) continue;
        live.push({ ...entry, copy: true, deliveryCount: index.deliveryCount[slot] ?? 0 });
      } else if (entry.kind === 'meta' && entry.value !== undefined && metas.lsnOf(entry.key) === victim.lsn) {
        live.push({ kind: 'meta', key: entry.key, value: metas.get(entry.key) });
      } else if (entry.kind === 'ack' && entry.reason === 'corrupt' && index.find(entry.id) !== NO_SLOT) {
        live.push(entry);
      }
    }
    return live;
  }
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

/**
 * A stretch of the log as it is put together from the frames that are found, oldest first.
 *
 * A frame that stands in the right place with the right number is not always part of the history: where a frame never reached the
 * medium (its sync failed, only the cache showed it), what lay there before may still stand, while the history went on behind it.
 * The next frame tells: by the checksum of its predecessor, by lying in the other's blocks, or by saying everything again itself.
 */
import type { Frame } from './frame-layout.ts';

/** Damage that was stepped over. Frames between the two sequence numbers are lost, as far as it is known how many there were. */
export interface Gap {
  readonly lsn: number;
  readonly blocks: number;
  readonly framesLost: number;
  /** Message ids given out in the lost frames that no later frame shows. Copies that lay in them are not counted: nobody knows. */
  readonly idsLost: number;
}

/** A frame that was met; its entries are read again when they are applied, so that memory does not grow with the log. */
export type Met = Pick<Frame, 'kind' | 'epoch' | 'lsn' | 'seq' | 'crc' | 'tailLsn' | 'nextId' | 'blocks'>;

/** What the first frame of a stretch should be; `seq` undefined where that is not known. */
export interface Start {
  readonly lsn: number;
  readonly seq: number | undefined;
  readonly nextId: number;
}

/** What the first frame behind a frame should be. */
export function startBehind(frame: Met): Start & { readonly seq: number } {
  return { lsn: frame.lsn + frame.blocks, seq: frame.seq + 1, nextId: frame.nextId };
}

/**
 * `tip`: the end of the log, where a frame may belong to a future that was discarded: then the log ends before it. `proven`: what lies
 * before the anchor, where the later frame is always right.
 */
export type StretchKind = 'tip' | 'proven';

export class Stretch {
  readonly frames: Met[] = [];
  #gaps: { readonly gap: Gap; readonly seq: number }[] = [];
  readonly #kind: StretchKind;
  readonly #start: Start;
  #vouched: Met | undefined;

  constructor(kind: StretchKind, start: Start) {
    this.#kind = kind;
    this.#start = start;
  }

  get gaps(): Gap[] {
    return this.#gaps.map(({ gap }) => gap);
  }

  get last(): Met | undefined {
    return this.frames.at(-1);
  }

  /** Where the next frame should begin, and its number if that is known. */
  get next(): Start {
    const { last } = this;
    return last === undefined ? this.#start : startBehind(last);
  }

  /** True when `frame` follows the last one directly, and says so. */
  isNext(frame: Frame): boolean {
    const { next, last } = this;
    if (frame.lsn !== next.lsn || (next.seq !== undefined && frame.seq !== next.seq)) return false;
    return last === undefined || (frame.epoch >= last.epoch && frame.prevCrc === last.crc);
  }

  /**
   * Adds a frame that was found, and drops those before it that it shows to be none of its history. Answers `stranger` when it is
   * the one that does not belong.
   */
  add(frame: Frame): 'added' | 'stranger' {
    if (!this.isNext(frame)) {
      if (this.#dropBefore(frame) === 'stranger') return 'stranger';
      this.#noteGap(frame);
    }
    // What a frame says again is not missing.
    this.#gaps = this.#gaps.filter(({ seq }) => seq < frame.seq - frame.relogged);
    this.frames.push(metOf(frame));
    return 'added';
  }

  /** Adds the frame that the superblock vouches for: nothing that is found later can deny it. */
  addAnchor(frame: Frame): void {
    this.add(frame);
    this.#vouched = this.last;
  }

  #dropBefore(frame: Frame): 'dropped' | 'stranger' {
    for (let last = this.last; last !== undefined; last = this.last) {
      const isSaidAgain = frame.seq > last.seq && frame.seq - last.seq <= frame.relogged;
      const isDenied = frame.seq === last.seq + 1 && frame.prevCrc !== last.crc;
      const isOverwritten = frame.lsn < last.lsn + last.blocks || frame.seq <= last.seq;
      if (isDenied || isOverwritten) {
        // Two histories meet; the newer epoch is the one that went on.
        if (this.#kind === 'tip' && (last === this.#vouched || frame.epoch <= last.epoch)) return 'stranger';
      } else if (!isSaidAgain || last === this.#vouched) {
        break;
      }
      this.frames.pop();
    }
    return 'dropped';
  }

  /** Frames are missing before `frame`: a gap, unless it says again all that they said. */
  #noteGap(frame: Frame): void {
    const { lsn, seq, nextId } = this.next;
    if (seq === undefined && frame.lsn === lsn) return;
    const framesLost = seq === undefined ? 1 : frame.seq - seq;
    if (framesLost === 0) return;
    const shown = frame.entries.filter((entry) => entry.kind === 'put' && entry.id >= nextId).length;
    const idsLost = seq === undefined ? 0 : Math.max(0, frame.nextId - nextId - shown);
    const gap = { lsn, blocks: Math.max(0, frame.lsn - lsn), framesLost, idsLost };
    // A frame at the tail is needed whatever was said again since: else the tail would have passed it.
    this.#gaps.push({ gap, seq: seq ?? 0 });
  }
}

function metOf({ kind, epoch, lsn, seq, crc, tailLsn, nextId, blocks }: Frame): Met {
  return { kind, epoch, lsn, seq, crc, tailLsn, nextId, blocks };
}

/**
 * What damage to a ring may cost: whatever lies in the frames that were hit, and nothing else. Frames are looked up before the blocks
 * are damaged; afterwards nobody could say what was in them.
 */
import { decodeFrame, type Frame, type FrameSeal } from '../shared/ring/frame-layout.ts';
import { type RingGeometry, segmentsOf } from '../shared/ring/geometry.ts';
import { EPOCH_KEY } from '../shared/ring/ring.ts';

/** Every frame that stands whole on a platter, oldest first, whatever its lap. Of bodies nothing is asked. */
export function framesOn(platter: Uint8Array, g: RingGeometry, seal: FrameSeal): Frame[] {
  const frames: Frame[] = [];
  const view = new DataView(platter.buffer, platter.byteOffset, platter.byteLength);
  for (let block = 0; block < g.blockCount; block++) {
    const lsn = Number(view.getBigUint64((2 + block) * g.blockBytes + 16, true) & 0xffff_ffff_ffffn);
    if (lsn % g.blockCount !== block) continue;
    const parts = segmentsOf(g, { lsn, skip: 0, bytes: g.frameBlocksMax * g.blockBytes });
    const [head, rest] = parts.map(({ offset, bytes }) => platter.subarray(offset, offset + bytes));
    if (head === undefined) continue;
    const bytes = rest === undefined ? head : Uint8Array.from([...head, ...rest]);
    const frame = decodeFrame(bytes, lsn, seal);
    if (frame !== undefined) frames.push(frame);
  }
  return frames.sort((a, b) => a.seq - b.seq);
}

/** Messages, by number, and META keys of which nothing is promised any more. */
export class Touched {
  readonly numbers = new Set<number>();
  readonly metas = new Set<string>();
  /** Messages that lay in no other damaged frame than one which a whole later frame follows: if one is missing, opening must say so. */
  readonly told = new Set<number>();
  readonly #hitBefore = new Set<number>();

  get isNothing(): boolean {
    return this.numbers.size === 0 && this.metas.size === 0;
  }

  /**
   * These blocks of the ring are hit. What earlier damage cost may come back: that it ended, or was lost, then stands nowhere but in
   * the tails of the frames behind it, and these may be hit now.
   */
  add(frames: readonly Frame[], g: RingGeometry, blocks: ReadonlySet<number>): void {
    const isHit = (frame: Frame) =>
      Array.from({ length: frame.blocks }, (_, i) => (frame.lsn + i) % g.blockCount).some((b) => blocks.has(b));
    const numberOf = new Map<number, number>();
    for (const { entries } of frames) for (const one of entries) if (one.kind === 'put') numberOf.set(one.id, one.number);
    for (const number of this.#hitBefore) this.numbers.add(number);
    const newestWhole = Math.max(0, ...frames.filter((frame) => !isHit(frame)).map((frame) => frame.seq));
    for (const frame of frames.filter(isHit)) {
      for (const entry of frame.entries) {
        if (entry.kind === 'meta') {
          if (entry.key !== EPOCH_KEY) this.metas.add(entry.key);
          continue;
        }
        const count = entry.kind === 'ack' ? entry.count : 1;
        for (let id = entry.id; id < entry.id + count; id++) {
          const number = numberOf.get(id);
          if (number === undefined) continue;
          if (entry.kind === 'put' && frame.seq < newestWhole && !this.numbers.has(number)) this.told.add(number);
          else this.told.delete(number);
          this.numbers.add(number);
        }
      }
    }
  }

  clear(): void {
    for (const number of this.numbers) this.#hitBefore.add(number);
    this.numbers.clear();
    this.metas.clear();
    this.told.clear();
  }
}

/** Opening a ring: recovery, the fence, the OPEN frame that says again what is not proven, and the first anchor. */
import type { Checksum } from '../crc32.ts';
import { Cleaner } from './cleaner.ts';
import type { FileIo } from './file-io.ts';
import { type FileSteps, type ReadSteps, readWhatThereIs, writeBlocks } from './file-steps.ts';
import { FrameContent } from './frame-content.ts';
import { type Frame, RELOGGED_MAX } from './frame-layout.ts';
import { contentBytesMaxOf } from './geometry.ts';
import { LiveSet } from './live-set.ts';
import type { Gap } from './log-stretch.ts';
import { LogWriter } from './log-writer.ts';
import { NO_SLOT } from './message-index.ts';
import { type Recovered, recover } from './recovery.ts';
import { copiesBlocksMax, frameShare, openReserveBlocks } from './reserve.ts';
import { readSequentially } from './sequential-reads.ts';
import type { BootClock } from './superblock-layout.ts';

/** Key of the epoch in META: [counter u32 LE, random u32 LE]. */
export const EPOCH_KEY = 'epoch';

/** What opening found. Zeros and empty lists when nothing was wrong. */
export interface OpenReport {
  readonly gaps: readonly Gap[];
  readonly tornBlocks: number;
  readonly messages: number;
}

export interface Opened {
  readonly writer: LogWriter;
  readonly cleaner: Cleaner;
  readonly report: OpenReport;
}

export interface OpeningOptions {
  readonly path: string;
  readonly size: number;
  readonly checksum: Checksum;
  readonly epochRandom: number;
  /** The machine's clock as it stands now: queue time went on while this machine ran, even without us. Undefined: not known. */
  readonly clock?: BootClock | undefined;
}

/**
 * `whenKnown` gets what the file holds, before the first write.
 * @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED, RING_WORN_OUT, RING_LOCKED
 */
export function* openLog(options: OpeningOptions, io: FileIo, whenKnown: (opened: Opened) => void): FileSteps<void> {
  let live: LiveSet | undefined;
  const recovery = recover(options, options.checksum, (frame, geometry) => {
    live ??= new LiveSet(geometry.blockCount, frame.lsn);
    live.apply(frame);
  });
  const found = yield* readSequentially(options.size, recovery);
  const { geometry } = found.superblock;
  const known = live ?? new LiveSet(geometry.blockCount, found.endLsn);
  if (known.log.headLsn < found.endLsn) known.log.extend(found.endLsn - known.log.headLsn);
  known.dropIdle();
  known.log.advance();
  const writer = new LogWriter(found, known, { io, path: options.path, epochRandom: options.epochRandom, clock: options.clock });
  const cleaner = new Cleaner(geometry, found.seal, known);
  const { displacedCount } = known;
  const twice = { lsn: known.log.tailLsn, blocks: 0, framesLost: 0, idsLost: displacedCount };
  const gaps = displacedCount === 0 ? found.gaps : [...found.gaps, twice];
  const report = { gaps, tornBlocks: found.tornBlocks, messages: known.index.count };
  whenKnown({ writer, cleaner, report });
  yield* writer.raiseFence(options.path);
  yield* writeOpenFrame(found, writer, cleaner);
  yield* writer.writeAnchor(0);
}

/**
 * I6: what the last frame said is said again under a new sync before anything is served, unless it is proven. Where there is no
 * room for that, the frame itself is written once more, with the same bytes and in its place: then it is proven, and little is
 * left to say. With the reserve short, an OPEN frame that says nothing again carries copies, so that even a node that never gets
 * further than this moves on.
 */
function* writeOpenFrame(found: Recovered, writer: LogWriter, cleaner: Cleaner): FileSteps<void> {
  const { geometry } = writer;
  const { last, unproven } = found;
  let content = openContent(writer);
  let relogged = 0;
  if (last !== undefined && unproven !== undefined) {
    const again = openContent(writer, { last, bytes: unproven });
    const left = writer.freeBlocks - Math.ceil(again.bytes / geometry.blockBytes);
    const mayRewrite = last.kind !== 'data';
    if (left < 0 || (mayRewrite && left < openReserveBlocks(geometry))) {
      yield* writeBlocks(geometry, last.lsn, unproven);
      writer.durableTailLsn = last.tailLsn;
    } else {
      content = again;
      relogged = Math.min(RELOGGED_MAX, last.relogged + 1);
    }
  }
  if (relogged === 0 && frameShare(geometry, writer.freeBlocks).batches !== 'all') yield* addCopies(content, writer, cleaner);
  yield* writer.writeFrame('open', content, relogged);
  writer.live.settle(content.entries, writer.lastFrame.lsn);
}

/** The new epoch, and every entry of an unproven last frame that still matters. */
function openContent(writer: LogWriter, again?: { last: Frame; bytes: Uint8Array }): FrameContent {
  const content = new FrameContent();
  const { live, epoch } = writer;
  for (const entry of again?.last.entries ?? []) {
    if (entry.kind === 'put') {
      const slot = live.index.find(entry.id);
      if (again === undefined || slot === NO_SLOT || live.index.lsn(slot) !== again.last.lsn) continue;
      content.add(live.index.copyOf(slot), again.bytes.subarray(entry.bodyOffset, entry.bodyOffset + entry.bodyBytes));
    } else if (entry.kind !== 'meta' || entry.key !== EPOCH_KEY) {
      content.add(entry);
    }
  }
  const value = new Uint8Array(8);
  new DataView(value.buffer).setUint32(0, epoch.counter, true);
  new DataView(value.buffer).setUint32(4, epoch.random, true);
  content.add({ kind: 'meta', key: EPOCH_KEY, value });
  return content;
}

function* addCopies(content: FrameContent, writer: LogWriter, cleaner: Cleaner): ReadSteps<void> {
  const { geometry } = writer;
  const load = cleaner.nextLoad();
  const blocks = copiesBlocksMax(geometry, writer.freeBlocks);
  if (load === undefined || blocks < 1) return;
  cleaner.loaded(load, yield* readWhatThereIs(geometry, load.lsn, load.blocks));
  const bytes = Math.min(blocks * geometry.blockBytes - content.bytes, contentBytesMaxOf(geometry));
  content.addCopies(cleaner.take({ bytes, blocks: geometry.frameBlocksMax }, content.entries));
}

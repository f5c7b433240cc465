/** What a ring file is, holds, and would do when opened: everything `ringmail ring inspect` shows. Reads, and never writes. */
import type { ReadSteps } from './file-steps.ts';
import { FRAME_KINDS, type FrameKind } from './frame-layout.ts';
import { liveBytesMaxOf, type RingGeometry } from './geometry.ts';
import { readSuperblockCopies, type SuperblockCopy } from './inspect-superblocks.ts';
import { type FrameNote, hasMoved, type RingSource, type RingView, readView, VIEWS_MAX } from './inspect-view.ts';
import type { Gap } from './log-stretch.ts';
import { EPOCH_KEY } from './opening.ts';
import { FLAG_CLEAN, type Superblock } from './superblock-layout.ts';

export interface QueueHeld {
  /** 0: messages that only pass through. */
  readonly queue: number;
  readonly messages: number;
  readonly bodyBytes: number;
}

export interface Inspection {
  /** `moved`: the ring was written to each time it was read; gaps are those that were there each time. */
  readonly reading: 'still' | 'moved';
  readonly superblocks: readonly SuperblockCopy[];
  readonly superblock: Superblock;
  readonly geometry: RingGeometry;
  /** Of the newest opening, as the log says; `random` undefined where its META is lost. */
  readonly epoch: { readonly counter: number; readonly random: number | undefined };
  readonly closed: 'clean' | 'not-clean';
  readonly tailLsn: number;
  readonly endLsn: number;
  readonly frames: readonly FrameNote[];
  readonly frameCounts: Readonly<Record<FrameKind, number>>;
  readonly gaps: readonly Gap[];
  /** Of a frame at the end that is not whole: the write that a power cut interrupted, or that is on its way. */
  readonly tornBlocks: number;
  readonly messages: number;
  /** Kept for several messages each; none of the messages themselves. */
  readonly sharedBodies: number;
  readonly queues: readonly QueueHeld[];
  readonly metas: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly metaBytes: number;
  readonly liveBytes: number;
  readonly liveBytesMax: number;
  readonly freeBlocks: number;
  readonly nextId: number;
  readonly queueTimeMs: number;
  /** `relogged`: entries the OPEN frame would say again, since nothing proves their frame. */
  readonly opening: { readonly epoch: number; readonly relogged: number; readonly durableTailLsn: number };
}

/** @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED */
export function* inspectRing(source: RingSource): ReadSteps<Inspection> {
  let gaps: readonly Gap[] | undefined;
  for (let views = 1; ; views++) {
    const view = yield* readView(source);
    const superblocks = yield* readSuperblockCopies(view.found.superblock.geometry);
    const moved = yield* hasMoved(view);
    const seen = view.found.gaps;
    gaps = moved ? (gaps ?? seen).filter(({ lsn }) => seen.some((gap) => gap.lsn === lsn)) : seen;
    if (!moved) return inspectionOf(view, { reading: 'still', superblocks, gaps });
    if (views === VIEWS_MAX) return inspectionOf(view, { reading: 'moved', superblocks, gaps });
  }
}

function inspectionOf(view: RingView, seen: Pick<Inspection, 'reading' | 'superblocks' | 'gaps'>): Inspection {
  const { found, contents, frames } = view;
  const { superblock, last, endLsn, durableTailLsn, unproven } = found;
  const { geometry } = superblock;
  const epoch = epochOf(view);
  return {
    ...seen,
    superblock,
    geometry,
    epoch,
    closed: (superblock.flags & FLAG_CLEAN) !== 0 && last?.lsn === superblock.anchorLsn ? 'clean' : 'not-clean',
    tailLsn: last?.tailLsn ?? endLsn,
    endLsn,
    frames,
    frameCounts: countsOf(frames),
    tornBlocks: found.tornBlocks,
    ...messagesOf(view),
    queues: queuesOf(view),
    metas: [...contents.metas.withPrefix('')].map(([key, value]) => ({ key, value })),
    metaBytes: contents.metas.bytes,
    liveBytes: contents.bytes,
    liveBytesMax: liveBytesMaxOf(geometry),
    freeBlocks: geometry.blockCount - (endLsn - Math.min(durableTailLsn, endLsn)),
    ...countersOf(view),
    opening: {
      epoch: epoch.counter + 1,
      relogged: unproven === undefined ? 0 : (last?.entries.length ?? 0),
      durableTailLsn,
    },
  };
}

/** What an opening goes on from: the highest of superblock and log. */
export function countersOf({ found: { superblock, last } }: RingView): { nextId: number; queueTimeMs: number } {
  return {
    nextId: Math.max(superblock.nextId, last?.nextId ?? 1),
    queueTimeMs: Math.max(superblock.queueTimeMs, last?.queueTimeMs ?? 0),
  };
}

export function epochOf({ found: { superblock, last }, contents }: RingView): Inspection['epoch'] {
  const counter = Math.max(superblock.epoch, last?.epoch ?? 0);
  const value = contents.metas.get(EPOCH_KEY);
  const view = value?.length === 8 ? new DataView(value.buffer, value.byteOffset, 8) : undefined;
  return { counter, random: view?.getUint32(0, true) === counter ? view.getUint32(4, true) : undefined };
}

function countsOf(frames: readonly FrameNote[]): Record<FrameKind, number> {
  const counts: Record<FrameKind, number> = { data: 0, open: 0, copies: 0 };
  for (const kind of FRAME_KINDS) counts[kind] = frames.filter((frame) => frame.kind === kind).length;
  return counts;
}

function messagesOf({ contents: { index } }: RingView): Pick<Inspection, 'messages' | 'sharedBodies'> {
  let sharedBodies = 0;
  for (const slot of index.slots()) if (index.isHolder(slot)) sharedBodies += 1;
  return { messages: index.count - sharedBodies, sharedBodies };
}

function queuesOf({ contents: { index } }: RingView): QueueHeld[] {
  const queues = new Map<number, QueueHeld>();
  for (const slot of index.slots()) {
    if (index.isHolder(slot)) continue;
    const queue = index.queue(slot);
    const { messages, bodyBytes } = queues.get(queue) ?? { messages: 0, bodyBytes: 0 };
    queues.set(queue, { queue, messages: messages + 1, bodyBytes: bodyBytes + index.wholeBytes(slot) });
  }
  return [...queues.values()].sort((a, b) => a.queue - b.queue);
}

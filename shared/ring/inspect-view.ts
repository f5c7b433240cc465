/**
 * A ring as somebody sees it who only reads, and who may not be alone: its owner goes on writing meanwhile.
 *
 *   read ──▶ look ──▶ did it move? ──no──▶ what was seen is true
 *     ▲                    │ yes
 *     └────────────────────┘  a number of times; what is wrong each time is wrong
 *
 * The log only grows at its head, and what it overwrites is the oldest first. So a view is still whole as long as its superblock
 * holds, nothing stands behind its last frame, and its first frame is where it was.
 */
import { invariant } from '../assert.ts';
import type { Checksum } from '../crc32.ts';
import type { PutEntry } from './entry-layout.ts';
import { type ReadSteps, readBlocks, readRange } from './file-steps.ts';
import { findSuperblock } from './find-superblock.ts';
import { bodiesAreIntact, type Frame, type FrameHeader } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import { Contents } from './inspect-contents.ts';
import { readDirectory } from './log-walk.ts';
import { NO_SLOT } from './message-index.ts';
import { type Recovered, recover } from './recovery.ts';

export interface RingSource {
  readonly path: string;
  /** Of the file, in bytes. */
  readonly size: number;
  readonly checksum: Checksum;
}

/** A frame without what is in it: how many entries of each kind, `copies` among the `puts`, `acks` in messages. */
export interface FrameNote extends FrameHeader {
  readonly crc: number;
  readonly blocks: number;
  readonly counts: {
    readonly puts: number;
    readonly copies: number;
    readonly acks: number;
    readonly states: number;
    readonly metas: number;
  };
}

export interface RingView {
  readonly source: RingSource;
  readonly found: Recovered;
  /** From the tail to the last one that holds. */
  readonly frames: readonly FrameNote[];
  readonly contents: Contents;
}

/** Views of a ring that moves, before what is seen is said as it is. */
export const VIEWS_MAX = 5;
/** Views one reader of all bodies may need; a writer that laps him so often is faster than he is. */
const FOLLOW_VIEWS_MAX = 64;

/** What opening would find, without its writes. @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED */
export function* readView(source: RingSource): ReadSteps<RingView> {
  const contents = new Contents();
  const frames: FrameNote[] = [];
  const found = yield* recover(source, source.checksum, (frame) => {
    contents.apply(frame);
    frames.push(noteOf(frame));
  });
  contents.dropIdle();
  return { source, found, frames, contents };
}

/** True when the ring was written to since the view was read. */
export function* hasMoved(view: RingView): ReadSteps<boolean> {
  const { found, frames, source } = view;
  const { geometry, generation } = found.superblock;
  const now = yield* findSuperblock(source);
  if (now.generation !== generation) return true;
  const behind = yield* readDirectory(geometry, found.seal, found.endLsn);
  if (behind !== undefined && behind.seq >= found.nextSeq) {
    // One that is not whole was there before, and is what a write that was cut short has left.
    const bytes = yield* readBlocks(geometry, behind.lsn, behind.blocks);
    if (bytes !== undefined && bodiesAreIntact(behind, bytes, found.seal)) return true;
  }
  const [first] = frames;
  if (first === undefined) return false;
  return (yield* readDirectory(geometry, found.seal, first.lsn))?.crc !== first.crc;
}

/** The bytes of a body if they are what was stored. */
export function* readBody(view: RingView, slot: number): ReadSteps<Uint8Array | undefined> {
  const { index } = view.contents;
  const { seal, superblock } = view.found;
  if (index.isDamaged(slot)) return undefined;
  return yield* readBodyAt(superblock.geometry, seal, { lsn: index.lsn(slot), entry: view.contents.index.copyOf(slot) });
}

export function* readBodyAt(
  g: RingGeometry,
  seal: { readonly checksum: Checksum; readonly seed: number },
  at: { lsn: number; entry: Pick<PutEntry, 'bodyOffset' | 'bodyBytes' | 'bodyCrc'> },
): ReadSteps<Uint8Array | undefined> {
  const { bodyOffset, bodyBytes, bodyCrc } = at.entry;
  const body = yield* readRange(g, { lsn: at.lsn, skip: bodyOffset, bytes: bodyBytes });
  return body && seal.checksum(body, seal.seed) === bodyCrc ? body : undefined;
}

export type FollowedBody =
  | { readonly kind: 'body'; readonly entry: PutEntry; readonly body: Uint8Array }
  | { readonly kind: 'damaged'; readonly entry: PutEntry }
  /** The message left the ring after the view was read. */
  | { readonly kind: 'ended' }
  /** The writer is faster than the reader: the body was overwritten again and again before it could be read. */
  | { readonly kind: 'outrun'; readonly entry: PutEntry };

/** Reads the bodies of a view one by one; where the ring moved on, finds the message where it is now. */
export class Follower {
  readonly #first: RingView;
  #view: RingView;
  #views = 1;

  constructor(view: RingView) {
    this.#first = view;
    this.#view = view;
  }

  get hasMoved(): boolean {
    return this.#views > 1;
  }

  /** True for the messages of the view it was made with: only their bodies can be asked for. */
  knows(id: number): boolean {
    return this.#first.contents.index.find(id) !== NO_SLOT;
  }

  *body(id: number): ReadSteps<FollowedBody> {
    for (;;) {
      const { contents } = this.#view;
      const slot = contents.index.find(id);
      if (slot === NO_SLOT) {
        invariant(this.hasMoved, 'only ids of the view are asked for');
        return { kind: 'ended' };
      }
      const entry = contents.index.copyOf(slot);
      const body = yield* readBody(this.#view, slot);
      if (body !== undefined) return { kind: 'body', entry, body };
      if (!(yield* hasMoved(this.#view))) return { kind: 'damaged', entry };
      if (this.#views >= FOLLOW_VIEWS_MAX) return { kind: 'outrun', entry };
      this.#view = yield* readView(this.#view.source);
      this.#views += 1;
    }
  }
}

function noteOf(frame: Frame): FrameNote {
  const { entries, ...header } = frame;
  const counts = { puts: 0, copies: 0, acks: 0, states: 0, metas: 0 };
  for (const entry of entries) {
    if (entry.kind === 'put') counts.puts += 1;
    if (entry.kind === 'put' && entry.copy) counts.copies += 1;
    if (entry.kind === 'ack') counts.acks += entry.count;
    if (entry.kind === 'state') counts.states += 1;
    if (entry.kind === 'meta') counts.metas += 1;
  }
  return { ...header, counts };
}

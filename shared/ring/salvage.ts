/**
 * What can be saved of a ring, into a new one.
 *
 *   read ──▶ what an opening would find                      ┐
 *   deep ──▶ every frame that stands anywhere, by its number ├─▶ newest state of each message ─▶ bodies ─▶ new log
 *                                                            ┘                                    │ not whole
 *                                                     deep: an older copy of it, anywhere ◀───────┘
 *
 * An acknowledgement lies behind every copy of its message (I7), so frames in the order of their numbers end with what lives. Where
 * one is lost, a message may come back that had ended: rather that than the other way round. A message of which no body is whole
 * is not written; what its stream lacks then, the node explains as damage.
 */
import { hasCode } from '../errors.ts';
import type { PutEntry } from './entry-layout.ts';
import type { FileSteps, ReadSteps } from './file-steps.ts';
import { findSuperblock } from './find-superblock.ts';
import type { Frame, FrameSeal } from './frame-layout.ts';
import type { RingGeometry } from './geometry.ts';
import { countersOf, epochOf } from './inspect.ts';
import { Contents } from './inspect-contents.ts';
import { Follower, hasMoved, type RingSource, type RingView, readBodyAt, readView, VIEWS_MAX } from './inspect-view.ts';
import { readDirectory } from './log-walk.ts';
import { NO_SLOT } from './message-index.ts';
import { sealOf } from './recovery.ts';
import type { NewLog } from './salvage-log.ts';
import { scanFrames } from './salvage-scan.ts';
import { findSeal } from './salvage-seal.ts';
import type { Superblock } from './superblock-layout.ts';

/** `read`: what an opening would find. `deep`: whatever stands anywhere in the file. */
export type SalvageDepth = 'read' | 'deep';

export interface SalvageOptions {
  readonly depth: SalvageDepth;
  /** For a file without a superblock; undefined: all are tried. */
  readonly blockBytes: number | undefined;
}

/** What was found, before any body is read. */
export interface Salvage {
  readonly source: RingSource;
  /** `read` also where `deep` was asked for, but the ring is written to all the time: it must be at rest for that. */
  readonly depth: SalvageDepth;
  /** What an opening would find; undefined where there would be none. */
  readonly view: RingView | undefined;
  readonly contents: Contents;
  /** `frames`: no superblock copy is whole; block size and seed come from the frames. */
  readonly by: 'superblock' | 'frames';
  readonly geometry: RingGeometry;
  readonly seal: FrameSeal;
  readonly epoch: number;
  readonly nextId: number;
  readonly queueTimeMs: number;
  readonly framesFound: number;
  readonly framesMissing: number;
  /** Given out in missing frames, and seen nowhere. */
  readonly idsMissing: number;
  /** Messages found only before the tail: the frame that moved or ended them is lost. */
  readonly mayHaveEnded: number;
  /** A frame at the end that is not whole: nobody was told that its messages are stored. */
  readonly tornLsn: number | undefined;
  /** Where frames begin, for older copies. Empty when nobody looked for them. */
  readonly places: readonly number[];
}

/** What became of the messages that were found. */
export interface Saved {
  readonly reading: 'still' | 'moved';
  readonly messages: number;
  /** Of them, those with the body of an older copy, since that of the newest is damaged. */
  readonly fromOlderCopies: number;
  readonly metas: number;
  /** No body that is whole was found; the first LOST_NAMES_MAX. */
  readonly lost: readonly PutEntry[];
  readonly lostCount: number;
  /** Saved, of a frame at the end that is not whole: nobody was told that they are stored. */
  readonly inDoubt: number;
  /** Of the same frame, without a whole body: never stored, so not lost. */
  readonly unfinished: number;
  /** The ring is in use, and these left it before they were read. */
  readonly endedMeanwhile: number;
}

/** Lost messages that are told by name. */
export const LOST_NAMES_MAX = 1000;

/** @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED */
export function* findSalvage(source: RingSource, options: SalvageOptions): ReadSteps<Salvage> {
  if (options.depth === 'read') return ofView(yield* readView(source));
  const superblock = yield* superblockOf(source);
  if (superblock === undefined) {
    const { geometry, seal } = yield* findSeal(source, options.blockBytes);
    return yield* digUp({ source, geometry, seal, superblock, view: undefined });
  }
  const { geometry } = superblock;
  const sized = source.size === sizeOf(superblock) ? source : { ...source, size: sizeOf(superblock) };
  const seal = sealOf(superblock, source.checksum);
  for (let views = 1; ; views++) {
    const view = yield* readView(sized);
    const salvage = yield* digUp({ source, geometry, seal, superblock: view.found.superblock, view });
    if (!(yield* hasMoved(view))) return salvage;
    if (views === VIEWS_MAX) return ofView(view);
  }
}

/** Writes it into a new log, and finishes that. Reads come from the old file, writes go to the new one. @throws RING_TOO_SMALL */
export function* writeSalvage(salvage: Salvage, log: NewLog): FileSteps<Saved> {
  const { contents, view } = salvage;
  for (const [key, value] of contents.metas.withPrefix('')) yield* log.meta(key, value);
  const follower = view && new Follower(view);
  const bad = new Map<number, PutEntry>();
  let [endedMeanwhile, inDoubt, unfinished] = [0, 0, 0];
  for (const id of contents.ids()) {
    const slot = contents.index.find(id);
    const lsn = contents.index.lsn(slot);
    let entry = contents.index.copyOf(slot);
    let body = entry.damaged ? undefined : yield* readBodyAt(salvage.geometry, salvage.seal, { lsn, entry });
    if (body === undefined && follower?.knows(id)) {
      const found = yield* follower.body(id);
      if (found.kind === 'ended') {
        endedMeanwhile += 1;
        continue;
      }
      entry = found.entry;
      if (found.kind === 'body') body = found.body;
    }
    if (body !== undefined) yield* log.put(entry, body);
    if (lsn !== salvage.tornLsn) {
      if (body === undefined) bad.set(id, entry);
    } else if (body === undefined) unfinished += 1;
    else inDoubt += 1;
  }
  const fromOlderCopies = yield* saveOlderCopies(salvage, bad, log);
  yield* log.finish();
  const moved = view !== undefined && (follower?.hasMoved === true || (yield* hasMoved(view)));
  // What was dug up behind the writer's back he may have overwritten since: nobody can say that it is damaged.
  for (const id of moved ? [...bad.keys()] : []) {
    if (follower?.knows(id)) continue;
    bad.delete(id);
    endedMeanwhile += 1;
  }
  return {
    reading: moved ? 'moved' : 'still',
    messages: log.messages,
    fromOlderCopies,
    metas: log.metas,
    lost: [...bad.values()].slice(0, LOST_NAMES_MAX),
    lostCount: bad.size,
    inDoubt,
    unfinished,
    endedMeanwhile,
  };
}

/** The body of another copy, under the newest state of its message. What is saved leaves `bad`. */
function* saveOlderCopies(salvage: Salvage, bad: Map<number, PutEntry>, log: NewLog): FileSteps<number> {
  const { geometry, seal } = salvage;
  let saved = 0;
  for (const lsn of salvage.places) {
    if (bad.size === 0) break;
    const frame = yield* readDirectory(geometry, seal, lsn);
    for (const entry of frame?.entries ?? []) {
      const newest = entry.kind === 'put' ? bad.get(entry.id) : undefined;
      if (entry.kind !== 'put' || newest === undefined || entry.damaged || !isSameMessage(entry, newest)) continue;
      const body = yield* readBodyAt(geometry, seal, { lsn, entry });
      if (body === undefined) continue;
      yield* log.put(newest, body);
      bad.delete(entry.id);
      saved += 1;
    }
  }
  return saved;
}

function isSameMessage(a: PutEntry, b: PutEntry): boolean {
  return a.stream === b.stream && a.number === b.number && a.epochCounter === b.epochCounter && a.epochRandom === b.epochRandom;
}

function ofView(view: RingView): Salvage {
  const { found, contents, frames, source } = view;
  return {
    source,
    depth: 'read',
    view,
    contents,
    by: 'superblock',
    geometry: found.superblock.geometry,
    seal: found.seal,
    epoch: epochOf(view).counter,
    ...countersOf(view),
    framesFound: frames.length,
    framesMissing: found.gaps.reduce((sum, gap) => sum + gap.framesLost, 0),
    idsMissing: found.gaps.reduce((sum, gap) => sum + gap.idsLost, 0),
    mayHaveEnded: 0,
    tornLsn: undefined,
    places: [],
  };
}

/** The superblock that holds, also of a file that was cut short; undefined where no copy is whole. */
function* superblockOf(source: RingSource): ReadSteps<Superblock | undefined> {
  let { size } = source;
  for (;;) {
    try {
      return yield* findSuperblock({ path: source.path, size });
    } catch (error) {
      if (hasCode(error, 'RING_FOREIGN')) return undefined;
      if (!hasCode(error, 'RING_TRUNCATED') || size !== source.size) throw error;
      size = error.details.bytesExpected;
    }
  }
}

function sizeOf({ geometry: g }: Superblock): number {
  return (g.blockCount + 4) * g.blockBytes;
}

interface Ground {
  readonly source: RingSource;
  readonly geometry: RingGeometry;
  readonly seal: FrameSeal;
  readonly superblock: Superblock | undefined;
  readonly view: RingView | undefined;
}

/** Every frame of the file in the order of numbers; what an opening would find stands above them. */
function* digUp({ source, geometry, seal, superblock, view }: Ground): ReadSteps<Salvage> {
  const log = { g: geometry, seal };
  const found: { lsn: number; seq: number; epoch: number; isWhole: boolean }[] = [];
  yield* scanFrames(log, { lsn: geometry.blockCount, blocks: geometry.blockCount }, ({ frame, isWhole }) => {
    found.push({ lsn: frame.lsn, seq: frame.seq, epoch: frame.epoch, isWhole });
  });
  found.sort((a, b) => a.seq - b.seq || a.epoch - b.epoch);
  const tip = found.at(-1);
  const isTorn = tip !== undefined && !tip.isWhole && tip.lsn !== superblock?.anchorLsn;
  const contents = new Contents();
  const counters = { epoch: superblock?.epoch ?? 0, nextId: superblock?.nextId ?? 1, queueTimeMs: superblock?.queueTimeMs ?? 0 };
  let before: Frame | undefined;
  let [framesMissing, idsMissing, tailLsn] = [0, 0, 0];
  for (const { lsn, seq } of found) {
    const frame = yield* readDirectory(geometry, seal, lsn);
    if (frame?.seq !== seq) continue; // overwritten or gone since it was found
    if (before !== undefined && seq > before.seq + 1) {
      framesMissing += seq - before.seq - 1;
      idsMissing += Math.max(0, frame.nextId - before.nextId - newIds(frame, before.nextId));
    }
    counters.epoch = Math.max(counters.epoch, frame.epoch);
    counters.nextId = Math.max(counters.nextId, frame.nextId);
    counters.queueTimeMs = Math.max(counters.queueTimeMs, frame.queueTimeMs);
    const isTip = isTorn && lsn === tip.lsn;
    contents.apply(frame, isTip ? 'messages' : 'all');
    if (!isTip) tailLsn = frame.tailLsn;
    before = frame;
  }
  if (view !== undefined) takeOver(contents, view.contents);
  const lsns = [...contents.index.slots()].map((slot) => contents.index.lsn(slot));
  return {
    source,
    depth: 'deep',
    view,
    contents,
    by: superblock === undefined ? 'frames' : 'superblock',
    geometry,
    seal,
    ...counters,
    framesFound: found.length,
    framesMissing,
    idsMissing,
    mayHaveEnded: lsns.filter((lsn) => lsn < tailLsn).length,
    tornLsn: isTorn ? tip.lsn : undefined,
    places: found.map(({ lsn }) => lsn),
  };
}

function newIds(frame: Frame, nextId: number): number {
  return frame.entries.filter((entry) => entry.kind === 'put' && entry.id >= nextId).length;
}

/** What an opening finds is the history that went on: where it says something, that holds. */
function takeOver(contents: Contents, opened: Contents): void {
  for (const slot of opened.index.slots()) {
    const entry = opened.index.copyOf(slot);
    const lsn = opened.index.lsn(slot);
    const known = contents.index.find(entry.id);
    if (known === NO_SLOT) contents.index.insert(entry, lsn);
    else contents.index.replace(known, entry, lsn);
  }
  for (const [key, value] of opened.metas.withPrefix('')) contents.metas.set(key, value, opened.metas.lsnOf(key) ?? 0);
}

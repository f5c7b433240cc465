/**
 * A ring of another length, by copying: what lives goes into a new file under the same name. Ids, names, counts and times stay, the
 * epoch goes on, blocks and frames are counted anew. The tool owns the old ring while it works, so nobody writes to it.
 *
 * The file's inode changes, and with it what the ring remembers as its home (home.ts). A ring that was at home is at home again: this
 * is the same store, not a copy of it.
 */
import * as fs from 'node:fs';
import { realpath } from 'node:fs/promises';
import { equalBytes } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { metaChange } from '../custody/meta-keys.ts';
import { RingmailError } from '../errors.ts';
import type { FileSteps } from '../ring/file-steps.ts';
import { fileBytesOf, geometryFor, type RingGeometry } from '../ring/geometry.ts';
import { countersOf, epochOf } from '../ring/inspect.ts';
import { type RingView, readBody, readView } from '../ring/inspect-view.ts';
import { fileBytesFor, holds, NewLog } from '../ring/salvage-log.ts';
import type { BootClock } from '../ring/superblock-layout.ts';
import { fastChecksum } from './checksum.ts';
import { homeOf } from './home.ts';
import { type Filling, type MakeStep, makeRing } from './make-ring.ts';
import { type Running, readThrough } from './read-ring.ts';
import { type NodeRingFile, openRingFile } from './ring-file.ts';

export interface ResizeOptions {
  /** At most; rounded down to whole blocks. */
  readonly fileBytes: number;
  /** 16 random bytes. */
  readonly fileId: Uint8Array;
  readonly running?: Running;
  readonly onStep?: (step: MakeStep) => void;
}

export interface Resized {
  readonly bytesBefore: number;
  readonly bytes: number;
  readonly messages: number;
  readonly metas: number;
  readonly liveBytes: number;
  /** `kept`: the ring was at home, and is. `copy`: it was a copy already, and its node will see that. `none`: it never served. */
  readonly home: 'kept' | 'copy' | 'none';
}

/**
 * @throws RING_NOT_FOUND, RING_LOCKED while a node has it, RING_SIZE_INVALID, RING_TOO_SMALL, MESSAGE_TOO_LARGE, RING_DAMAGED, RING_FOREIGN,
 * RING_TOO_NEW, RING_TRUNCATED, RING_UNAVAILABLE. Then the old ring is as it was.
 */
export async function resizeRing(name: string, options: ResizeOptions): Promise<Resized> {
  const path = await realpath(name).catch(() => name);
  const file = await openRingFile(path, { volatile: 'allow' });
  try {
    return await resize(path, file, options);
  } finally {
    await file.close();
  }
}

async function resize(path: string, file: NodeRingFile, options: ResizeOptions): Promise<Resized> {
  const checksum = fastChecksum(crc32);
  const { running = {} } = options;
  const read = (offset: number, bytes: number) => readOrNothing(file, offset, bytes);
  const view = await readThrough(readView({ path, size: file.size, checksum }), { read }, running);
  const geometry = geometryToHold(view, options.fileBytes, path);
  const [gap] = view.found.gaps;
  if (gap !== undefined) throw new RingmailError('RING_DAMAGED', { path, reason: `frames are missing at block ${gap.lsn}` });
  const old = openOld(path);
  try {
    let home: Resized['home'] = 'none';
    const make = {
      geometry,
      replace: 'always',
      running,
      owner: old.stat,
      ...(options.onStep && { onStep: options.onStep }),
    } as const;
    const log = new NewLog({
      geometry,
      checksum,
      path,
      fileId: options.fileId,
      epoch: epochOf(view).counter,
      ...countersOf(view),
      clock: clockOf(view),
    });
    await makeRing(path, make, async (filling) => {
      const changed = homeAfter(view, path, filling);
      home = changed.home;
      await filling.run(copy(view, log, changed.value), { read });
    });
    discard(old.fd);
    const { messages, metas, liveBytes } = log;
    return { bytesBefore: file.size, bytes: fileBytesOf(geometry), messages, metas, liveBytes, home };
  } finally {
    fs.closeSync(old.fd);
  }
}

function geometryToHold(view: RingView, fileBytes: number, path: string): RingGeometry {
  const { blockBytes } = view.found.superblock.geometry;
  const { contents } = view;
  const load = { liveBytes: contents.bytes, bodyBytes: contents.bodyBytesMax, blockBytes };
  const geometry = geometryFor(fileBytes, blockBytes);
  if (holds(geometry, load)) return geometry;
  const bytesNeeded = fileBytesFor(load);
  if (bytesNeeded === undefined) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: load.bodyBytes, bytesMax: 0 });
  throw new RingmailError('RING_TOO_SMALL', { path, bytes: fileBytes, bytesNeeded });
}

/** META as it is but for the home, then every message in order of id. */
function* copy(view: RingView, log: NewLog, home: Uint8Array | undefined): FileSteps<void> {
  const { contents } = view;
  for (const [key, value] of contents.metas.withPrefix('')) yield* log.meta(key, key === 'home' ? (home ?? value) : value);
  for (const id of contents.ids()) {
    const slot = contents.index.find(id);
    const body = yield* readBody(view, slot);
    if (body === undefined) {
      throw new RingmailError('RING_DAMAGED', {
        path: view.source.path,
        reason: `the body of message ${id} is not what was stored`,
      });
    }
    yield* log.put(contents.index.copyOf(slot), body);
  }
  yield* log.finish();
}

/** What the ring should remember as its home under the inode of the new file. */
function homeAfter(
  view: RingView,
  path: string,
  { unfinished }: Filling,
): { home: Resized['home']; value: Uint8Array | undefined } {
  const known = view.contents.metas.get('home');
  const [here, next] = [homeOf(path), homeOf(unfinished)];
  if (known === undefined) return { home: 'none', value: undefined };
  const isAtHome = here !== undefined && equalBytes(known, metaChange('home', here).value ?? new Uint8Array(0));
  if (!isAtHome || next === undefined) return { home: 'copy', value: undefined };
  return { home: 'kept', value: metaChange('home', next).value };
}

/** The machine's clock beside the queue time the new superblock names, which may be later than that of the old one. */
function clockOf(view: RingView): BootClock | undefined {
  const { superblock, last } = view.found;
  const { clock } = superblock;
  if (clock === undefined || (last !== undefined && last.epoch !== superblock.epoch)) return undefined;
  return { bootId: clock.bootId, bootMs: clock.bootMs + (countersOf(view).queueTimeMs - superblock.queueTimeMs) };
}

function openOld(path: string): { fd: number; stat: fs.Stats } {
  const fd = fs.openSync(path, 'r+');
  return { fd, stat: fs.fstatSync(fd) };
}

/**
 * The old file has no name any more, unless somebody linked it. Who opened it a moment before it was replaced, and gets its lock now,
 * must not take it for a ring: so nothing is left in it.
 */
function discard(fd: number): void {
  if (fs.fstatSync(fd).nlink === 0) fs.ftruncateSync(fd, 0);
}

function readOrNothing(file: NodeRingFile, offset: number, bytes: number): Uint8Array | undefined {
  const into = new Uint8Array(bytes);
  try {
    file.read(offset, into);
    return into;
  } catch {
    return undefined; // what the medium does not give is an answer, and the steps know what it means
  }
}

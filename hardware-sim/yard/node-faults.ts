/**
 * What strikes a node, its process, its machine or its disk. Each fault is told to the oracle first where it goes beyond what the
 * product promises to survive unharmed; whatever it costs then is on record as destroyed, not as lost.
 */

import { crc32 } from '../../shared/crc32.ts';
import { sealOf } from '../../shared/ring/recovery.ts';
import type { Prng } from '../random.ts';
import { framesOn } from '../ring-damage.ts';
import { SimDisk } from '../sim-disk.ts';
import type { SimNode } from '../sim-node.ts';
import type { World } from '../world.ts';
import type { Leases } from './applications.ts';
import { superblockOf } from './durable-view.ts';
import type { Oracle } from './oracle.ts';
import type { Recorder } from './recorder.ts';

/** What the faults of nodes need of the yard. */
export interface Wreckage {
  readonly world: World;
  readonly random: Prng;
  readonly oracle: Oracle;
  readonly recorder: Recorder;
  readonly leases: Leases;
  /** Why a store may stop, or be taken for a fork: what was done to any disk. */
  readonly blame: Blame;
}

/** What was done to whom, for whoever asks why a store stopped. */
export class Blame {
  readonly #causes = new Map<string, string>();
  #anywhere: string | undefined;

  /** `lasting`: nobody knows what it will bring about, and where. */
  put(node: string, cause: string, reach: 'once' | 'lasting'): void {
    this.#causes.set(node, cause);
    if (reach === 'lasting') this.#anywhere ??= `${cause} at ${node}`;
  }

  /** Why the store of this node stopped. */
  take(node: string): string | undefined {
    const cause = this.#causes.get(node) ?? this.#anywhere;
    this.#causes.delete(node);
    return cause;
  }
}

const RESTART_MS_MAX = 1_500;
const CLONE_HOME = 'another machine';

/** Strikes; false when there was nothing to strike. */
export function strikeNode(w: Wreckage, fault: string, how: { node: SimNode; forMs: number }): boolean {
  const { node, forMs } = how;
  const { world, random, blame } = w;
  const { disk } = node;
  switch (fault) {
    case 'power cut':
      return downAndUp(w, node, () => cutPower(w, node));
    case 'process killed':
      return downAndUp(w, node, () => die(node, 'kill'));
    case 'power cut while opening':
      return downAndUp(
        w,
        node,
        () => cutPower(w, node),
        () => strikeOpening(w, node, 'powerCut', 1 + random.int(2)),
      );
    case 'killed while opening':
      return downAndUp(
        w,
        node,
        () => die(node, 'kill'),
        () => strikeOpening(w, node, 'kill', 1),
      );
    case 'restarted':
      if (!node.isServing || node.isPaused) return false;
      node.close();
      startLater(w, node);
      return true;
    case 'paused':
      if (!node.isUp || node.isPaused) return false;
      if (forMs > 1_000 && w.leases.any(node.name, world.nowMs)) w.recorder.mark('paused longer than a lease');
      node.pause();
      world.after(forMs, () => node.resume());
      return true;
    case 'sync fails while opening':
      return downAndUp(
        w,
        node,
        () => cutPower(w, node),
        () => {
          blame.put(node.name, fault, 'once');
          w.recorder.mark('sync failed while opening');
          disk.failNextSync(random.pick(['new', 'old']));
        },
      );
    case 'sync fails':
    case 'sync fails, old cache':
      if (!node.isUp) return false;
      if (!node.isServing) w.recorder.mark('sync failed while opening');
      if (hasBacklog(node)) w.recorder.mark('sync failed with a backlog to hand over');
      blame.put(node.name, fault, 'once');
      disk.failNextSync(fault === 'sync fails' ? 'new' : 'old');
      return true;
    case 'disk full':
    case 'disk read-only':
      if (!node.isUp) return false;
      blame.put(node.name, fault, 'lasting');
      disk.failWrites(fault === 'disk full' ? 'ENOSPC' : 'EROFS');
      world.after(forMs, () => disk.healWrites());
      return true;
    case 'disk slow':
      disk.latency = { meanMs: random.pick([5, 50, 300]), stallChance: 0.02, stallMs: random.pick([500, 5_000]) };
      world.after(forMs, () => {
        disk.latency = undefined;
      });
      return true;
    case 'early writeback':
      if (!node.isUp) return false;
      for (let atMs = 0; atMs < Math.min(forMs, 1_000); atMs += 1 + random.int(30)) world.after(atMs, () => disk.writeBack());
      return true;
    default:
      return strikeMedium(w, fault, how);
  }
}

/** Beyond what the product promises to survive unharmed. */
function strikeMedium(w: Wreckage, fault: string, { node, forMs }: { node: SimNode; forMs: number }): boolean {
  const { world, random, oracle, blame } = w;
  const { disk } = node;
  const cause = fault;
  switch (fault) {
    case 'block rots': {
      const place = placeInLog(w, node, 'last-frame');
      if (place === undefined) return false;
      oracle.excuse(node, cause);
      blame.put(node.name, cause, 'lasting');
      disk.rot(place.offset, place.bytes, random.pick<'zeros' | 'garbage' | 'one-bit'>(['zeros', 'garbage', 'one-bit']));
      return true;
    }
    case 'blocks unreadable': {
      const place = placeInLog(w, node, 'none');
      if (place === undefined) return false;
      oracle.excuse(node, cause, 'lasting');
      blame.put(node.name, cause, 'lasting');
      disk.failReads(place.offset, place.bytes);
      world.after(forMs, () => {
        disk.healReads();
        oracle.mended(node, 'one');
      });
      return true;
    }
    case 'flushes lie':
      if (!node.isUp) return false;
      blame.put(node.name, cause, 'lasting');
      oracle.excuse(node, cause, 'lasting');
      disk.lie();
      world.after(forMs, () => {
        oracle.mended(node, 'one');
        downAndUp(w, node, () => cutPower(w, node));
        disk.flush();
      });
      return true;
    case 'old image': {
      const image = disk.platter();
      world.after(forMs, () => replaceDisk(w, node, { image, cause }));
      return true;
    }
    case 'empty disk':
      replaceDisk(w, node, { image: undefined, cause });
      return true;
    case 'moved': {
      blame.put(node.name, cause, 'lasting');
      return downAndUp(w, node, () => {
        cutPower(w, node);
        node.home = `${CLONE_HOME} ${random.int(1_000_000)}`;
      });
    }
    default:
      throw new Error(`no such fault: ${fault}`);
  }
}

function replaceDisk(w: Wreckage, node: SimNode, what: { image: Uint8Array | undefined; cause: string }): void {
  const { random, oracle, blame } = w;
  blame.put(node.name, what.cause, 'lasting');
  if (node.isUp) cutPower(w, node);
  oracle.excuse(node, what.cause);
  const { bytes } = node.disk;
  node.insert(what.image === undefined ? node.blankDisk() : new SimDisk({ bytes, random, completion: 'stepped' }, what.image));
  startLater(w, node);
}

/** Power off, in whatever is going on. */
export function cutPower(w: Wreckage, node: SimNode): void {
  const { recorder } = w;
  const { disk } = node;
  const [first] = disk.pending;
  recorder.mark(first === undefined ? 'power cut with nothing on its way' : 'power cut with a write on its way');
  if (node.isUp && !node.isServing) recorder.mark('power cut while opening');
  if (first !== undefined && w.oracle.isMoving(node)) recorder.mark('power cut while cleaning');
  if (hasBacklog(node)) recorder.mark('power cut with a backlog to hand over');
  if (w.leases.any(node.name, w.world.nowMs)) recorder.mark('power cut with a message under lease');
  if (first !== undefined && first.offset + first.bytes.length >= disk.bytes - 6 * first.bytes.length)
    recorder.mark('power cut at the end of the ring');
  die(node, 'powerCut');
}

function die(node: SimNode, how: 'powerCut' | 'kill'): void {
  if (how === 'kill') node.kill();
  else node.powerCut();
}

function downAndUp(w: Wreckage, node: SimNode, down: () => void, up?: () => void): boolean {
  if (!node.isUp) return false;
  down();
  startLater(w, node, up);
  return true;
}

function startLater({ world, random }: Wreckage, node: SimNode, then?: () => void): void {
  world.after(random.int(RESTART_MS_MAX), () => {
    if (node.isUp) return;
    node.start();
    then?.();
  });
}

/** While it opens its store, it goes down again, so many times. */
function strikeOpening(w: Wreckage, node: SimNode, how: 'powerCut' | 'kill', times: number): void {
  const { world, random } = w;
  world.after(random.next() * 30, () => {
    if (!node.isUp) return;
    if (how === 'powerCut') {
      if (times > 1 && !node.isServing) w.recorder.mark('power cut while opening, twice');
      cutPower(w, node);
    } else {
      die(node, how);
    }
    startLater(w, node, times > 1 ? () => strikeOpening(w, node, how, times - 1) : undefined);
  });
}

/**
 * A block that the log needs, with its neighbours now and then. Rot that reaches to the end of the log cannot be told from a write that never was
 * (docs/ring-file.md): nothing is promised of it.
 */
function placeInLog(
  { random }: Wreckage,
  node: SimNode,
  except: 'none' | 'last-frame',
): { offset: number; bytes: number } | undefined {
  const platter = node.disk.platter();
  const { geometry } = node;
  const superblock = superblockOf(node.disk, geometry);
  if (superblock === undefined) return undefined;
  const { blockBytes, blockCount } = geometry;
  const frames = framesOn(platter, geometry, sealOf(superblock, crc32));
  const tail = frames.at(-1)?.tailLsn ?? 0;
  const inLog = frames.filter(({ lsn }) => lsn >= tail);
  const log = except === 'none' ? inLog : inLog.slice(0, -1);
  const frame = log[random.int(Math.max(1, log.length))];
  if (frame === undefined) return undefined;
  const lsn = frame.lsn + random.int(frame.blocks);
  const spared = except === 'none' ? Number.POSITIVE_INFINITY : (inLog.at(-1)?.lsn ?? 0);
  const blocks = Math.min(blockCount - (lsn % blockCount), 1 + random.int(3), spared - lsn);
  return { offset: (2 + (lsn % blockCount)) * blockBytes, bytes: blocks * blockBytes };
}

export function hasBacklog(node: SimNode): boolean {
  return (node.stats()?.outgoing ?? []).some(({ held }) => held > 0);
}

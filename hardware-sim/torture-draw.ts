/** What a seed of the ring's torture stands for: which ring, which manners of those who use it, and what breaks. */
import { fileBytesOf, geometryFor, geometryIsSafe, type RingGeometry } from '../shared/ring/geometry.ts';
import { type Prng, type Seed, stream } from './random.ts';

/**
 * `crashes`: power cuts that tear, kills, failed syncs. `kills`: writes arrive whole, so that messages may contain anything at all.
 * `rot`: crashes, and blocks that rot or cannot be read. `lies`: crashes, and stretches in which flushes are not what they say.
 */
export type Harm = 'crashes' | 'kills' | 'rot' | 'lies';
export type Sizes = 'empty' | 'small' | 'mixed' | 'large' | 'any';
export type Order = 'oldest' | 'newest' | 'random';

export interface TortureDraw {
  readonly geometry: RingGeometry;
  readonly harm: Harm;
  readonly steps: number;
  /** Per step. */
  readonly crashRate: number;
  /** Per step, of rot and lies. */
  readonly harmRate: number;
  /** Per opening: that it is cut short, which is then asked again. */
  readonly cutShortRate: number;
  /** Part of what may live that is kept filled. Above 1: senders never stop. */
  readonly fullness: number;
  readonly sizes: Sizes;
  readonly order: Order;
  readonly metaKeys: number;
  readonly metaBytesMax: number;
  /** Of messages: made to look like parts of a ring. */
  readonly hostileRate: number;
  readonly commitDelayMs: number;
  readonly cacheBytesMax: number;
  readonly pendingBytesMax: number;
  /** Part of the steps after which the disk does nothing, so that batches pile up. */
  readonly idleRate: number;
}

const MIB = 1024 * 1024;
/** Of the disk of a ring that is no preset. A larger one is copied at every crash, and tells nothing new. */
const DISK_BYTES_MAX = 2 * MIB;

export function drawTorture(seed: Seed): TortureDraw {
  const random = stream(seed, 'draw');
  const geometry = drawGeometry(random);
  const harm = random.pick<Harm>(['crashes', 'crashes', 'crashes', 'kills', 'rot', 'rot', 'lies']);
  return {
    geometry,
    harm,
    steps: 60 + random.int(geometry.blockBytes > 1024 ? 200 : 500),
    crashRate: random.pick([0.005, 0.02, 0.05, 0.2]),
    harmRate: random.pick([0.005, 0.02, 0.06]),
    cutShortRate: random.pick([0, 0.3, 0.6, 0.85]),
    fullness: random.chance(0.6) ? 0.85 + 0.3 * random.next() : random.next(),
    sizes: random.pick<Sizes>(['empty', 'small', 'mixed', 'mixed', 'large', 'any']),
    order: random.pick<Order>(['oldest', 'newest', 'random', 'random']),
    metaKeys: random.pick([1, 4, 12, 60]),
    metaBytesMax: random.pick([8, 60, 60, 600, 4096]),
    hostileRate: random.pick([0, 0, 0.05, 0.3]),
    commitDelayMs: random.pick([0, 0, 0, 1, 20]),
    cacheBytesMax: random.pick([0, 0, 4096, MIB]),
    pendingBytesMax: random.pick([4 * MIB, 4 * MIB, 16_384, 2000]),
    idleRate: random.pick([0.1, 0.4, 0.8]),
  };
}

function drawGeometry(random: Prng): RingGeometry {
  const blockBytes = random.pick([512, 512, 512, 1024, 2048, 4096]);
  const preset = random.next();
  if (preset < 0.08) return geometryFor((4100 + random.int(300)) * 512, 512); // the large preset
  if (preset < 0.5) return geometryFor((388 + random.int(random.chance(0.7) ? 20 : 400)) * blockBytes, blockBytes);
  for (;;) {
    const geometry = {
      blockBytes,
      blockCount: 384 + random.int(random.chance(0.7) ? 60 : 600),
      frameBlocksMax: 4 + random.int(random.chance(0.5) ? 14 : 40),
      livePermille: random.pick([50, 300, 400, 480, 499]),
      cleanDivisor: 2 + random.int(7),
    };
    if (geometryIsSafe(geometry) && fileBytesOf(geometry) <= DISK_BYTES_MAX) return geometry;
  }
}

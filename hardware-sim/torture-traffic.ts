/** What applications do to a ring that is tortured: which batches they append, and what is in them. Keeps numbers, which only grow. */
import { encodeFrame, type FrameKind, type FrameSeal } from '../shared/ring/frame-layout.ts';
import { bodyBytesMaxOf } from '../shared/ring/geometry.ts';
import type { Prng } from './random.ts';
import type { ModelBatch, RingHarness } from './ring-harness.ts';
import type { TortureDraw } from './torture-draw.ts';

export class Traffic {
  readonly #draw: TortureDraw;
  readonly #h: RingHarness;
  readonly #random: Prng;
  readonly #seal: FrameSeal;
  #number = 1;

  constructor(draw: TortureDraw, parts: { h: RingHarness; random: Prng; seal: FrameSeal }) {
    this.#draw = draw;
    this.#h = parts.h;
    this.#random = parts.random;
    this.#seal = parts.seal;
  }

  nextNumber(): number {
    return this.#number++;
  }

  /** `isLeaving`: an acknowledgement of this message is under way. */
  batch(isLeaving: (number: number) => boolean): ModelBatch {
    const h = this.#h;
    const random = this.#random;
    const live = h.numbers();
    const roll = random.next();
    const isWanting = h.ring.bytesUsed < this.#draw.fullness * h.ring.bytesMax;
    if (live.length === 0 || (isWanting && roll < 0.6) || roll < 0.25) return { puts: this.#puts() };
    if (roll < 0.72) return { acks: Array.from({ length: 1 + random.int(4) }, () => this.one(live)) };
    if (roll < 0.82) return { metas: Array.from({ length: 1 + random.int(3) }, () => this.meta()) };
    if (roll < 0.88) {
      const state = { number: this.one(live), deliveryCount: random.int(99), notBeforeMs: random.int(99_999) };
      return { states: [state] };
    }
    if (roll < 0.93) return this.#replacement(live, isLeaving);
    if (roll < 0.95) return { acks: live.slice(0, 40), reason: 'purged' };
    if (roll < 0.96) return {};
    return { puts: this.#puts(), acks: [this.one(live)], metas: [this.meta()], reason: 'dropped' };
  }

  #puts() {
    const { random, max } = { random: this.#random, max: bodyBytesMaxOf(this.#draw.geometry) };
    const count = random.chance(0.25) ? 2 + random.int(3) : 1;
    return Array.from({ length: count }, () => {
      const number = this.nextNumber();
      const priority = random.int(8);
      const body = random.chance(this.#draw.hostileRate) ? this.#hostileBody() : undefined;
      if (body !== undefined && body.length <= max) return { number, priority, bytes: body.length, body };
      const bytes = this.#bytes();
      return { number, priority, bytes: count > 1 ? Math.min(bytes, Math.floor(max / count)) : bytes };
    });
  }

  /** Sometimes a byte more than is allowed. */
  #bytes(): number {
    const random = this.#random;
    const max = bodyBytesMaxOf(this.#draw.geometry);
    const atMost = (bytes: number) => Math.min(bytes, max + 1);
    switch (this.#draw.sizes) {
      case 'empty':
        return random.chance(0.95) ? 0 : 1;
      case 'small':
        return atMost(random.int(300));
      case 'mixed':
        return atMost(random.int(random.chance(0.1) ? max + 2 : 900));
      case 'large':
        return max + 1 - random.int(random.chance(0.5) ? 3 : Math.floor(max / 3));
      case 'any':
        return random.int(max + 2);
    }
  }

  one(live: readonly number[]): number {
    const { order } = this.#draw;
    const random = this.#random;
    const near = Math.min(live.length, 1 + random.int(3));
    const at = order === 'random' ? random.int(live.length) : order === 'oldest' ? near - 1 : live.length - near;
    return live[at] ?? 0;
  }

  meta() {
    const random = this.#random;
    const key = `k${random.int(this.#draw.metaKeys)}`;
    if (random.chance(0.15)) return { key, value: undefined };
    const byte = (16 + random.int(240)).toString(16);
    return { key, value: byte.repeat(random.int(this.#draw.metaBytesMax + 1)) };
  }

  /** A message that takes the place of another, as a dead letter does: a little larger, in the same frame. */
  #replacement(live: readonly number[], isLeaving: (number: number) => boolean): ModelBatch {
    const number = this.one(live);
    if (isLeaving(number)) return { acks: [number] };
    const bytes = (this.#h.durable.messages.get(number)?.bytes ?? 0) + this.#random.int(80);
    return { acks: [number], reason: 'replaced', puts: [{ number: this.nextNumber(), bytes }] };
  }

  /** Blocks as they stand in the file, or frames that could come next, where blocks of the new frame will begin. */
  #hostileBody(): Uint8Array {
    const { geometry, harm } = this.#draw;
    const { blockBytes, blockCount } = geometry;
    const random = this.#random;
    const first = blockBytes - 128;
    const blocks = 1 + random.int(Math.max(1, Math.floor(geometry.frameBlocksMax / 2)));
    const body = new Uint8Array(first + blocks * blockBytes);
    const { index } = this.#h.ring;
    const head = Math.max(blockCount, ...[...index.slots()].map((slot) => index.lsn(slot)));
    // Who knows the file id may forge frames inside a message that a power cut tears: docs/ring-file.md says so.
    const seal = harm === 'kills' && random.chance(0.7) ? this.#seal : { ...this.#seal, seed: random.uint32() };
    for (let i = 0; i < blocks; i++) {
      const into = new Uint8Array(blockBytes);
      if (random.chance(0.5)) {
        const from = random.chance(0.05) ? random.int(2) : 2 + random.int(blockCount);
        this.#tryRead(from * blockBytes, into);
      } else {
        const lsn = head + 1 + i + random.int(3);
        const kind = random.pick<FrameKind>(['data', 'open', 'copies']);
        const next = { kind, epoch: 1 + random.int(500), lsn, seq: 2 + random.int(400) };
        const header = { ...next, prevCrc: 0, tailLsn: lsn - random.int(3), nextId: 1, relogged: random.int(20), queueTimeMs: 0 };
        const value = new Uint8Array(1);
        encodeFrame(header, { entries: [{ kind: 'meta', key: 'forged', value }], bodies: [], into }, seal);
      }
      body.set(into, first + i * blockBytes);
    }
    return body;
  }
  #tryRead(offset: number, into: Uint8Array): void {
    try {
      this.#h.disk.read(offset, into);
    } catch {
      into.fill(0); // an unreadable block makes a dull message
    }
  }
}

/**
 * A ring on a simulated disk beside a model of what it must hold: a map of messages and a map of META values. A test names messages
 * by `number`; bodies follow from it, so that wrong content is seen. The model knows two states: what was called durable, and the
 * batches after it that nobody has been answered for yet. After a crash the ring must hold the first with a prefix of the second.
 */

import { invariant } from '../shared/assert.ts';
import { toHex } from '../shared/bytes.ts';
import type { AckReason } from '../shared/ring/entry-layout.ts';
import type { RingGeometry } from '../shared/ring/geometry.ts';
import { NO_SLOT } from '../shared/ring/message-index.ts';
import { type Batch, EPOCH_KEY, LOST_KEY, type Outcome, type Ring, type RingOptions } from '../shared/ring/ring.ts';
import type { Prng } from './random.ts';
import { formattedDisk, openRing, type RingDriver } from './ring-driver.ts';
import type { ChooseFate, Completion, SimDisk } from './sim-disk.ts';

export interface ModelPut {
  readonly number: number;
  readonly bytes: number;
  readonly priority?: number;
  /** Instead of what follows from `number`. */
  readonly body?: Uint8Array;
}

/** What is left out stays. `queue`: moved there. */
export interface ModelState {
  readonly number: number;
  readonly deliveryCount?: number;
  readonly notBeforeMs?: number;
  readonly queue?: number;
  readonly moveCount?: number;
}

export interface ModelBatch {
  readonly puts?: readonly ModelPut[];
  readonly acks?: readonly number[];
  /** Why they go; `acknowledged` unless said. */
  readonly reason?: AckReason;
  readonly states?: readonly ModelState[];
  readonly metas?: readonly { readonly key: string; readonly value: string | undefined }[];
}

interface ModelMessage {
  readonly bytes: number;
  readonly priority: number;
  readonly body: Uint8Array | undefined;
  deliveryCount: number;
  notBeforeMs: number;
  queue: number;
  moveCount: number;
}

/** Of every message that was not moved. */
const QUEUE = 7;

export class RingModel {
  readonly messages = new Map<number, ModelMessage>();
  readonly metas = new Map<string, string>();

  apply(batch: ModelBatch): void {
    for (const { number, bytes, priority = 3, body } of batch.puts ?? []) {
      this.messages.set(number, { bytes, priority, body, deliveryCount: 0, notBeforeMs: 0, queue: QUEUE, moveCount: 0 });
    }
    for (const number of batch.acks ?? []) this.messages.delete(number);
    for (const { number, ...state } of batch.states ?? []) {
      const message = this.messages.get(number);
      if (message !== undefined) Object.assign(message, state);
    }
    for (const { key, value } of batch.metas ?? []) {
      if (value === undefined) this.metas.delete(key);
      else this.metas.set(key, value);
    }
  }

  copy(): RingModel {
    const copy = new RingModel();
    for (const [number, message] of this.messages) copy.messages.set(number, { ...message });
    for (const [key, value] of this.metas) copy.metas.set(key, value);
    return copy;
  }

  /** Everything the ring must show, as one text per item, sorted. */
  lines(): string[] {
    const lines = [...this.messages].map(([number, m]) => line(number, m));
    for (const [key, value] of this.metas) lines.push(`meta ${key} = ${value}`);
    return lines.sort();
  }
}

function line(number: number, m: Omit<ModelMessage, 'body'>): string {
  const where = `queue ${m.queue} moves ${m.moveCount}`;
  return `message ${number} bytes ${m.bytes} priority ${m.priority} deliveries ${m.deliveryCount} notBefore ${m.notBeforeMs} ${where}`;
}

/** The body of message `number`: other numbers, other bytes. */
export function modelBody({ number, bytes, body }: ModelPut): Uint8Array {
  if (body !== undefined) return body;
  const made = new Uint8Array(bytes);
  let state = (number * 2654435761) >>> 0;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    made[i] = state >>> 24;
  }
  return made;
}

/** What a ring shows, in the words of `RingModel.lines`. */
export function ringLines(ring: Ring): string[] {
  const { index } = ring;
  const lines: string[] = [];
  for (const slot of index.slots()) {
    invariant(index.stream(slot) === 9 && index.expiresAtMs(slot) === 12_345, 'fields survive');
    invariant(index.epochCounter(slot) === 21 && index.epochRandom(slot) === 0xfedc_ba98, 'the epoch of a number survives');
    lines.push(
      line(index.number(slot), {
        bytes: index.bodyBytes(slot),
        priority: index.priority(slot),
        deliveryCount: index.deliveryCount(slot),
        notBeforeMs: index.notBeforeMs(slot),
        queue: index.queue(slot),
        moveCount: index.moveCount(slot),
      }),
    );
  }
  for (const [key, value] of ring.metas.withPrefix(''))
    if (key !== EPOCH_KEY && key !== LOST_KEY) lines.push(`meta ${key} = ${toHex(value)}`);
  return lines.sort();
}

export interface HarnessOptions {
  readonly geometry: RingGeometry;
  readonly random: Prng;
  readonly completion?: Completion;
  readonly ring?: Partial<RingOptions>;
}

/** A fresh ring, being opened: `settle` finishes that. */
export function freshHarness(options: HarnessOptions): RingHarness {
  return new RingHarness(formattedDisk(options.geometry, options.random, options.completion), options.ring);
}

export class RingHarness {
  readonly disk: SimDisk;
  /** What was called durable. */
  durable = new RingModel();
  nowMs = 1000;
  /** Answered with anything but `durable`. */
  readonly refused: Outcome[] = [];
  readonly #ringOptions: Partial<RingOptions>;
  #driver: RingDriver | undefined;
  #outstanding: ModelBatch[] = [];
  #epoch = 1;
  #lastId = 0;

  /** `crashed`: there is no ring until `reopen`. */
  constructor(disk: SimDisk, ringOptions: Partial<RingOptions> = {}, start: 'opening' | 'crashed' = 'opening') {
    this.#ringOptions = ringOptions;
    this.disk = disk;
    if (start === 'opening') this.#driver = openRing(disk, ringOptions);
  }

  get driver(): RingDriver {
    invariant(this.#driver !== undefined, 'the ring was opened');
    return this.#driver;
  }

  /** The same moment on a disk of its own, for a crash: cut the power of it or kill it, then `reopen`. */
  fork(random: Prng): RingHarness {
    const fork = new RingHarness(this.disk.clone(random), this.#ringOptions, 'crashed');
    fork.durable = this.durable.copy();
    fork.nowMs = this.nowMs;
    fork.#outstanding = [...this.#outstanding];
    fork.#epoch = this.#epoch;
    fork.#lastId = this.#lastId;
    return fork;
  }

  get ring(): Ring {
    return this.driver.ring;
  }

  get outstandingCount(): number {
    return this.#outstanding.length;
  }

  play(): void {
    this.driver.play(this.nowMs);
  }

  /** Plays to rest, completing writes. */
  settle(): void {
    do this.play();
    while (this.disk.step());
  }

  /** @throws as `Ring.append`; then the model is unchanged */
  append(batch: ModelBatch, delayMs = 0): void {
    const { ring } = this;
    ring.append(this.#realBatch(batch), { nowMs: this.nowMs, delayMs }, (outcome, slots) => {
      if (outcome !== 'durable') {
        this.refused.push(outcome);
        return;
      }
      invariant(this.#outstanding[0] === batch, 'batches become durable in order');
      this.#outstanding.shift();
      this.durable.apply(batch);
      for (const slot of slots) {
        const id = ring.index.id(slot);
        invariant(id > this.#lastId, `id ${id} was used before`);
        this.#lastId = id;
      }
    });
    this.#outstanding.push(batch);
  }

  /** Appends and settles. */
  commit(batch: ModelBatch): void {
    this.append(batch);
    this.settle();
  }

  /** Numbers of the messages there are, oldest first. */
  numbers(): number[] {
    return [...this.durable.messages.keys()];
  }

  powerCut(choose?: ChooseFate): void {
    this.disk.powerCut(choose);
  }

  /** Opens what is on the disk and checks it against the model; what was outstanding is decided by what is found. */
  reopen(): void {
    this.beginReopen();
    this.settle();
    this.decide();
  }

  /** Begins to open what is on the disk: `settle` and `decide` finish it, or another crash. */
  beginReopen(): void {
    this.#epoch += 1;
    this.#driver = openRing(this.disk, { ...this.#ringOptions, epochRandom: this.#epoch });
  }

  /** Every body, read from the file and compared. */
  checkBodies(): void {
    const { ring, driver } = this;
    for (const slot of [...ring.index.slots()]) {
      const number = ring.index.number(slot);
      const message = this.durable.messages.get(number);
      invariant(message !== undefined, `message ${number} is a phantom`);
      const body = readBody(driver, ring.index.id(slot), this.nowMs);
      const { bytes } = message;
      const expected = modelBody(message.body === undefined ? { number, bytes } : { number, bytes, body: message.body });
      invariant(body !== undefined && toHex(body) === toHex(expected), `message ${number} has its own body`);
    }
  }

  /** Fails unless the ring shows exactly what was called durable. */
  check(): void {
    const difference = differenceOf(ringLines(this.ring), this.durable.lines());
    invariant(difference === '', `the ring differs from the model:\n${difference}`);
  }

  /** What was outstanding when the ring went is decided by what it shows now. */
  decide(): void {
    invariant(this.ring.state === 'serving', `the ring serves: ${this.ring.failure?.message}`);
    const shown = ringLines(this.ring);
    const candidate = this.durable.copy();
    let difference = differenceOf(shown, candidate.lines());
    for (const batch of this.#outstanding) {
      if (difference === '') break;
      candidate.apply(batch);
      difference = differenceOf(shown, candidate.lines());
    }
    invariant(difference === '', `no prefix of the outstanding batches explains what is there:\n${difference}`);
    this.durable = candidate;
    this.#outstanding = [];
  }

  /** What the ring shows is the truth from now on: after damage, when it may be less than what was called durable. */
  believe(): void {
    const { index, metas } = this.ring;
    const truth = new RingModel();
    this.#lastId = 0;
    for (const slot of [...index.slots()].sort((a, b) => index.id(a) - index.id(b))) {
      const number = index.number(slot);
      const count = { deliveryCount: index.deliveryCount(slot), moveCount: index.moveCount(slot) };
      const state = { number, ...count, notBeforeMs: index.notBeforeMs(slot), queue: index.queue(slot) };
      const put = { number, bytes: index.bodyBytes(slot), priority: index.priority(slot) };
      const body = this.durable.messages.get(number)?.body;
      truth.apply({ puts: [body === undefined ? put : { ...put, body }], states: [state] });
      this.#lastId = index.id(slot);
    }
    for (const [key, value] of metas.withPrefix(''))
      if (key !== EPOCH_KEY && key !== LOST_KEY) truth.metas.set(key, toHex(value));
    this.durable = truth;
    this.#outstanding = [];
  }

  #realBatch(batch: ModelBatch): Batch {
    const { index } = this.ring;
    const ids = new Map<number, number>();
    if (batch.acks || batch.states) for (const slot of index.slots()) ids.set(index.number(slot), index.id(slot));
    return {
      puts: (batch.puts ?? []).map((put) => ({
        queue: QUEUE,
        stream: 9,
        epochCounter: 21,
        epochRandom: 0xfedc_ba98,
        deliveryCount: 0,
        expiresAtMs: 12_345,
        notBeforeMs: 0,
        number: put.number,
        priority: put.priority ?? 3,
        body: modelBody(put),
      })),
      acks: (batch.acks ?? []).map((number) => ({ id: ids.get(number) ?? 0, reason: batch.reason ?? 'acknowledged' })),
      states: (batch.states ?? []).map(({ number, ...state }) => ({ id: ids.get(number) ?? 0, ...state })),
      metas: (batch.metas ?? []).map(({ key, value }) => ({ key, value: value === undefined ? undefined : bytesOfHex(value) })),
    };
  }
}

/** The body of a message by id, past the cache; undefined when it is gone or corrupt. */
export function readBody(driver: RingDriver, id: number, nowMs: number): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  invariant(driver.ring.index.find(id) !== NO_SLOT, `message id ${id} is there`);
  driver.ring.fetchBody(id, (result) => {
    found = result.kind === 'body' ? result.body : undefined;
  });
  driver.play(nowMs);
  return found;
}

/** Lines of one list that the other lacks; empty when they are the same. */
export function differenceOf(shown: readonly string[], expected: readonly string[]): string {
  const [isShown, isExpected] = [new Set(shown), new Set(expected)];
  const extra = shown.filter((text) => !isExpected.has(text)).map((text) => `  too much: ${text}`);
  const missing = expected.filter((text) => !isShown.has(text)).map((text) => `  missing:  ${text}`);
  return [...extra, ...missing].join('\n');
}

function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

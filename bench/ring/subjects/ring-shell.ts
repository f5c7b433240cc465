/**
 * Promises around the product's own ring, queues and file: what shared/core/drive.ts is to a node, without the node. Appends of one
 * turn of the event loop share a frame; whatever arrives while a frame is on its way rides the next one.
 *
 *   append ──▶ (end of this turn) pump ──▶ write ──▶ durable ──▶ promises of that frame
 */
import { RingmailError } from '../../../shared/errors.ts';
import type { RingFile } from '../../../shared/ports.ts';
import { type Queue, Queues } from '../../../shared/queue/queues.ts';
import type { RingOutput } from '../../../shared/ring/file-io.ts';
import { NO_SLOT } from '../../../shared/ring/message-index.ts';
import type { Batch, Outcome, Ring } from '../../../shared/ring/ring.ts';
import type { Received } from './subject.ts';

const EPOCH = { epochCounter: 1, epochRandom: 1 };

export class RingShell {
  readonly ring: Ring;
  readonly #file: RingFile;
  #queues: Queues | undefined;
  #queue: Queue | undefined;
  #nextNumber = 1;
  #isScheduled = false;
  #nowMs = performance.now();
  #whenServing: { resolve: () => void; reject: (error: Error) => void } | undefined;
  readonly #turn = () => {
    this.#isScheduled = false;
    this.#nowMs = performance.now();
    this.ring.pump(this.#nowMs);
    this.#perform();
  };

  constructor(ring: Ring, file: RingFile) {
    this.ring = ring;
    this.#file = file;
  }

  /** Opens the ring and puts every message that it holds into its queue. */
  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#whenServing = { resolve, reject };
      this.#perform();
    });
    const { index } = this.ring;
    this.#queues = new Queues(index);
    this.#queue = this.#queues.define('bench', { id: 1, bytesLimit: Number.MAX_SAFE_INTEGER });
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    for (const slot of slots) this.#queues.enqueue(slot);
  }

  put(priority: number, body: Uint8Array): Promise<void> {
    const number = this.#nextNumber++;
    const rest = { deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0 };
    return this.append({ puts: [{ queue: 1, priority, stream: 1, number, ...EPOCH, ...rest, body }] });
  }

  receive(): Received | Promise<Received> {
    const { queues, queue } = this.#known;
    const slot = queues.take(queue);
    if (slot === NO_SLOT) throw new Error('nothing to receive');
    const id = this.ring.index.id(slot);
    const body = this.ring.cachedBody(slot);
    return body === undefined ? this.#fetch(id) : { id, body };
  }

  ack({ id }: Received): Promise<void> {
    const done = this.append({ acks: [{ id, reason: 'acknowledged' }] });
    this.#known.queues.finish(this.ring.index.find(id));
    return done;
  }

  append(batch: Batch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.ring.append(batch, { nowMs: this.#nowMs, delayMs: 0 }, (outcome, slots) =>
        this.#settled(outcome, { slots, resolve, reject }),
      );
      this.#wake();
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.ring.close(resolve);
      this.#wake();
    });
  }

  get #known() {
    const { queues, queue } = { queues: this.#queues, queue: this.#queue };
    if (queues === undefined || queue === undefined) throw new Error('not open');
    return { queues, queue };
  }

  #settled(outcome: Outcome, { slots, resolve, reject }: Waiting): void {
    if (outcome !== 'durable') return reject(this.ring.failure ?? new RingmailError('NODE_STOPPED', { reason: outcome }));
    const { queues } = this.#known;
    for (const slot of slots) queues.enqueue(slot);
    resolve();
  }

  #fetch(id: number): Promise<Received> {
    return new Promise((resolve, reject) => {
      this.ring.fetchBody(id, (result) => {
        if (result.kind === 'body') resolve({ id, body: result.body });
        else reject(new Error(`message ${id} is ${result.kind}`));
      });
      this.#perform();
    });
  }

  /** Nothing is written from inside a call: what the rest of this turn appends comes along. */
  #wake(): void {
    if (this.#isScheduled || this.ring.wakeAtMs === undefined) return;
    this.#isScheduled = true;
    setImmediate(this.#turn);
  }

  #perform(): void {
    for (let outputs = this.ring.takeOutputs(); outputs.length > 0; outputs = this.ring.takeOutputs()) {
      for (const output of outputs) this.#performOne(output);
    }
    this.#advance();
    this.#wake();
  }

  #performOne(output: RingOutput): void {
    const { id } = output;
    const fail = (error: unknown) =>
      this.ring.input({ kind: output.kind === 'read' ? 'readFailed' : 'failed', id, reason: String(error) });
    try {
      if (output.kind === 'read') {
        const bytes = new Uint8Array(output.length);
        const pending = this.#file.read(output.offset, bytes);
        const done = () => this.ring.input({ kind: 'readDone', id, bytes });
        if (pending === undefined) return done();
        pending.then(done, fail).then(() => this.#perform());
        return;
      }
      const { offset, bytes, fence } = output;
      const pending =
        fence === undefined ? this.#file.writeDurable(offset, bytes) : this.#file.writeDurable(offset, bytes, fence);
      if (pending === undefined) return this.ring.input({ kind: 'flushed', id });
      pending.then(() => this.ring.input({ kind: 'flushed', id }), fail).then(() => this.#perform());
    } catch (error) {
      fail(error);
    }
  }

  #advance(): void {
    const waiting = this.#whenServing;
    if (waiting === undefined || this.ring.state === 'opening') return;
    this.#whenServing = undefined;
    if (this.ring.state === 'serving') waiting.resolve();
    else waiting.reject(this.ring.failure ?? new Error(this.ring.state));
  }
}

interface Waiting {
  readonly slots: readonly number[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What is going on in a hall, for people: the nodes' own statistics, and the application's file as it grows. */

import { closeSync, openSync, readSync } from 'node:fs';
import type { Stats } from '../../shared/core/calls.ts';
import { RingmailError } from '../../shared/errors.ts';
import { ApiClient } from '../../shared/node/api/client.ts';
import { type ArrivalRecord, RecordReader } from './hall-arrivals.ts';

/** How often a node is asked, in ms. */
const ASK_MS = 500;
/** A node that takes longer counts as silent, in ms. */
const ANSWER_MS_MAX = 2_000;
/** Bytes of one read. */
const CHUNK_BYTES = 65_536;

export interface Watched {
  /** Of its last answer, however long ago. */
  readonly stats: Stats | undefined;
  /**
   * Frames its ring was seen to write, over all openings. A node counts those of the present one; what it wrote between the last
   * answer and a kill is not among them.
   */
  readonly framesSeen: number;
}

/** Asks a node again and again. */
export class NodeWatch implements Watched {
  /** Of its last answer, however long ago. */
  stats: Stats | undefined;
  state: 'silent' | 'answering' = 'silent';
  readonly #client: ApiClient;
  /** Of each opening, as last seen. */
  readonly #framesByEpoch = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(socketPath: string) {
    this.#client = new ApiClient({ socketPath, answerMs: ANSWER_MS_MAX });
    void this.#askOn();
  }

  get framesSeen(): number {
    return [...this.#framesByEpoch.values()].reduce((sum, frames) => sum + frames, 0);
  }

  /** Asks now. Never rejects: a node that does not answer is silent. */
  async ask(): Promise<void> {
    try {
      const stats = await this.#client.stats();
      this.stats = stats;
      const { epoch, ring } = stats;
      this.#framesByEpoch.set(epoch, Math.max(ring.framesWritten, this.#framesByEpoch.get(epoch) ?? 0));
      this.state = 'answering';
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.state = 'silent';
    }
  }

  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#client.close();
  }

  async #askOn(): Promise<void> {
    await this.ask();
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#askOn(), ASK_MS);
  }
}

/** The application's file, read as it grows. */
export class ArrivalTail {
  readonly records: ArrivalRecord[] = [];
  readonly counts = { received: 0, dead: 0, redelivered: 0 };
  readonly #identities = new Set<string>();
  readonly #reader = new RecordReader();
  readonly #file: number;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);

  /** The file is there from now on, empty if it was not. */
  constructor(path: string) {
    this.#file = openSync(path, 'a+');
  }

  /** Different messages seen. */
  get identityCount(): number {
    return this.#identities.size;
  }

  /** Lines that are not what the application writes. */
  get unreadable(): number {
    return this.#reader.unreadable;
  }

  /** Reads what has come since. */
  read(): void {
    for (let length = this.#read(); length > 0; length = this.#read()) {
      const text = Buffer.from(this.#chunk.buffer, 0, length).toString('latin1');
      for (const record of this.#reader.push(text)) this.#take(record);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(): number {
    return readSync(this.#file, this.#chunk, 0, CHUNK_BYTES, null);
  }

  #take(record: ArrivalRecord): void {
    this.records.push(record);
    if (record.kind === 'redelivered') {
      this.counts.redelivered += 1;
      return;
    }
    this.#identities.add(record.arrival.identity);
    if (record.arrival.ending === undefined) this.counts.received += 1;
    else this.counts.dead += 1;
  }
}

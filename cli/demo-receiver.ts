/**
 * The receiving application of the demo, a process of its own as it would be in a hall. It does what the documentation tells every
 * application to do whose effects lie outside the ring:
 *
 *   lease ──▶ seen before? ── no ──▶ write it down, sync ──▶ remember ──▶ ack
 *                └────────── yes ─▶ note that it was skipped ───────────▶ ack
 *
 * A crash between the sync and the ack brings the message again; its identity, found in the file, says that its effect has happened.
 */

import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Arrival, type ArrivalRecord, formatRecord, RecordReader } from '../hardware-sim/hall/hall-arrivals.ts';
import type { Received } from '../shared/core/calls.ts';
import { RingmailError } from '../shared/errors.ts';
import { identityText } from '../shared/message/identity.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { defineCommand, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import type { World } from './world.ts';

/** One long poll, in ms. */
const WAIT_MS = 5_000;
/** How long a message is ours, in ms: writing it down takes milliseconds, a stalled disk perhaps a second. */
const LEASE_MS = 10_000;
/** Beyond the wait, in ms: a node that does not answer is asked again. */
const ANSWER_MS_MAX = 5_000;
/** Pause before a node is asked again that is not there, in ms. */
const RETRY_MS = 200;

/** Queues of one receiver, at most. */
const SOURCE_COUNT_MAX = 64;

interface Source {
  readonly queue: string;
  readonly socket: string;
}

export const demoReceiver = defineCommand(
  {
    name: 'demo-receiver',
    listed: 'no',
    summary: 'the receiving application of the demo',
    operands: '<queue>=<socket> ...',
    operandCount: { min: 1, max: SOURCE_COUNT_MAX },
    options: { file: { type: 'string', value: 'path', help: 'what it takes is written here, one line of JSON each' } },
    notes: ['Takes what arrives in these queues and writes it down, synced, before it acknowledges. Ends on SIGTERM.'],
  },
  async ({ values, operands }, world) => {
    if (values.file === undefined) throw usage('--file is missing');
    const sources = operands.map(sourceOf);
    const book = await ArrivalBook.open(resolve(world.cwd, values.file));
    try {
      await Promise.all(sources.map((source) => serveQueue(source, book, world)));
    } finally {
      await book.close();
    }
    return EXIT.ok;
  },
);

function sourceOf(text: string): Source {
  const equals = text.indexOf('=');
  if (equals <= 0) throw usage(`${text} is not <queue>=<socket>`);
  return { queue: text.slice(0, equals), socket: text.slice(equals + 1) };
}

/** Takes what comes, one at a time and in order, until the signal. A node that is down is asked until it is up again. */
async function serveQueue(source: Source, book: ArrivalBook, world: World): Promise<void> {
  const { queue, socket } = source;
  const client = new ApiClient({ socketPath: socket, answerMs: ANSWER_MS_MAX });
  let lastTrouble = '';
  while (!world.signal.aborted) {
    try {
      const received = await client.receive(queue, { waitMs: WAIT_MS, leaseMs: LEASE_MS, signal: world.signal });
      if (received === undefined) continue;
      await book.take(arrivalOf(queue, received));
      await client.ack(received.lease);
      lastTrouble = '';
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      // Not acknowledged, or not known to be: the message comes again, and the book knows whether it was taken.
      if (error.message !== lastTrouble) await world.stderr(`${queue} of ${socket}: ${error.message}\n`);
      lastTrouble = error.message;
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
  client.close();
}

function arrivalOf(queue: string, { message }: Received): Arrival {
  const { identity, label = '', priority, body, history } = message;
  const ending = queue === '$dead' ? (history?.at(-1)?.class ?? 'UNKNOWN') : undefined;
  return { identity: identityText(identity), queue, label, priority, ending, body };
}

/** The application's file. It has one owner. */
export class ArrivalBook {
  readonly #file: FileHandle;
  /** Identities whose effect is on the disk. As many as there are lines: the demo has an end. */
  readonly #seen: Set<string>;
  #last: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, seen: Set<string>) {
    this.#file = file;
    this.#seen = seen;
  }

  /** Reads what is there, and takes away a last line that a crash cut off. */
  static async open(path: string): Promise<ArrivalBook> {
    const file = await open(path, 'a+');
    const text = await file.readFile('latin1');
    await file.truncate(text.lastIndexOf('\n') + 1);
    const records = new RecordReader().push(text);
    return new ArrivalBook(
      file,
      new Set(records.flatMap((record) => (record.kind === 'effect' ? [record.arrival.identity] : []))),
    );
  }

  /**
   * Resolves when its effect is on the disk, by this call or by an earlier one. One after the other, in the order of the calls. After a
   * failure nothing is taken any more: half a line may stand there, which the next opening takes away.
   */
  take(arrival: Arrival): Promise<void> {
    this.#last = this.#last.then(() => this.#take(arrival));
    return this.#last;
  }

  /** Whoever called `take` has heard of a failure. */
  close(): Promise<void> {
    return this.#last.then(
      () => this.#file.close(),
      () => this.#file.close(),
    );
  }

  async #take(arrival: Arrival): Promise<void> {
    const { identity } = arrival;
    if (this.#seen.has(identity)) return this.#append({ kind: 'redelivered', identity });
    await this.#append({ kind: 'effect', arrival });
    this.#seen.add(identity);
  }

  async #append(record: ArrivalRecord): Promise<void> {
    await this.#file.appendFile(formatRecord(record));
    await this.#file.datasync();
  }
}

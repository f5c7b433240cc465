/** Senders that wait for every answer: of a node through the library, or of the ring alone. Measured as `npm run bench -- ring` does. */
import type { Actor } from '../../ring/actors/actor.ts';
import { drain, type Load, measure, runLoad } from '../../ring/load.ts';
import { openRingmail } from '../../ring/subjects/ringmail.ts';
import type { Subject } from '../../ring/subjects/subject.ts';
import type { Measured, SendJob } from '../job.ts';
import { empty, Library, PRIORITIES } from '../library.ts';

/** Of the ring that one stretch may fill, in percent: below the 40 % that the node's queue takes. */
const STRETCH_PERCENT = 35;
/** Of a message of a node beside its body: an entry of the ring, and the envelope. */
const MESSAGE_BYTES = 192;

interface Store {
  readonly subject: Subject;
  /** Takes out what a stretch left. */
  readonly empty: (messages: number) => Promise<void>;
}

export class SendActor implements Actor {
  readonly #job: SendJob;
  readonly #load: Load;
  #store: Store | undefined;

  constructor(job: SendJob) {
    const { senders, bodyBytes, ms, ringBytes } = job;
    const messagesMax = Math.floor((ringBytes * STRETCH_PERCENT) / 100 / (MESSAGE_BYTES + bodyBytes));
    this.#job = job;
    this.#load = { workload: 'put', senders, bodyBytes, ms, messagesMax, priority: 0 };
  }

  async start(): Promise<void> {
    this.#store = this.#job.subject === 'ring' ? await openStoreOfRing(this.#job) : await openStoreOfNode(this.#job);
    const { subject } = this.#opened;
    await this.#opened.empty(await runLoad(subject, { ...this.#load, ms: this.#job.warmMs }));
  }

  async measure(): Promise<Measured> {
    const { subject } = this.#opened;
    const measured = await measure(subject, this.#load, { directory: this.#job.directory, statPath: undefined });
    await this.#opened.empty(measured.messages);
    return measured;
  }

  async end(): Promise<void> {
    await this.#store?.subject.close();
  }

  get #opened(): Store {
    if (this.#store === undefined) throw new Error('not started');
    return this.#store;
  }
}

async function openStoreOfRing(job: SendJob): Promise<Store> {
  const ring = await openRingmail(job);
  const next = priorities();
  const subject: Subject = { ...ring, put: (_, body) => ring.put(next(), body) };
  return { subject, empty: (messages) => drain(subject, messages) };
}

async function openStoreOfNode(job: SendJob): Promise<Store> {
  const library = await Library.open(job);
  const next = priorities();
  const subject: Subject = {
    put: (_, body) => library.send(next(), body),
    receive: () => notMeasured(),
    ack: () => notMeasured(),
    close: () => library.close(),
  };
  return { subject, empty: () => empty(library) };
}

/** One after the other, for ever. */
function priorities(): () => number {
  let next = 0;
  return () => next++ % PRIORITIES;
}

function notMeasured(): never {
  throw new Error('only sends are measured here');
}

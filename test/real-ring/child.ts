/**
 * A process of its own, to be killed, stopped or run on a disk that goes away. Bundled by `children.ts`.
 *
 *   write  <path> <ledger> <seed> <rest>   appends for ever; closes and opens again at times. With rest > 0: says `resting` after so
 *                                          many batches, and goes on after a line on stdin
 *   make   <path> <ledger> <bytes>         makes a ring, and stops itself (SIGSTOP) after each step
 *   resize <path> <ledger> <bytes>         the same
 *   hold   <path> <method>                 takes the lock, and keeps it
 *
 * Says on stdout what others wait for: `open`, `resting`, `held`, `stopped <why>`.
 */
import { randomBytes } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { type LockMethod, lockFile } from '../../shared/node/lock.ts';
import { makeRing } from '../../shared/node/make-ring.ts';
import { resizeRing } from '../../shared/node/resize-ring.ts';
import { formatRing } from '../../shared/ring/file-steps.ts';
import { geometryFor } from '../../shared/ring/geometry.ts';
import { batchOf, Ledger, type LedgerBatch, lastBatchIn } from './ledger.ts';
import { RealRing } from './real-ring.ts';

/** Batches handed over and not yet answered, at most. */
const IN_FLIGHT_MAX = 6;
/** Messages that are kept: enough that cleaning has to copy. */
const KEPT_MAX = 30;
const BODY_BYTES_MAX = 12_000;
const PAD_BYTES_MAX = 600;
/** Numbers of messages: up to four in a batch. */
const NUMBERS_PER_BATCH = 4;

const [verb, path = '', second = '', third = '', fourth = '0'] = process.argv.slice(2);

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

/** One opening after another until something ends it. */
async function write(): Promise<void> {
  const random = stream(third, 'writer');
  for (;;) {
    const ring = await RealRing.open(path, { epochRandom: random.uint32(), volatile: 'allow' });
    say('open');
    await new Writer(ring, random).run();
    if (ring.ring.state === 'stopped') return say(`stopped ${ring.ring.failure?.message}`);
    await ring.close();
  }
}

class Writer {
  readonly #real: RealRing;
  readonly #random: Prng;
  readonly #ledger = new Ledger(second);
  /** Ids of messages that are durable and that nobody acknowledged, by number, in order. */
  readonly #kept = new Map<number, number>();
  readonly #inFlight = new Set<Promise<void>>();
  #k: number;

  constructor(real: RealRing, random: Prng) {
    const { index } = real.ring;
    this.#real = real;
    this.#random = random;
    for (const slot of index.slots()) this.#kept.set(index.number(slot), index.id(slot));
    this.#k = lastBatchIn(real.ring);
  }

  async run(): Promise<void> {
    const rest = Number(fourth);
    const batches = rest > 0 ? rest : 50 + this.#random.int(400);
    for (let i = 0; i < batches && this.#real.ring.state === 'serving'; i++) {
      this.#begin();
      if (this.#inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.#inFlight);
    }
    await Promise.all(this.#inFlight);
    if (rest === 0 || this.#real.ring.state !== 'serving') return;
    say('resting');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    this.#begin();
    await Promise.all(this.#inFlight);
  }

  #begin(): void {
    const { batch, ids } = this.#draw();
    this.#ledger.begun(batch);
    const answered = this.#real.append(batchOf(third, batch, ids)).then(({ outcome, slots }) => {
      this.#inFlight.delete(answered);
      if (outcome !== 'durable') return;
      this.#ledger.durable(batch.k);
      batch.puts.forEach(({ number }, i) => {
        this.#kept.set(number, this.#real.ring.index.id(slots[i] ?? 0));
      });
    });
    this.#inFlight.add(answered);
  }

  #draw(): { batch: LedgerBatch; ids: number[] } {
    const random = this.#random;
    const k = ++this.#k;
    const puts = Array.from({ length: random.chance(0.2) ? random.int(NUMBERS_PER_BATCH + 1) : 1 }, (_, i) => ({
      number: k * NUMBERS_PER_BATCH + i,
      bytes: random.int(random.chance(0.5) ? 300 : BODY_BYTES_MAX),
    }));
    const acks: number[] = [];
    const ids: number[] = [];
    // Mostly the oldest; now and then any, so that some stay for many laps.
    for (let over = this.#kept.size - KEPT_MAX; over > 0; over--) {
      const all = [...this.#kept];
      const [number, id] = all[random.chance(0.3) ? random.int(all.length) : random.int(3)] ?? [0, 0];
      this.#kept.delete(number);
      acks.push(number);
      ids.push(id);
    }
    return { batch: { k, puts, acks, padBytes: random.int(PAD_BYTES_MAX) }, ids };
  }
}

/** Whoever watches looks at the disk while nothing moves, and sends SIGCONT. */
function stopAfter(step: string): void {
  new Ledger(second).note(step);
  process.kill(process.pid, 'SIGSTOP');
}

async function make(): Promise<void> {
  const geometry = geometryFor(Number(third));
  await makeRing(path, { geometry, replace: 'never', onStep: stopAfter }, (file) =>
    file.run(formatRing(geometry, randomBytes(16))),
  );
}

async function hold(): Promise<void> {
  const lock = await lockFile({ fd: openSync(path, 'r+'), path }, [second as LockMethod]);
  say(`held ${lock.method}`);
  setInterval(() => {}, 1_000_000);
}

switch (verb) {
  case 'write':
    await write();
    break;
  case 'make':
    await make();
    break;
  case 'resize':
    await resizeRing(path, { fileBytes: Number(third), fileId: randomBytes(16), onStep: stopAfter });
    break;
  case 'hold':
    await hold();
    break;
  default:
    throw new Error(`no such verb: ${verb}`);
}

/**
 * `npm run bench -- link`: what the link makes of a line, beside what an ideal one would. The grid and `urgent` run in virtual time, in
 * as many processes as there are processors; `replug` and `socket` in real time, alone, afterwards.
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { boundOf, stopAndWaitOf } from './bound.ts';
import { type Cell, cellsOf } from './cells.ts';
import type { Goodput } from './goodput.ts';
import type { Request } from './job.ts';
import { type Options, parseOptions, tellUse, USAGE } from './options.ts';
import type { Replug } from './replug.ts';
import { type Row, rowOf } from './rows.ts';
import type { SocketResult } from './socket.ts';
import { HEADER, tableLine } from './table.ts';
import { isReached, targetLine, targetsOf } from './targets.ts';
import type { Urgent } from './urgent.ts';
import { Worker } from './worker.ts';

interface World {
  /** Holds the bundles, and whatever else is made for a run. */
  readonly scratch: string;
}

interface Case {
  readonly name: string;
  readonly measure: (worker: Worker) => Promise<readonly Row[]>;
}

const WORKERS_MAX = 4;
const URGENT_COUNT = { full: 400, quick: 60 } as const;
/** Short and long: whoever waits for a port looks less often with time. */
const OUT_MS = { full: [300, 1_000, 3_000, 12_000, 1_700, 8_300], quick: [500, 6_000] } as const;
const SOCKET_BODY_BYTES = 128;
const SOCKET_MESSAGES = { full: 150_000, quick: 80_000 } as const;
const SOCKET_ROUNDS = { full: 5, quick: 2 } as const;
const EXIT = { reached: 0, failed: 1, wrongUse: 2 } as const;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

export async function main(args: readonly string[], world: World): Promise<number> {
  const options = parseOptions(args);
  if ('help' in options || 'wrong' in options) return tellUse(options, USAGE);
  const run = new Run(options, world);
  if (run.isEmpty) {
    say('no case matches');
    return EXIT.wrongUse;
  }
  const stopListening = endOnSignals();
  try {
    await run.all();
    return run.verdict();
  } finally {
    stopListening();
    await killWorkers();
  }
}

function endOnSignals(): () => void {
  const stops = Object.entries(SIGNALS).map(([signal, code]) => {
    const stop = () => {
      say('interrupted');
      void killWorkers().then(() => process.exit(code));
    };
    process.on(signal, stop);
    return () => process.off(signal, stop);
  });
  return () => {
    for (const stop of stops) stop();
  };
}

async function killWorkers(): Promise<void> {
  await Promise.all([...Worker.alive].map((worker) => worker.kill()));
}

class Run {
  readonly #options: Options;
  readonly #scratch: string;
  readonly #startedMs = performance.now();
  readonly #virtual: readonly Case[];
  readonly #real: readonly Case[];
  readonly #rows: Row[] = [];
  #begun = 0;
  #failures = 0;
  #folders = 0;

  constructor(options: Options, { scratch }: World) {
    this.#options = options;
    this.#scratch = scratch;
    const { length, casePattern } = options;
    const isWanted = ({ name }: { name: string }) => casePattern?.test(name) ?? true;
    const cells = cellsOf(length).map((cell) => ({ name: cell.name, measure: (worker: Worker) => goodput(worker, cell) }));
    this.#virtual = [...cells, { name: 'urgent/61', measure: (worker: Worker) => this.#urgent(worker) }].filter(isWanted);
    this.#real = [
      { name: 'replug', measure: (worker: Worker) => this.#replug(worker) },
      { name: `socket/${SOCKET_BODY_BYTES}`, measure: (worker: Worker) => this.#socket(worker) },
    ].filter(isWanted);
  }

  get isEmpty(): boolean {
    return this.#virtual.length + this.#real.length === 0;
  }

  async all(): Promise<void> {
    if (this.#options.output === 'table') process.stdout.write(`${HEADER}\n`);
    const waiting = [...this.#virtual];
    const count = Math.min(WORKERS_MAX, availableParallelism(), waiting.length);
    const inTurn = async (cases: Case[]): Promise<void> => {
      let worker = this.#worker();
      for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
        if ((await this.#attempt(next, worker)) === 'measured') continue;
        await worker.kill();
        worker = this.#worker();
      }
      await worker.kill();
    };
    await Promise.all(Array.from({ length: count }, () => inTurn(waiting)));
    for (const one of this.#real) await inTurn([one]);
  }

  /** Says what was reached and what was not; returns the exit code. */
  verdict(): number {
    const print = this.#options.output === 'json' ? say : (line: string) => process.stdout.write(`${line}\n`);
    const targets = targetsOf(this.#rows);
    const reached = targets.filter(isReached).length;
    for (const target of targets) if (!isReached(target) || !target.name.startsWith('goodput')) print(targetLine(target));
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(0);
    const failed = this.#failures > 0 ? `, ${this.#failures} failed` : '';
    print(`bench link: ${reached} of ${targets.length} targets reached${failed}, ${seconds} s`);
    const isFailed = this.#failures > 0 || (this.#options.missed === 'fails' && reached < targets.length);
    return isFailed ? EXIT.failed : EXIT.reached;
  }

  async #attempt({ name, measure }: Case, worker: Worker): Promise<'measured' | 'failed'> {
    this.#begun += 1;
    say(`[${this.#begun}/${this.#virtual.length + this.#real.length}] ${name}`);
    try {
      for (const row of await measure(worker)) this.#add(row);
      return 'measured';
    } catch (error) {
      this.#failures += 1;
      say(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
      return 'failed';
    }
  }

  async #urgent(worker: Worker): Promise<Row[]> {
    const job = { seed: 1, messages: URGENT_COUNT[this.#options.length] };
    const result = await worker.ask<Urgent>({ kind: 'urgent', job });
    return [{ case: 'urgent/61', subject: 'ringmail', ...result }];
  }

  async #replug(worker: Worker): Promise<Row[]> {
    const job = { folder: this.#folder(), outMs: OUT_MS[this.#options.length] };
    const result = await worker.ask<Replug>({ kind: 'replug', job });
    return [{ case: 'replug', subject: 'ringmail', ...result }];
  }

  /** Of several rounds the one in the middle, by processor time. */
  async #socket(receiver: Worker): Promise<Row[]> {
    const results: SocketResult[] = [];
    for (let round = 0; round < SOCKET_ROUNDS[this.#options.length]; round++) results.push(await this.#socketRound(receiver));
    results.sort((a, b) => a.cpuUsPerMessage - b.cpuUsPerMessage);
    const middle = results[results.length >> 1];
    return middle === undefined ? [] : [{ case: `socket/${SOCKET_BODY_BYTES}`, subject: 'ringmail', ...middle }];
  }

  async #socketRound(receiver: Worker): Promise<SocketResult> {
    const sender = this.#worker();
    const job = { folder: this.#folder(), bodyBytes: SOCKET_BODY_BYTES, messages: SOCKET_MESSAGES[this.#options.length] };
    await receiver.ask({ kind: 'socket-open', role: 'receives', job });
    await sender.ask({ kind: 'socket-open', role: 'sends', job });
    await sender.ask({ kind: 'socket-go' });
    const result = await receiver.ask<SocketResult>({ kind: 'socket-go' });
    const close: Request = { kind: 'socket-close' };
    await Promise.all([sender.ask(close), receiver.ask(close)]);
    await sender.kill();
    return result;
  }

  #add(measured: Row): void {
    const row = rowOf(measured);
    this.#rows.push(row);
    process.stdout.write(`${this.#options.output === 'json' ? JSON.stringify(row) : tableLine(row)}\n`);
  }

  #worker(): Worker {
    return new Worker(join(this.#scratch, 'child.mjs'));
  }

  #folder(): string {
    this.#folders += 1;
    const folder = join(this.#scratch, `folder-${this.#folders}`);
    mkdirSync(folder);
    return folder;
  }
}

async function goodput(worker: Worker, cell: Cell): Promise<Row[]> {
  const measured = await worker.ask<Goodput>({ kind: 'goodput', cell });
  const { messageBytes, lostShare } = measured;
  const { name, bodyBytes, baud } = cell;
  const ideal = boundOf(bodyBytes, cell, 'polite');
  const idealOfMessages = boundOf(Math.floor(messageBytes), cell, 'polite').goodput / messageBytes;
  const beside = (subject: Row['subject'], { goodput, payloadBytes } = ideal): Row => {
    return { case: name, subject, goodput, bound: ideal.goodput, ratio: goodput / ideal.goodput, payloadBytes };
  };
  return [
    {
      case: name,
      subject: 'ringmail',
      goodput: measured.goodput,
      bound: ideal.goodput,
      ratio: measured.goodput / ideal.goodput,
      messageBytes,
      messageRatio: measured.goodput / bodyBytes / idealOfMessages,
      lineShare: (measured.lineBytes * BITS_PER_BYTE) / baud,
      lostShare,
    },
    beside('ideal'),
    beside('ideal-selfish', boundOf(bodyBytes, cell, 'selfish')),
    beside('stop-and-wait', stopAndWaitOf(cell)),
  ];
}

const BITS_PER_BYTE = 10;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

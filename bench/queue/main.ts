/**
 * `npm run bench -- queue`: what a node costs around its ring. The cases of a group are set up in processes of their own and then
 * measured in turn, stretch by stretch, so that whatever else the machine does hits all of them.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, makeBed } from '../ring/bed.ts';
import { cleanUpOnSignals, killWorkers } from '../ring/clean-up.ts';
import { targetLine } from '../ring/table.ts';
import { isReached } from '../ring/targets.ts';
import { turned } from '../ring/turned.ts';
import { Worker } from '../ring/worker.ts';
import { type Case, type Group, groupsOf } from './cases.ts';
import type { ApiJob, ChildJob, Job, Look, Measured, Sending } from './job.ts';
import { type Options, parseOptions, tellUse, USAGE } from './options.ts';
import { type Result, rowOf } from './rows.ts';
import { HEADER, tableLine } from './table.ts';
import { targetsOf } from './targets.ts';

interface World {
  /** Holds the bundles, and whatever else is made for a run. */
  readonly scratch: string;
}

/** A case that is set up. */
interface Ready {
  readonly measure: () => Promise<Measured>;
  readonly end: () => Promise<void>;
}

const IMAGE_BYTES = 320 * 1024 * 1024;
const EXIT = { reached: 0, failed: 1, wrongUse: 2 } as const;

export async function main(args: readonly string[], world: World): Promise<number> {
  const options = parseOptions(args);
  if ('help' in options || 'wrong' in options) return tellUse(options, USAGE);
  const groups = groupsOf(options.length)
    .map((group) => ({ ...group, cases: group.cases.filter(({ name }) => options.casePattern?.test(name) ?? true) }))
    .filter(({ cases }) => cases.length > 0);
  if (groups.length === 0) {
    say('no case matches');
    return EXIT.wrongUse;
  }
  let remove = () => {};
  const stopListening = cleanUpOnSignals(() => remove());
  try {
    const bed = await makeBed(undefined, IMAGE_BYTES, (known) => {
      remove = known;
    });
    if (bed.device === 'shared') say('others write to the same device: they are in the way, more than on one of our own');
    const run = new Run(options, world, bed);
    for (const [i, group] of groups.entries()) await run.measure(group, `[${i + 1}/${groups.length}]`);
    return run.verdict();
  } finally {
    stopListening();
    await killWorkers();
    remove();
  }
}

class Run {
  readonly #options: Options;
  readonly #childPath: string;
  readonly #bed: Bed;
  readonly #startedMs = performance.now();
  readonly #results: Result[] = [];
  #failures = 0;

  constructor(options: Options, { scratch }: World, bed: Bed) {
    this.#options = options;
    this.#childPath = join(scratch, 'child.mjs');
    this.#bed = bed;
    if (options.output === 'table') process.stdout.write(`${HEADER}\n`);
  }

  async measure(group: Group, place: string): Promise<void> {
    try {
      await this.#measure(group, place);
    } catch (error) {
      this.#failures += 1;
      say(`${group.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    } finally {
      await killWorkers();
      for (const one of group.cases) rmSync(this.#directory(one), { recursive: true, force: true });
    }
  }

  /** Says what was reached and what was not; returns the exit code. */
  verdict(): number {
    const print = this.#options.output === 'json' ? say : (line: string) => process.stdout.write(`${line}\n`);
    const targets = targetsOf(this.#results);
    for (const target of targets) print(targetLine(target));
    const reached = targets.filter(isReached).length;
    const failed = this.#failures > 0 ? `, ${this.#failures} failed` : '';
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(0);
    print(`bench queue: ${reached} of ${targets.length} targets reached${failed}, ${seconds} s`);
    const isFailed = this.#failures > 0 || (this.#options.missed === 'fails' && reached < targets.length);
    return isFailed ? EXIT.failed : EXIT.reached;
  }

  async #measure({ cases, rounds }: Group, place: string): Promise<void> {
    const running: { readonly one: Case; readonly ready: Ready; readonly stretches: Measured[] }[] = [];
    for (const one of cases) {
      say(`${place} ${one.name} ${one.subject}: set up`);
      const directory = this.#directory(one);
      mkdirSync(directory);
      running.push({ one, ready: await this.#setUp(one.job({ directory })), stretches: [] });
    }
    say(`${place} ${rounds} stretches of each`);
    for (let round = 0; round < rounds; round++) {
      for (const { ready, stretches } of turned(running, round)) stretches.push(await ready.measure());
    }
    for (const { one, ready, stretches } of running) {
      await ready.end();
      this.#add({ case: one.name, subject: one.subject, stretches });
    }
  }

  async #setUp(job: Job): Promise<Ready> {
    if (job.kind === 'api') return this.#setUpApi(job);
    const worker = await this.#worker(job);
    return { measure: async () => (await worker.measure()) as Measured, end: () => worker.end() };
  }

  async #setUpApi({ directory, ringBytes, bodyBytes, connections, warmMs, ms }: ApiJob): Promise<Ready> {
    const socketPath = join(directory, 'api.sock');
    const server = await this.#worker({ kind: 'api-server', directory, ringBytes, bodyBytes, socketPath });
    const clients = await this.#worker({ kind: 'api-clients', socketPath, bodyBytes, connections, warmMs, ms });
    const look = async () => (await server.measure()) as Look;
    await look();
    return {
      measure: async () => {
        const before = await look();
        const sending = (await clients.measure()) as Sending;
        const { cpuUs, rssMb } = await look();
        return { ...sending, cpuUsPerMessage: (cpuUs - before.cpuUs) / sending.messages, rssMb };
      },
      end: async () => {
        await clients.end();
        await server.end();
      },
    };
  }

  async #worker(job: ChildJob): Promise<Worker<ChildJob>> {
    const worker = new Worker<ChildJob>({ path: this.#childPath, env: {}, execArgv: [] });
    await worker.start(job);
    return worker;
  }

  #directory({ name, subject }: Case): string {
    return join(this.#bed.directory, `${name.replaceAll('/', '-')}-${subject}`);
  }

  #add(result: Result): void {
    this.#results.push(result);
    const row = rowOf(result);
    process.stdout.write(`${this.#options.output === 'json' ? JSON.stringify(row) : tableLine(row)}\n`);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

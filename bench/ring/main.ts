/**
 * `npm run bench -- ring`: the ring beside its rivals, case by case. Of a case, the subjects are set up in processes of their own and
 * then measured in turn, stretch by stretch, so that whatever else the machine does hits all of them.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bed, makeBed } from './bed.ts';
import { type Case, casesOf, type FillCase, type LoadCase, type OpenCase, type WearCase } from './cases.ts';
import { cleanUpOnSignals, killWorkers } from './clean-up.ts';
import type { FillResult, Job, OpenResult, Place, WearResult } from './job.ts';
import type { Measured } from './load.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { medianRow, type Row, rowOf } from './rows.ts';
import { slowSyncs } from './stall-library.ts';
import type { SubjectName } from './subjects/subject.ts';
import { HEADER, tableLine, targetLine } from './table.ts';
import { isReached, targetsOf } from './targets.ts';
import { turned } from './turned.ts';
import { Worker } from './worker.ts';

interface World {
  /** Holds the bundles, and whatever else is made for a run. */
  readonly scratch: string;
  /** The folder with the rivals' package.json. */
  readonly root: string;
  readonly installRivals: () => void;
}

const IMAGE_BYTES = 1280 * 1024 * 1024;
const STALL_SYNC_MS = 20;
const WEAR_MS_MAX = 45_000;
/** How long the writer goes on before it is killed. */
const WRITER_MS = 300;
const EXIT = { reached: 0, failed: 1, wrongUse: 2 } as const;

export async function main(args: readonly string[], world: World): Promise<number> {
  const options = parseOptions(args);
  if ('help' in options) {
    process.stdout.write(`${USAGE}\n`);
    return EXIT.reached;
  }
  if ('wrong' in options) {
    process.stderr.write(`${options.wrong}\n\n${USAGE}\n`);
    return EXIT.wrongUse;
  }
  const cases = casesOf(options.length).filter(({ name }) => options.casePattern?.test(name) ?? true);
  if (cases.length === 0) {
    say('no case matches');
    return EXIT.wrongUse;
  }
  if (options.subjects.some((name) => name !== 'ringmail' && name !== 'raw')) world.installRivals();
  const startedMs = performance.now();
  let remove = () => {};
  const stopListening = cleanUpOnSignals(() => remove());
  try {
    const bed = await makeBed(options.directory, IMAGE_BYTES, (known) => {
      remove = known;
    });
    const run = new Run(options, world, bed);
    await run.all(cases);
    return run.verdict(performance.now() - startedMs);
  } finally {
    stopListening();
    await killWorkers();
    remove();
  }
}

class Run {
  readonly #options: Options;
  readonly #world: World;
  readonly #bed: Bed;
  readonly #rows: Row[] = [];
  readonly #stretches = new Map<string, Map<SubjectName, Measured[]>>();
  #failures = 0;

  constructor(options: Options, world: World, bed: Bed) {
    this.#options = options;
    this.#world = world;
    this.#bed = bed;
  }

  async all(cases: readonly Case[]): Promise<void> {
    if (this.#options.output === 'table') process.stdout.write(`${HEADER}\n`);
    for (const [i, one] of cases.entries()) {
      say(`[${i + 1}/${cases.length}] ${one.name}`);
      await this.#attempt(one.name, () => this.#measure(one));
    }
  }

  /** Says what was reached and what was not; returns the exit code. */
  verdict(ms: number): number {
    const { output, missed } = this.#options;
    const targets = targetsOf({ rows: this.#rows, stretches: this.#stretches, device: this.#bed.device, syncMs: STALL_SYNC_MS });
    const print = output === 'json' ? say : (line: string) => process.stdout.write(`${line}\n`);
    const wrong = targets.filter((target) => target.about === 'figures' && !isReached(target));
    const shown = [...wrong, ...targets.filter((target) => target.about === 'ringmail')];
    for (const target of shown) print(targetLine(target));
    const ours = targets.filter((target) => target.about === 'ringmail');
    const reached = ours.filter(isReached).length;
    const failed = this.#failures + wrong.length;
    const isFailed = failed > 0 || (missed === 'fails' && reached < ours.length);
    const parts = [
      `${reached} of ${ours.length} targets reached`,
      ...(failed > 0 ? [`${failed} failed`] : []),
      `${(ms / 1000).toFixed(0)} s`,
    ];
    print(`bench ring: ${parts.join(', ')}`);
    return isFailed ? EXIT.failed : EXIT.reached;
  }

  async #attempt(name: string, measure: () => Promise<void>): Promise<void> {
    try {
      await measure();
    } catch (error) {
      this.#failures += 1;
      say(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    } finally {
      await killWorkers();
    }
  }

  #measure(one: Case): Promise<void> {
    switch (one.kind) {
      case 'load':
        return this.#load(one);
      case 'open':
        return this.#open(one);
      case 'fill':
        return this.#fill(one);
      case 'wear':
        return this.#wear(one);
    }
  }

  async #load(one: LoadCase): Promise<void> {
    const subjects = one.subjects.filter((name) => this.#options.subjects.includes(name));
    const env = one.loopDelay === 'watch' ? slowSyncs(this.#world.root, this.#world.scratch, STALL_SYNC_MS) : {};
    if (env === undefined) throw new Error('a C compiler is needed');
    const workers = new Map<SubjectName, Worker>();
    const results = new Map<SubjectName, Measured[]>();
    for (const subject of subjects) {
      const worker = this.#worker(env);
      const { workload, bodyBytes, senders, pinnedPercent, warmMs, ms, loopDelay } = one;
      const load = { workload, bodyBytes, senders, pinnedPercent, warmMs, ms, loopDelay };
      await worker.start({ ...this.#place(one, subject), ...load, kind: 'load' });
      workers.set(subject, worker);
      results.set(subject, []);
    }
    for (let round = 0; round < one.rounds; round++) {
      for (const subject of turned(subjects, round)) {
        results.get(subject)?.push((await workers.get(subject)?.measure()) as Measured);
      }
    }
    this.#stretches.set(one.name, results);
    for (const [subject, worker] of workers) {
      await worker.end();
      this.#add(medianRow(one.name, subject, results.get(subject) ?? [], this.#bed.device));
      this.#clear(one, subject);
    }
  }

  async #open(one: OpenCase): Promise<void> {
    if (!this.#options.subjects.includes('ringmail')) return;
    const place = this.#place(one, 'ringmail');
    const writer = this.#worker();
    await writer.start({ ...place, kind: 'writer', bodyBytes: one.bodyBytes, messages: one.messages });
    await new Promise((resolve) => setTimeout(resolve, WRITER_MS));
    await writer.kill();
    await this.#openAs(one.name, one, place);
    if (this.#bed.device === 'own') {
      this.#bed.remount();
      await this.#openAs(`${one.name}/cold`, one, place);
    }
    this.#clear(one, 'ringmail');
  }

  /** The process ends without closing the ring, so it can be opened as if killed once more. */
  async #openAs(name: string, one: OpenCase, place: Place): Promise<void> {
    const worker = this.#worker({}, ['--expose-gc']);
    const { openMs, heapBytesPerMessage, rssMb, messages } = (await worker.start({ ...place, kind: 'open' })) as OpenResult;
    if (messages < one.messages) throw new Error(`${messages} of ${one.messages} messages were found`);
    this.#add(rowOf({ case: name, subject: 'ringmail', openMs, heapBytesPerMessage, rssMb }));
    await worker.end();
  }

  async #fill(one: FillCase): Promise<void> {
    if (!this.#options.subjects.includes('ringmail')) return;
    const worker = this.#worker({}, ['--expose-gc']);
    const job: Job = { ...this.#place(one, 'ringmail'), kind: 'fill', bodyBytes: one.bodyBytes };
    const { points } = (await worker.start(job)) as FillResult;
    for (const { percent, rssMb, indexMb } of points) {
      this.#add(rowOf({ case: `fill/${percent}`, subject: 'ringmail', rssMb, indexMb }));
    }
    await worker.end();
    this.#clear(one, 'ringmail');
  }

  async #wear(one: WearCase): Promise<void> {
    if (!this.#options.subjects.includes('ringmail')) return;
    const worker = this.#worker();
    const { bodyBytes, senders, pinnedPercent, laps } = one;
    const wear = { bodyBytes, senders, pinnedPercent, laps, msMax: WEAR_MS_MAX };
    const result = (await worker.start({ ...this.#place(one, 'ringmail'), ...wear, kind: 'wear' })) as WearResult;
    say(`${one.name}: ${result.livePercent.toFixed(1)} % live, ${result.laps.toFixed(2)} laps`);
    if (result.laps < laps / 2) throw new Error(`only ${result.laps.toFixed(2)} laps in ${WEAR_MS_MAX / 1000} s`);
    this.#add(rowOf({ case: one.name, subject: 'ringmail', writeAmplification: result.writeAmplification }));
    await worker.end();
    this.#clear(one, 'ringmail');
  }

  #worker(env: Readonly<Record<string, string>> = {}, execArgv: readonly string[] = []): Worker {
    const rivals = join(this.#world.root, 'package.json');
    return new Worker({ path: join(this.#world.scratch, 'child.mjs'), env: { ...env, RINGMAIL_BENCH_ROOT: rivals }, execArgv });
  }

  /** A new, empty directory for a subject. */
  #place({ name, ringBytes }: { name: string; ringBytes: number }, subject: SubjectName): Place {
    const directory = this.#directory(name, subject);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    return { subject, directory, statPath: this.#bed.statPath(), ringBytes };
  }

  #clear({ name }: { name: string }, subject: SubjectName): void {
    rmSync(this.#directory(name, subject), { recursive: true, force: true });
  }

  #directory(name: string, subject: SubjectName): string {
    return join(this.#bed.directory, `${name.replaceAll('/', '-')}-${subject}`);
  }

  #add(row: Row): void {
    this.#rows.push(row);
    process.stdout.write(`${this.#options.output === 'json' ? JSON.stringify(row) : tableLine(row)}\n`);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

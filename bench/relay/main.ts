/** `npm run bench -- relay`: the whole way from devices to the centre beside MQTT alone and a bridge, one case after the other. */
import { join } from 'node:path';
import { makeBed } from '../ring/bed.ts';
import { cleanUpOnSignals, killWorkers } from '../ring/clean-up.ts';
import { targetLine } from '../ring/table.ts';
import { isReached } from '../ring/targets.ts';
import { endBrokers } from './brokers.ts';
import { type Case, casesOf, missingFor } from './cases.ts';
import { type Options, parseOptions, tellUse, USAGE } from './options.ts';
import { type Row, rowOf } from './rows.ts';
import { Stage } from './stage.ts';
import { HEADER, tableLine } from './table.ts';
import { targetsOf } from './targets.ts';

interface World {
  /** Holds the bundles, and whatever else is made for a run. */
  readonly scratch: string;
  /** The folder that the rivals are installed in. */
  readonly root: string;
  readonly installRivals: () => void;
}

const EXIT = { reached: 0, failed: 1, wrongUse: 2 } as const;
const GIBIBYTE = 1024 * 1024 * 1024;
/** 200 rings of 10 MiB, and those of gateway and central. */
const IMAGE_BYTES = { full: 3 * GIBIBYTE, quick: GIBIBYTE } as const;
const RIVALS = /^mqtt-client-/;

export async function main(args: readonly string[], world: World): Promise<number> {
  const options = parseOptions(args);
  if ('help' in options || 'wrong' in options) return tellUse(options, USAGE);
  const cases = casesOf(options.length).filter(({ name }) => options.casePattern?.test(name) ?? true);
  if (cases.length === 0) {
    say('no case matches');
    return EXIT.wrongUse;
  }
  let remove = () => {};
  const stopListening = cleanUpOnSignals(() => {
    void endBrokers();
    remove();
  });
  try {
    if (cases.some(({ subject }) => RIVALS.test(subject))) world.installRivals();
    const bed = await makeBed(undefined, IMAGE_BYTES[options.length], (known) => {
      remove = known;
    });
    const run = new Run(options, world, bed.directory);
    for (const [i, one] of cases.entries()) await run.measure(one, `[${i + 1}/${cases.length}]`);
    return run.verdict();
  } finally {
    stopListening();
    await killWorkers();
    await endBrokers();
    remove();
  }
}

class Run {
  readonly #options: Options;
  readonly #world: World;
  readonly #directory: string;
  readonly #startedMs = performance.now();
  readonly #rows: Row[] = [];
  #failures = 0;
  #skipped = 0;

  constructor(options: Options, world: World, directory: string) {
    this.#options = options;
    this.#world = world;
    this.#directory = directory;
    if (options.output === 'table') process.stdout.write(`${HEADER}\n`);
  }

  async measure(one: Case, place: string): Promise<void> {
    const reason = missingFor(one);
    if (reason !== undefined) {
      this.#skipped += 1;
      return say(`${place} ${one.name} ${one.subject}: skipped, ${reason}`);
    }
    say(`${place} ${one.name} ${one.subject}`);
    const { scratch, root } = this.#world;
    const rest = { childPath: join(scratch, 'child.mjs'), rivals: join(root, 'package.json') };
    const stage = new Stage(join(this.#directory, 'case'), rest);
    try {
      for (const row of await one.run(stage, (text) => say(`${place} ${one.name}: ${text}`))) this.#add(row);
    } catch (error) {
      this.#failures += 1;
      say(`${one.name} ${one.subject} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    } finally {
      await stage.end();
    }
  }

  /** Says what was reached and what was not; returns the exit code. */
  verdict(): number {
    const print = this.#options.output === 'json' ? say : (line: string) => process.stdout.write(`${line}\n`);
    const targets = targetsOf(this.#rows);
    for (const target of targets) print(targetLine(target));
    const reached = targets.filter(isReached).length;
    const more = [
      ...(this.#failures > 0 ? [`, ${this.#failures} failed`] : []),
      ...(this.#skipped > 0 ? [`, ${this.#skipped} skipped`] : []),
    ].join('');
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(0);
    print(`bench relay: ${reached} of ${targets.length} targets reached${more}, ${seconds} s`);
    const isFailed = this.#failures > 0 || (this.#options.missed === 'fails' && reached < targets.length);
    return isFailed ? EXIT.failed : EXIT.reached;
  }

  #add(measured: Row): void {
    const row = rowOf(measured);
    this.#rows.push(row);
    process.stdout.write(`${this.#options.output === 'json' ? JSON.stringify(row) : tableLine(row)}\n`);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/**
 * The processes of a hall. Each is killed on purpose, ended, or dies by itself; whatever happens, none outlives the hall.
 *
 *             start                  kill (on purpose)
 *   down ───────────────▶ up ──────────────────────────▶ down
 *     ▲                    │ ended by itself: reported, and started again after RESTART_MS
 *     └────────────────────┘
 *
 * They run in sessions of their own: Ctrl-C is for the hall, which drains before it ends them. Where `setpriv` can, the kernel ends
 * them with their parent, even when that is killed.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** What a supervisor waits before it starts a process again that died by itself, in ms. */
export const RESTART_MS = 1_000;
/** What a process may take to end after SIGTERM, in ms. Closing a ring takes one write; then it is killed. */
export const STOP_MS_MAX = 10_000;

export interface HallProcessOptions {
  readonly name: string;
  /** Arguments of this Node: script and what follows it. */
  readonly args: readonly string[];
  readonly directory: string;
  /** Takes what it says, on stdout and stderr; added to. */
  readonly logPath: string;
  /** It ended without being told to, or did not when told. Words for people. */
  readonly onTrouble: (text: string) => void;
}

export class HallProcess {
  readonly name: string;
  /** Times it ended by itself. */
  deaths = 0;
  readonly #options: HallProcessOptions;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #restart: ReturnType<typeof setTimeout> | undefined;
  #wanted: 'up' | 'down' = 'down';

  constructor(options: HallProcessOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Nothing when it is up. */
  start(): void {
    this.#wanted = 'up';
    clearTimeout(this.#restart);
    if (this.#child !== undefined) return;
    const { args, directory, logPath } = this.#options;
    const log = openSync(logPath, 'a');
    const [program, ...before] = [...diesWithParent(), process.execPath];
    const child = spawn(program ?? process.execPath, [...before, ...args], {
      cwd: directory,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    living.add(child);
    this.#gone = new Promise((resolve) => {
      const gone = (how: string): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        living.delete(child);
        if (this.#wanted === 'up') this.#died(how);
        resolve();
      };
      child.once('exit', (code, signal) => gone(signal === null ? `exit code ${code}` : signal));
      child.once('error', (error) => gone(error.message));
    });
  }

  /** kill -9. Resolves when it is gone; it stays away until `start`. */
  async kill(): Promise<'broken' | 'was down'> {
    const was = this.isUp ? 'broken' : 'was down';
    this.#wanted = 'down';
    clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
    await this.#gone;
    return was;
  }

  /** Asks it to end; kills it when it does not within STOP_MS_MAX. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#wanted = 'down';
    clearTimeout(this.#restart);
    const child = this.#child;
    const timer = setTimeout(() => {
      this.#options.onTrouble(`${this.name} did not end within ${STOP_MS_MAX} ms: killed`);
      child?.kill('SIGKILL');
    }, STOP_MS_MAX);
    child?.kill('SIGTERM');
    await this.#gone;
    clearTimeout(timer);
  }

  #died(how: string): void {
    this.deaths += 1;
    this.#options.onTrouble(`${this.name} ended by itself (${how})${lastWords(this.#options.logPath)}; starting it again`);
    this.#restart = setTimeout(() => this.start(), RESTART_MS);
  }
}

/** All that run now, for the moment in which this process ends without having closed its hall. */
const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

let wrapper: readonly string[] | undefined;

/** What makes the kernel end a process with its parent; empty where there is no such thing. The process keeps its pid through it. */
function diesWithParent(): readonly string[] {
  const setpriv = ['setpriv', '--pdeathsig', 'KILL'];
  wrapper ??= spawnSync('setpriv', [...setpriv.slice(1), 'true'], { stdio: 'ignore' }).status === 0 ? setpriv : [];
  return wrapper;
}

function lastWords(logPath: string): string {
  const line = readFileSync(logPath, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  return line === '' ? '' : `: ${line.slice(0, 300)}`;
}

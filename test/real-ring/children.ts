/** Starts `child.ts` as a process of its own, and stops, continues and kills it by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';

const WAIT_MS_MAX = 20_000;
const POLL_MS = 2;

/** Bundles the child from the sources, so that nothing needs to be built before. Returns the path of the script. */
export async function bundleChild(folder: string): Promise<string> {
  const outfile = join(folder, 'child.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'child.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outfile,
    logLevel: 'warning',
  });
  return outfile;
}

export class RingChild {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = '';

  /** `prefix`: a program that runs another one, and becomes it. */
  constructor(script: string, args: readonly string[], prefix: readonly string[] = []) {
    const [program = process.execPath, ...rest] = [...prefix, process.execPath, script, ...args];
    this.#process = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
    const hear = (chunk: Buffer): void => {
      this.#output += chunk.toString();
    };
    this.#process.stdout?.on('data', hear);
    this.#process.stderr?.on('data', hear);
    this.#process.stdin?.on('error', () => {}); // it died before it read
    this.#ended = once(this.#process, 'close');
  }

  /** Of both streams. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Resolves when it has said this. @throws when it ends before, or says nothing for too long */
  async said(pattern: RegExp): Promise<void> {
    await this.#until(() => pattern.test(this.#output), `say ${pattern}`);
  }

  /** The same, and content when it ended instead. */
  async saidOrEnded(pattern: RegExp): Promise<void> {
    await this.#until(() => this.isOver || pattern.test(this.#output), `say ${pattern}`);
  }

  goOn(): void {
    this.#process.stdin?.write('go on\n');
  }

  /** Resolves when no thread of it runs any more, whoever stopped it: nothing it began is under way then. */
  async isStopped(): Promise<void> {
    await this.#until(() => threadStates(this.pid).every((state) => state === 'T'), 'stop');
  }

  stop(): Promise<void> {
    process.kill(this.pid, 'SIGSTOP');
    return this.isStopped();
  }

  continue(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Resolves when it is gone; at once when it was. */
  async kill(): Promise<void> {
    if (!this.isOver) this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    for (const deadline = performance.now() + WAIT_MS_MAX; !isSo(); ) {
      if (this.isOver || performance.now() > deadline) {
        throw new Error(`did not ${what}, ${this.isOver ? 'and ended' : 'and lives'}:\n${this.#output}`);
      }
      await pause(POLL_MS);
    }
  }
}

/** Letters of proc(5). None when it is gone. */
function threadStates(pid: number): string[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/stat`, 'utf8').replace(/^.*\) /s, '')[0] ?? '');
}

/**
 * A real pseudo-terminal without a native addon:
 *
 *   this process ──stdin/stdout── script (util-linux) ──master│slave── /dev/pts/N ◀── opened by a node as its serial port
 *                                                         └── sleep: keeps the slave open, so that the master sees no hang-up
 *
 * It is 8-bit clean, has no baud, and knows neither BREAK nor modem lines (ENOTTY). Ending `script` is what pulling out an adapter
 * is: every descriptor of the slave is dead at once. Both programs are started so that the kernel ends them with their parent, and
 * in a session of their own: Ctrl-C is for the simulator, whose belts still have to drain.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { invariant } from '../shared/assert.ts';
import type { Line, LineListener } from '../shared/ports.ts';

/** From start to the printed path, in ms. Usually 10; a machine under load may take a second. */
export const PTY_OPEN_MS_MAX = 5000;
/** The first line of `script`, in bytes. It is a path like /dev/pts/12; more is not ours. */
const FIRST_LINE_BYTES_MAX = 256;

const DIES_WITH_PARENT = ['--pdeathsig', 'KILL'] as const;
const IN_THE_TERMINAL = `stty raw -echo; tty; exec setpriv ${DIES_WITH_PARENT.join(' ')} sleep infinity`;

type ScriptProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Our end of a pseudo-terminal. A Line: whoever simulates hardware talks through it to whoever opened `path`. */
export interface Pty extends Line {
  /** The other end, such as /dev/pts/7. The kernel gives the number away again as soon as this one is gone. */
  readonly path: string;
  /** Stops taking bytes from the terminal: its buffers of a few KiB fill, and then its writers wait, as at a slow port. */
  pause(): void;
  resume(): void;
  /** Ends the terminal. Resolves when its process is gone; a second call gives the same promise. */
  close(): Promise<void>;
}

/** Rejects when there is no path within `timeoutMs`; nothing is left running then. */
export async function openPty(options?: { timeoutMs?: number }): Promise<Pty> {
  const script = spawn('setpriv', [...DIES_WITH_PARENT, 'script', '-qfec', IN_THE_TERMINAL, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    // script hands the command to $SHELL, which may be anything.
    env: { ...process.env, SHELL: '/bin/sh' },
  });
  try {
    const { path, rest } = await firstLine(script, options?.timeoutMs ?? PTY_OPEN_MS_MAX);
    return new ScriptPty(script, path, rest);
  } catch (error) {
    script.kill('SIGKILL');
    throw error;
  }
}

/** Why there are no pseudo-terminals on this machine; undefined when there are. Finds out by opening one. */
export async function ptysAvailable(): Promise<string | undefined> {
  try {
    const pty = await openPty();
    await pty.close();
    return undefined;
  } catch (error) {
    return `no pseudo-terminals: ${error instanceof Error ? error.message : String(error)}`;
  }
}

class ScriptPty implements Pty {
  readonly path: string;
  readonly #script: ScriptProcess;
  readonly #gone: Promise<void>;
  #early: Uint8Array;
  #listener: LineListener | undefined;
  #flow: 'flowing' | 'paused' = 'flowing';
  #endedBy: 'nobody' | 'us' | 'others' = 'nobody';

  constructor(script: ScriptProcess, path: string, early: Uint8Array) {
    this.#script = script;
    this.path = path;
    this.#early = early;
    this.#gone = new Promise((resolve) => {
      const gone = (): void => {
        if (this.#endedBy === 'nobody') this.#endedBy = 'others';
        resolve();
      };
      if (script.exitCode !== null || script.signalCode !== null) gone();
      else script.once('exit', gone);
    });
    // EPIPE after the process went away says the same as its exit, which is what reports.
    script.stdin.on('error', () => undefined);
    script.stderr.resume();
  }

  write(bytes: Uint8Array): number {
    const { stdin } = this.#script;
    if (!stdin.writable) return 0;
    stdin.write(bytes.slice());
    return stdin.writableLength;
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    const { stdin, stdout } = this.#script;
    stdout.on('data', (chunk: Buffer) => {
      if (this.#endedBy === 'nobody') listener.onBytes(new Uint8Array(chunk));
    });
    if (this.#early.length > 0) stdout.unshift(this.#early);
    this.#early = new Uint8Array(0);
    if (this.#flow === 'flowing') stdout.resume();
    stdin.on('drain', () => {
      if (this.#endedBy === 'nobody') listener.onDrained?.();
    });
    this.#gone.then(() => listener.onClosed(this.#endedBy === 'us' ? 'closed' : 'the terminal ended'));
  }

  pause(): void {
    this.#flow = 'paused';
    this.#script.stdout.pause();
  }

  resume(): void {
    this.#flow = 'flowing';
    if (this.#listener !== undefined) this.#script.stdout.resume();
  }

  close(): Promise<void> {
    if (this.#endedBy === 'nobody') this.#endedBy = 'us';
    this.#script.kill('SIGKILL');
    this.#script.stdin.destroy();
    this.#script.stdout.destroy();
    return this.#gone;
  }
}

/** The path that `tty` prints, and whatever came behind it: that belongs to the stream. */
function firstLine(script: ScriptProcess, timeoutMs: number): Promise<{ path: string; rest: Uint8Array }> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    let complaint = '';
    const timer = setTimeout(() => finish(() => reject(new Error(`no terminal within ${timeoutMs} ms`))), timeoutMs);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      script.stdout.off('data', onData);
      script.stdout.pause();
      script.off('error', onError);
      script.off('close', onClose);
      settle();
    };
    const onData = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf('\n');
      if (end < 0 && seen.length <= FIRST_LINE_BYTES_MAX) return;
      const path = seen.subarray(0, Math.max(end, 0)).toString('latin1').trim();
      if (!path.startsWith('/dev/'))
        finish(() => reject(new Error(`script printed ${JSON.stringify(path)} instead of a terminal`)));
      else finish(() => resolve({ path, rest: new Uint8Array(seen.subarray(end + 1)) }));
    };
    const onError = (error: Error): void => finish(() => reject(error));
    const onClose = (): void => finish(() => reject(new Error(complaint.trim() || 'script ended at once')));
    script.stdout.on('data', onData);
    script.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('latin1')).slice(0, FIRST_LINE_BYTES_MAX);
    });
    script.on('error', onError);
    script.on('close', onClose);
  });
}

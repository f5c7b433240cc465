/**
 * What a node opens as its serial port: pseudo-terminals under names that stay, though their numbers change with every plugging.
 *
 *   PtyPort    <path> ─▶ /dev/pts/N ══ cable ══ our own simulated hardware
 *   PtyCable   <path a> ─▶ /dev/pts/N ══ cable ══ /dev/pts/M ◀─ <path b>
 *
 * The names are symbolic links, put in place by a rename, so that whoever opens one gets a whole terminal or ENOENT. Unplugging takes
 * the name away first: a number freed by it may be another program's terminal a moment later.
 */

import { mkdir, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { invariant } from '../shared/assert.ts';
import type { Line } from '../shared/ports.ts';
import { Cable, type CableOptions } from './cable.ts';
import { linePair } from './line-pair.ts';
import { openPty, type Pty } from './pty.ts';

/** One pseudo-terminal whose other end is our own machine. */
export class PtyPort {
  readonly path: string;
  readonly #options: CableOptions;
  readonly #plug = new Plug();
  #cable: Cable | undefined;

  /** Unplugged at first. In `options.faults`, a is our machine and b the terminal. */
  constructor(path: string, options: CableOptions) {
    this.path = path;
    this.#options = options;
  }

  /** The cable of this plugging: its wires have faults and counters. Undefined while unplugged. */
  get cable(): Cable | undefined {
    return this.#cable;
  }

  /** Resolves to our machine's end, paced and damaged like the cable. It closes at `unplug`; each plugging gives a new one. */
  async plug(): Promise<Line> {
    const [pty] = await this.#plug.in([this.path]);
    invariant(pty !== undefined, 'one path, one terminal');
    const [ours, cableEnd] = linePair();
    this.#cable = new Cable(cableEnd, pty, this.#options);
    return ours;
  }

  /** The name is gone and the terminal dead. Whoever has it open may not notice before it writes. */
  async unplug(): Promise<void> {
    this.#cable = undefined;
    await this.#plug.out();
  }
}

/** Two pseudo-terminals joined by a cable. */
export class PtyCable {
  readonly paths: { readonly a: string; readonly b: string };
  readonly #options: CableOptions;
  readonly #plug = new Plug();
  #cable: Cable | undefined;

  /** Unplugged at first. */
  constructor(paths: { a: string; b: string }, options: CableOptions) {
    this.paths = paths;
    this.#options = options;
  }

  /** The cable of this plugging. Undefined while unplugged. */
  get cable(): Cable | undefined {
    return this.#cable;
  }

  /** Resolves when both names lead to open terminals. */
  async plug(): Promise<void> {
    const [a, b] = await this.#plug.in([this.paths.a, this.paths.b]);
    invariant(a !== undefined && b !== undefined, 'two paths, two terminals');
    this.#cable = new Cable(a, b, this.#options);
  }

  async unplug(): Promise<void> {
    this.#cable = undefined;
    await this.#plug.out();
  }
}

/** Terminals under published names: all of them or none. */
class Plug {
  #ptys: { pty: Pty; path: string }[] = [];
  #state: 'out' | 'moving' | 'in' = 'out';

  async in(paths: readonly string[]): Promise<Pty[]> {
    invariant(this.#state === 'out', `plugged in while ${this.#state}`);
    this.#state = 'moving';
    try {
      for (const path of paths) this.#ptys.push({ pty: await openPty(), path });
      for (const { pty, path } of this.#ptys) await publish(pty.path, path);
    } catch (error) {
      await this.#pull();
      throw error;
    }
    this.#state = 'in';
    return this.#ptys.map(({ pty }) => pty);
  }

  async out(): Promise<void> {
    invariant(this.#state !== 'moving', 'unplugged while moving');
    this.#state = 'moving';
    await this.#pull();
  }

  async #pull(): Promise<void> {
    for (const { pty, path } of this.#ptys) await withdraw(pty.path, path);
    await Promise.all(this.#ptys.map(({ pty }) => pty.close()));
    this.#ptys = [];
    this.#state = 'out';
  }
}

async function publish(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}.new`;
  await symlink(target, fresh);
  await rename(fresh, path);
}

/** Leaves a name alone that is somebody else's by now. */
async function withdraw(target: string, path: string): Promise<void> {
  try {
    if ((await readlink(path)) === target) await unlink(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    // Gone already: that is what was wanted.
  }
}

/** A belt of the hall: what it has to tell, its controller, and the line that it is given. */

import type { Line } from '../../shared/ports.ts';
import { type Seed, stream } from '../random.ts';
import { BeltController } from './belt-controller.ts';
import { BeltDrive } from './belt-drive.ts';
import { beltLabel } from './hall-nodes.ts';
import { telegramSource, uniqueKeyOf } from './telegrams.ts';

/** Telegrams without end, or given ones, each once. */
export type HallTelegrams =
  | { readonly kind: 'generated'; readonly seed: Seed }
  | { readonly kind: 'given'; readonly telegrams: readonly Uint8Array[] };

/** The key that the account of these telegrams goes by; undefined: their bytes. */
export function keysOf(telegrams: HallTelegrams): (telegram: Uint8Array) => string | undefined {
  return telegrams.kind === 'generated' ? uniqueKeyOf : () => undefined;
}

export class HallBelt {
  readonly label: string;
  readonly controller: BeltController;
  readonly #drive: BeltDrive;
  readonly #given: Uint8Array[] | undefined;
  #line: Line | undefined;
  #state: 'waiting' | 'telling' = 'waiting';

  /** One of `count`, which share what is given. Tells nothing before it is started. */
  constructor(index: number, count: number, telegrams: HallTelegrams) {
    this.label = beltLabel(index);
    const given = telegrams.kind === 'given' ? telegrams.telegrams.filter((_, i) => i % count === index) : undefined;
    const next = telegrams.kind === 'generated' ? generated(index, telegrams.seed) : () => given?.shift();
    this.#given = given;
    this.controller = new BeltController({
      next: () => (this.#state === 'telling' ? next() : undefined),
      keyOf: keysOf(telegrams),
    });
    this.#drive = new BeltDrive(this.controller);
  }

  /** Everything that it had to tell was acknowledged; never so for what is generated. */
  get isDone(): boolean {
    return this.#given?.length === 0 && this.controller.outstanding === undefined;
  }

  /** A line for this belt. It has one at a time: the one before is closed. */
  onLine(line: Line): void {
    this.#line?.close();
    this.#line = line;
    this.#drive.attach(line);
  }

  start(): void {
    this.#state = 'telling';
  }

  /** No new telegrams. Resolves when the one that waited is acknowledged. */
  stop(): Promise<void> {
    return this.#drive.stop();
  }

  close(): void {
    this.#drive.close();
  }
}

function generated(belt: number, seed: Seed): () => Uint8Array {
  const random = stream(seed, beltLabel(belt));
  return telegramSource({ belt, next: () => random.next() });
}

/**
 * The USB serial ports of a simulated machine, named as a kernel names them: by the order of plugging, not by what they are.
 *
 *   plugged in                     gets the lowest ttyUSB number that is free
 *   pulled out while it is open    the number stays taken until whoever has it open closes it: back in, it is another one
 *   all pulled and put back        in another order, under each other's names
 */
import { invariant } from '../shared/assert.ts';
import { RingmailError } from '../shared/errors.ts';
import type { PortListing } from '../shared/node/port-match.ts';
import type { Line, LineListener } from '../shared/ports.ts';
import type { SimLinePair } from './sim-line.ts';

export interface SimAdapter {
  readonly vendorId: string;
  readonly productId: string;
  readonly serialNumber: string;
  /** Name in /dev/serial/by-path of the socket it is plugged into. */
  readonly byPath: string;
  /** A fresh line to the machine at its other end; `a` is the end of whoever opens the port. */
  readonly connect: () => SimLinePair;
}

interface Plugged {
  readonly adapter: SimAdapter;
  readonly number: number;
  pair: SimLinePair | undefined;
}

export class SimPorts {
  readonly #plugged = new Set<Plugged>();
  /** Numbers of ports that are open, adapter or not. */
  readonly #held = new Set<number>();

  /** Its path. */
  plug(adapter: SimAdapter): string {
    invariant(this.#of(adapter) === undefined, 'an adapter is in one socket');
    const taken = new Set([...this.#held, ...[...this.#plugged].map(({ number }) => number)]);
    let number = 0;
    while (taken.has(number)) number += 1;
    this.#plugged.add({ adapter, number, pair: undefined });
    return pathOf(number);
  }

  /** Whoever has it open is told. */
  unplug(adapter: SimAdapter): void {
    const plugged = this.#of(adapter);
    invariant(plugged !== undefined, 'it is plugged in');
    this.#plugged.delete(plugged);
    plugged.pair?.cut();
  }

  /** What udev would say. */
  list(): PortListing[] {
    return [...this.#plugged].map(({ number, adapter: { vendorId, productId, serialNumber, byPath } }) => {
      return { path: pathOf(number), vendorId, productId, serialNumber, byPath: [byPath] };
    });
  }

  /** @throws LINE_UNAVAILABLE: nothing of that name, or it is open */
  open(path: string): Line {
    const plugged = [...this.#plugged].find(({ number }) => pathOf(number) === path);
    const refuse = (reason: string): never => {
      throw new RingmailError('LINE_UNAVAILABLE', { line: path, reason });
    };
    if (plugged === undefined) return refuse('ENOENT');
    if (this.#held.has(plugged.number)) return refuse('it is locked');
    this.#held.add(plugged.number);
    plugged.pair = plugged.adapter.connect();
    return new HeldLine(plugged.pair.a, () => {
      this.#held.delete(plugged.number);
      plugged.pair = undefined;
    });
  }

  #of(adapter: SimAdapter): Plugged | undefined {
    return [...this.#plugged].find((plugged) => plugged.adapter === adapter);
  }
}

/** A line that gives its name back when its owner closes it, not when the adapter goes. */
class HeldLine implements Line {
  readonly #line: Line;
  readonly #release: () => void;

  constructor(line: Line, release: () => void) {
    this.#line = line;
    this.#release = release;
  }

  write(bytes: Uint8Array): number {
    return this.#line.write(bytes);
  }

  close(): void {
    this.#release();
    this.#line.close();
  }

  listen(listener: LineListener): void {
    this.#line.listen(listener);
  }
}

function pathOf(number: number): string {
  return `/dev/ttyUSB${number}`;
}

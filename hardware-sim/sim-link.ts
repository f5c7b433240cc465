/** A cable between two nodes in virtual time, laid again whenever it is gone and both serve, as the shells of the product do. */
import type { Prng } from './random.ts';
import { type SimLinePair, simLines } from './sim-line.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

/** Between two looks at whether the cable is to be laid again, in virtual milliseconds. */
const LOOK_MS = 200;

export interface SimLinkOptions {
  readonly world: World;
  readonly random: Prng;
  readonly dials: SimNode;
  readonly accepts: SimNode;
  /** Bits per second; undefined: a socket. */
  readonly baud?: number;
  /** Of the node that dials, where it has several. */
  readonly uplink?: string;
}

export class SimLink {
  readonly #options: SimLinkOptions;
  #pair: SimLinePair | undefined;
  #state: 'plugged' | 'unplugged' = 'plugged';

  constructor(options: SimLinkOptions) {
    this.#options = options;
    this.#look();
  }

  /** The cable as it is laid now. */
  get pair(): SimLinePair | undefined {
    return this.#pair;
  }

  /** Nothing passes until `plug`; both nodes are told. */
  unplug(): void {
    this.#state = 'unplugged';
    this.#pair?.cut();
  }

  plug(): void {
    this.#state = 'plugged';
  }

  #look(): void {
    const { world, random, dials, accepts, baud, uplink } = this.#options;
    if (this.#state === 'plugged' && dials.isServing && accepts.isServing && this.#pair?.isClosed !== false) {
      this.#pair?.cut();
      const pair = simLines({ world, baud, random });
      this.#pair = pair;
      dials.attach(pair.a, { role: 'dial', baud, uplink }, () => {});
      accepts.attach(pair.b, { role: 'accept', baud }, () => {});
    }
    world.after(LOOK_MS, () => this.#look());
  }
}

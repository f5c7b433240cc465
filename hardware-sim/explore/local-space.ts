/**
 * All states of one machine that were met, and what each input does to each of them. Nodes share nothing but words, so what a node
 * does depends on its own state and its input alone: the real code runs once for each pair, and a state of the whole, made of states
 * of its nodes, costs a look into this table.
 *
 *   state ──input──▶ state, words        a state is reached again by repeating the inputs since its power came on
 *
 * This is exact only if a fingerprint says all of a state. One step in RETRACE_EVERY is taken a second time, from the same state by
 * another way where there is one, and must end alike.
 */
import { invariant } from '../../shared/assert.ts';
import type { Machine, MachineMaker } from './machine.ts';
import type { Image } from './memory-ring.ts';

export interface LocalStep {
  readonly next: number;
  readonly said: readonly number[];
}

interface LocalState<Facts> {
  readonly print: string;
  readonly facts: Facts;
  /** What lies on the disk of one without power: it begins there. */
  readonly image: Image | undefined;
  readonly before: number;
  readonly input: string;
  readonly depth: number;
  readonly steps: Map<string, LocalStep>;
}

const RETRACE_EVERY = 16;
/** Machines kept as they stand, for who comes back to their state. */
const WARM_COUNT = 64;

export class LocalSpace<Facts> {
  /** Inputs that real code was given, repeats not counted. */
  stepCount = 0;
  replayedCount = 0;
  retracedCount = 0;
  readonly #make: MachineMaker<Facts>;
  readonly #states: LocalState<Facts>[] = [];
  readonly #byPrint = new Map<string, number>();
  readonly #warm = new Map<number, Machine<Facts>>();

  constructor(make: MachineMaker<Facts>) {
    this.#make = make;
  }

  get size(): number {
    return this.#states.length;
  }

  facts(state: number): Facts {
    return this.#state(state).facts;
  }

  /** The state without power and with this on the disk. */
  off(image: Image): number {
    const known = this.#byPrint.get(`off ${image.print}`);
    if (known !== undefined) return known;
    const machine = this.#make(image);
    return this.#enter({ print: `off ${image.print}`, facts: machine.facts(), image, before: -1, input: '', depth: 0 });
  }

  imageOf(state: number): Image | undefined {
    return this.#state(state).image;
  }

  step(state: number, input: string): LocalStep {
    const from = this.#state(state);
    const known = from.steps.get(input);
    if (known !== undefined) return known;
    const machine = this.#machineAt(state);
    this.stepCount += 1;
    const said = machine.apply(input);
    const step = { next: this.#arrive(machine, state, input), said };
    from.steps.set(input, step);
    return step;
  }

  #arrive(machine: Machine<Facts>, before: number, input: string): number {
    if (machine.off !== undefined) return this.off(machine.off);
    const print = machine.print();
    const known = this.#byPrint.get(print);
    if (known !== undefined) {
      if (this.stepCount % RETRACE_EVERY === 0) this.#retrace(known, machine);
      return known;
    }
    const depth = this.#state(before).depth + 1;
    const next = this.#enter({ print, facts: machine.facts(), image: undefined, before, input, depth });
    this.#keepWarm(next, machine);
    return next;
  }

  /** Comes to a known state by another way: whatever is known to happen there must happen here. */
  #retrace(state: number, machine: Machine<Facts>): void {
    const { steps } = this.#state(state);
    const chosen = [...steps][this.stepCount % Math.max(1, steps.size)];
    if (chosen === undefined) return;
    const [input, { next, said }] = chosen;
    const saidHere = machine.apply(input);
    const print = machine.off === undefined ? machine.print() : `off ${machine.off.print}`;
    this.retracedCount += 1;
    invariant(print === this.#state(next).print && String(saidHere) === String(said), `a fingerprint says all: ${input}`);
  }

  /** A machine in this state, which is the caller's. */
  #machineAt(state: number): Machine<Facts> {
    const warm = this.#warm.get(state);
    if (warm !== undefined) {
      this.#warm.delete(state);
      return warm;
    }
    const inputs: string[] = [];
    let at = this.#state(state);
    for (; at.image === undefined; at = this.#state(at.before)) inputs.push(at.input);
    const machine = this.#make(at.image);
    for (let i = inputs.length - 1; i >= 0; i--) machine.apply(inputs[i] ?? '');
    this.replayedCount += inputs.length;
    return machine;
  }

  #keepWarm(state: number, machine: Machine<Facts>): void {
    this.#warm.set(state, machine);
    if (this.#warm.size <= WARM_COUNT) return;
    for (const [oldest] of this.#warm) {
      this.#warm.delete(oldest);
      return;
    }
  }

  #enter(state: Omit<LocalState<Facts>, 'steps'>): number {
    const id = this.#states.length;
    this.#states.push({ ...state, steps: new Map() });
    this.#byPrint.set(state.print, id);
    return id;
  }

  #state(id: number): LocalState<Facts> {
    const state = this.#states[id];
    invariant(state !== undefined, 'a state of this space');
    return state;
  }
}

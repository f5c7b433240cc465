/**
 * A clone that runs beside its original: another machine with a copy of the same disk, which bears the same name, sends messages of its
 * own under the same numbers, is dialled by some of those who mean the original, and after a while is gone for good with all that only it had.
 *
 *   disk ──copy──▶ clone: dials where the original dials, and has the same place at the broker
 *   devices of the original ──▶ some of them reach the clone instead, until it goes
 *
 * What only the clone held is on record as destroyed, with its end. All else is promised as ever.
 */
import type { Prng } from '../random.ts';
import type { SimDisk } from '../sim-disk.ts';
import type { SimNode } from '../sim-node.ts';
import { type Stage, tellSend } from './applications.ts';
import type { Wreckage } from './node-faults.ts';
import type { Plan, PlannedNode, PlannedSend } from './plan.ts';
import type { Wiring } from './wiring.ts';

/** Of messages of a clone, higher than any of a plan. */
const CLONE_NUMBER_MIN = 10_000;
const SEND_COUNT_MAX = 8;
const BODY_BYTES_MAX = 200;
const POWER_ON_MS_MAX = 500;

export interface CloneParts {
  readonly stage: Stage;
  readonly plan: Plan;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly wiring: Wiring;
  /** A node of that plan which others know by its label, with this disk in its slot. */
  readonly build: (plan: PlannedNode, label: string, disk: SimDisk) => SimNode;
}

/** At most one clone of a node at a time. */
export class Clones {
  readonly #parts: CloneParts;
  readonly #running = new Map<string, SimNode>();
  #count = 0;

  constructor(parts: CloneParts) {
    this.#parts = parts;
  }

  /** False when there is one of it already, or the original is not up. */
  strike(original: SimNode, { random, blame }: Wreckage, forMs: number): boolean {
    const { stage, plan } = this.#parts;
    const { world } = stage;
    const planned = plan.world.nodes.find(({ name }) => name === original.name);
    if (planned === undefined || this.#running.has(original.name) || !original.isServing) return false;
    const disk = original.disk.clone(random);
    disk.powerCut();
    const label = `${original.name}-clone-${++this.#count}`;
    const clone = this.#parts.build(planned, label, disk);
    if (random.chance(0.5)) clone.home = label;
    this.#running.set(original.name, clone);
    blame.put(original.name, 'cloned', 'lasting');
    world.after(random.int(POWER_ON_MS_MAX), () => clone.start());
    this.#connect(planned, clone, random);
    if (planned.uplink !== 'none') this.#send(planned, clone, { random, forMs });
    world.after(forMs, () => this.#end(original.name));
    return true;
  }

  /** All of them are gone. */
  end(): void {
    for (const name of [...this.#running.keys()]) this.#end(name);
  }

  #connect(planned: PlannedNode, clone: SimNode, random: Prng): void {
    const { wiring, plan, nodes } = this.#parts;
    const next = nodes.get(planned.dials ?? '');
    if (next !== undefined) wiring.lay(planned, clone, next);
    for (const uplink of planned.uplinks ?? []) {
      const to = uplink.via === 'link' ? nodes.get(uplink.dials) : undefined;
      if (to !== undefined) wiring.layFurther(planned, { from: clone, to }, uplink.name);
    }
    for (const { name, dials } of plan.world.nodes) if (dials === planned.name && random.chance(0.5)) wiring.lead(name, clone);
  }

  #send(planned: PlannedNode, clone: SimNode, { random, forMs }: { random: Prng; forMs: number }): void {
    const { stage, plan } = this.#parts;
    const count = random.int(SEND_COUNT_MAX);
    const like = plan.sends.filter(({ node }) => node === planned.name);
    for (let i = 0; i < count && like.length > 0; i++) {
      const send = {
        key: `${planned.name}:${CLONE_NUMBER_MIN * this.#count + i}`,
        atMs: 0,
        node: planned.name,
        destination: `${planned.central}/bags`,
        priority: random.pick([0, 3, 3, 7]),
        bytes: 20 + random.int(BODY_BYTES_MAX),
      };
      stage.world.after(random.int(forMs), () => {
        if (clone.isServing) sendUnheard(stage, clone, send);
      });
    }
  }

  #end(name: string): void {
    const { stage, wiring } = this.#parts;
    const clone = this.#running.get(name);
    if (clone === undefined) return;
    this.#running.delete(name);
    wiring.leadBack(clone);
    clone.retire();
    stage.oracle.destroyed(clone, 'cloned');
  }
}

/** Whoever sends at a clone is gone with it: what it was answered nobody knows. */
function sendUnheard(stage: Stage, clone: SimNode, send: PlannedSend): void {
  const { body, properties } = tellSend(stage, send);
  clone.call({ verb: 'send', destination: send.destination, body, properties }, () => {});
}

/**
 * Lets the faults of a plan strike: nodes, lines, the broker. Each draws from a stream of its own, so that taking one out of a plan
 * changes nothing for the others. What lasts is ended when its time is over, or with all of it.
 */
import { type Seed, stream } from '../random.ts';
import type { SimNode } from '../sim-node.ts';
import type { Leases, Stage } from './applications.ts';
import type { Clones } from './clones.ts';
import { CABLE_FAULT_NAMES, FIRST_BROKER_AWAY, FIRST_UPLINK_AWAY, PLACE_AWAY, WAY_FAULT_NAMES } from './fault-kinds.ts';
import { BROKER_FAULTS, LINE_FAULTS } from './medium-faults.ts';
import { Blame, cutPower, hasBacklog, strikeNode, type Wreckage } from './node-faults.ts';
import type { PlannedFault } from './plan.ts';
import type { YardBroker } from './virtual-mqtt.ts';
import type { Wiring } from './wiring.ts';

export interface TroubleParts {
  readonly stage: Stage;
  readonly seed: Seed;
  readonly nodes: ReadonlyMap<string, SimNode>;
  readonly wiring: Wiring;
  readonly broker: { readonly port: YardBroker; readonly kind: 'sim' | 'mqtt'; readonly clients: readonly string[] };
  readonly leases: Leases;
  readonly clones: Clones;
}

export class Trouble {
  readonly blame = new Blame();
  /** When the last of it is over. */
  lastMs = 0;
  readonly #parts: TroubleParts;
  readonly #endings: (() => void)[] = [];
  readonly #awayUntil = new Map<string, number>();

  constructor(parts: TroubleParts) {
    this.#parts = parts;
  }

  plan(faults: readonly PlannedFault[]): void {
    for (const fault of faults) {
      this.lastMs = Math.max(this.lastMs, fault.atMs + fault.forMs);
      this.#parts.stage.world.at(fault.atMs, () => this.#strike(fault));
    }
  }

  /** All that lasts is over. */
  end(): void {
    for (const end of this.#endings) end();
    this.#parts.clones.end();
    this.#parts.wiring.putIn();
  }

  /** It has no power for so long. */
  isAway(node: string): boolean {
    const { stage } = this.#parts;
    return stage.phase === 'trouble' && (this.#awayUntil.get(node) ?? Number.NEGATIVE_INFINITY) > stage.world.nowMs;
  }

  cutPower(node: SimNode): void {
    cutPower(this.#wreckage('the end'), node);
  }

  #strike(planned: PlannedFault): void {
    const { stage } = this.#parts;
    if (stage.phase === 'calm') return;
    const { fault, target, forMs, atMs } = planned;
    if (!this.#strikes(planned)) return;
    const untilMs = stage.world.nowMs + forMs;
    stage.recorder.add({ kind: 'fault', fault, target, untilMs });
    this.lastMs = Math.max(this.lastMs, atMs + forMs);
  }

  #strikes(planned: PlannedFault): boolean {
    const { fault, target, forMs } = planned;
    const wreckage = this.#wreckage(`strike ${planned.atMs} ${fault} ${target}`);
    if (CABLE_FAULT_NAMES.includes(fault)) return this.#strikeCable(wreckage, planned);
    if (WAY_FAULT_NAMES.includes(fault)) return this.#strikeWay(wreckage, planned);
    if (LINE_FAULTS.some(({ name }) => name === fault)) return this.#strikeLine(wreckage, planned);
    if (BROKER_FAULTS.some(({ name }) => name === fault)) return this.#strikeBroker(wreckage, planned);
    const { nodes, stage, clones } = this.#parts;
    const node = nodes.get(target);
    if (node === undefined) return false;
    if (fault === 'cloned') return clones.strike(node, wreckage, forMs);
    const isOtherDown = [...nodes.values()].some((other) => other !== node && !other.isUp);
    if (!strikeNode(wreckage, fault, { node, forMs })) return false;
    if (isOtherDown && !node.isUp) stage.recorder.mark('power cut of both ends of a hop');
    return true;
  }

  #strikeCable({ random }: Wreckage, { fault, target }: PlannedFault): boolean {
    const { wiring } = this.#parts;
    if (fault === 'line laid twice') return wiring.layTwice(target);
    const others = wiring.names.filter((name) => name !== target);
    return others.length > 0 && wiring.swap(target, others[random.int(others.length)] ?? target);
  }

  #strikeWay({ random, recorder }: Wreckage, { fault, target, forMs }: PlannedFault): boolean {
    const { wiring, nodes, broker } = this.#parts;
    if (fault === FIRST_UPLINK_AWAY) return wiring.pullOut(target, forMs);
    if (fault === FIRST_BROKER_AWAY) {
      broker.port.restart(forMs, random.pick<'all' | { newest: number }>(['all', { newest: 1 }]));
      return true;
    }
    if (fault === PLACE_AWAY) {
      const node = nodes.get(target);
      if (node === undefined) return false;
      this.#awayUntil.set(target, this.#parts.stage.world.nowMs + forMs);
      if (node.isUp) this.cutPower(node);
      if (forMs >= 3_600_000) recorder.mark('a place of a route away for an hour');
      return true;
    }
    const leads = wiring.leadsOf(target);
    const others = [...nodes.values()].filter(({ name }) => name.startsWith('gateway') && name !== leads?.now);
    const [other] = others;
    if (leads === undefined || other === undefined) return false;
    const from = nodes.get(leads.now);
    const waits = from?.stats()?.outgoing.some(({ held, stream: text }) => held > 0 && text.includes(`:${target}/`));
    recorder.mark(waits === true ? 'device moved with commands waiting' : 'device moved');
    wiring.pullOut(target, random.pick([0, 500, 3_000]));
    wiring.lead(target, other);
    const back = nodes.get(leads.planned);
    // Some stay.
    if (back !== undefined && random.chance(0.6)) this.#forAWhile(() => wiring.lead(target, back), forMs);
    return true;
  }

  #strikeLine({ random, recorder }: Wreckage, { fault, target, forMs }: PlannedFault): boolean {
    const { wiring, nodes } = this.#parts;
    const pair = wiring.pairOf(target);
    const kind = LINE_FAULTS.find(({ name }) => name === fault);
    if (kind === undefined || pair === undefined || pair.isClosed) return false;
    const node = nodes.get(target);
    if (node !== undefined && hasBacklog(node)) recorder.mark('line gone with a backlog to hand over');
    this.#forAWhile(kind.strike(pair, random), forMs);
    return true;
  }

  #strikeBroker({ random, recorder }: Wreckage, { fault, forMs }: PlannedFault): boolean {
    const { broker, nodes } = this.#parts;
    const kind = BROKER_FAULTS.find(({ name }) => name === fault);
    const [first, ...others] = broker.clients;
    if (kind === undefined || first === undefined) return false;
    if (kind.suits === 'the simulated one' && broker.kind === 'mqtt') return false;
    const hasWork = broker.clients.some((name) => hasBacklogAt(nodes.get(name)));
    if (hasWork) recorder.mark('broker gone with a backlog to hand over');
    this.#forAWhile(kind.strike({ broker: broker.port, clients: [first, ...others] }, random), forMs);
    return true;
  }

  #forAWhile(off: () => void, forMs: number): void {
    let isOn = true;
    const end = (): void => {
      if (isOn) off();
      isOn = false;
    };
    this.#endings.push(end);
    this.#parts.stage.world.after(forMs, end);
  }

  #wreckage(what: string): Wreckage {
    const { stage, seed, leases } = this.#parts;
    const { world, oracle, recorder } = stage;
    return { world, oracle, recorder, leases, blame: this.blame, random: stream(seed, what) };
  }
}

function hasBacklogAt(node: SimNode | undefined): boolean {
  return node !== undefined && hasBacklog(node);
}

/**
 * The cables of a yard: one from every node that dials to the node it dials, laid again whenever it is gone and both are up. What a
 * line does to bytes is a matter of its faults; here it is counted what crosses, and what is held.
 */
import type { Line, LineListener } from '../../shared/ports.ts';
import type { Prng } from '../random.ts';
import { type SimLinePair, simLines, swapLines } from '../sim-line.ts';
import type { SimNode } from '../sim-node.ts';
import type { World } from '../world.ts';
import type { PlannedNode } from './plan.ts';

/** Lots of every line, in ms of line time: as a USB adapter gives them. */
const LOT_MS = 16;

interface Cable {
  readonly from: SimNode;
  /** Where it leads as planned; `leads` is where it leads now. */
  readonly to: SimNode;
  leads: SimNode;
  readonly plan: PlannedNode;
  /** Of the node that dials, where it has several. */
  readonly uplink: string | undefined;
  readonly random: Prng;
  pair: SimLinePair | undefined;
  /** Until then it is not laid again. */
  awayUntilMs: number;
}

export class Wiring {
  readonly counters = { lineBytes: 0 };
  /** Bytes that any line of a node held unsent, at most. */
  readonly unsentMax = new Map<string, number>();
  readonly #world: World;
  readonly #streamOf: (name: string) => Prng;
  readonly #cables = new Map<string, Cable>();

  /** `streamOf`: chance for each cable, by the node that dials. */
  constructor(world: World, streamOf: (name: string) => Prng) {
    this.#world = world;
    this.#streamOf = streamOf;
  }

  /** From now on there is a cable, whenever both ends are up. */
  lay(plan: PlannedNode, from: SimNode, to: SimNode): void {
    this.#lay(from.name, { from, to, plan, uplink: plan.uplinks && 'up' });
  }

  /** The same for an uplink of it beside the first. */
  layFurther(plan: PlannedNode, ends: { readonly from: SimNode; readonly to: SimNode }, uplink: string): void {
    this.#lay(`${ends.from.name} ${uplink}`, { ...ends, plan, uplink });
  }

  #lay(name: string, ends: Pick<Cable, 'from' | 'to' | 'plan' | 'uplink'>): void {
    const random = this.#streamOf(name);
    const cable: Cable = { ...ends, leads: ends.to, random, pair: undefined, awayUntilMs: Number.NEGATIVE_INFINITY };
    this.#cables.set(name, cable);
    this.#keep(name, cable);
  }

  /** The first line of a node is gone for so long. */
  pullOut(node: string, forMs: number): boolean {
    const cable = this.#cables.get(node);
    if (cable === undefined) return false;
    cable.awayUntilMs = Math.max(cable.awayUntilMs, this.#world.nowMs + forMs);
    cable.pair?.cut();
    return true;
  }

  /** Whatever was pulled out is put in again. */
  putIn(): void {
    for (const cable of this.#cables.values()) cable.awayUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Where the line of a node leads now, and as planned. */
  leadsOf(node: string): { readonly now: string; readonly planned: string } | undefined {
    const cable = this.#cables.get(node);
    return cable && { now: cable.leads.name, planned: cable.to.name };
  }

  /** Nodes that dial. */
  get names(): readonly string[] {
    return [...this.#cables.keys()];
  }

  /** The line of a node that dials, as it is now. */
  pairOf(node: string): SimLinePair | undefined {
    return this.#cables.get(node)?.pair;
  }

  /** Its line is pulled out and put into another node. */
  lead(node: string, to: SimNode): void {
    const cable = this.#cables.get(node);
    if (cable === undefined) return;
    cable.leads = to;
    cable.pair?.cut();
  }

  /** A node is gone: lines that were led to it lead where they led before, and its own is away. */
  leadBack(from: SimNode): void {
    for (const [name, cable] of this.#cables) {
      if (cable.leads === from) this.lead(name, cable.to);
      if (cable.from !== from) continue;
      cable.pair?.cut();
      this.#cables.delete(name);
    }
  }

  /** A second line between the same two, while the first is there still: as after a reconnect that nobody told the other end of. */
  layTwice(node: string): boolean {
    const cable = this.#cables.get(node);
    if (cable?.pair === undefined || cable.pair.isClosed || !cable.from.isServing || !cable.leads.isServing) return false;
    this.#connect(cable);
    return true;
  }

  /** Two cables into one node exchange their far ends. False where that cannot be. */
  swap(node: string, other: string): boolean {
    const [a, b] = [this.#cables.get(node), this.#cables.get(other)];
    if (a?.pair === undefined || b?.pair === undefined || a === b || a.leads !== b.leads) return false;
    // Ends of different speeds never hear each other again.
    if (a.pair.isClosed || b.pair.isClosed || a.pair.baud === undefined || a.pair.baud !== b.pair.baud) return false;
    swapLines(a.pair, b.pair);
    return true;
  }

  #keep(name: string, cable: Cable): void {
    if (this.#cables.get(name) !== cable) return;
    const { from, leads, random } = cable;
    const isIn = this.#world.nowMs >= cable.awayUntilMs;
    if (isIn && from.isServing && leads.isServing && cable.pair?.isClosed !== false) {
      cable.pair?.cut();
      this.#connect(cable);
    }
    this.#world.after(100 + random.int(200), () => this.#keep(name, cable));
  }

  #connect(cable: Cable): void {
    const { from, leads, plan, random, uplink } = cable;
    const { baud, lineDelayMs } = plan;
    const pair = simLines({ world: this.#world, baud, random, delayMs: lineDelayMs, lotMs: LOT_MS });
    cable.pair = pair;
    from.attach(this.#counted(pair.a, from.name), { role: 'dial', baud, uplink }, () => {});
    leads.attach(this.#counted(pair.b, leads.name), { role: 'accept', baud }, () => {});
  }

  #counted(line: Line, node: string): Line {
    return {
      write: (bytes) => {
        this.counters.lineBytes += bytes.length;
        const unsent = line.write(bytes);
        this.unsentMax.set(node, Math.max(this.unsentMax.get(node) ?? 0, unsent));
        return unsent;
      },
      close: () => line.close(),
      listen: (listener: LineListener) => line.listen(listener),
    };
  }
}

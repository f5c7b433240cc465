/**
 * Which way a stream leaves this node. Below are the nodes that dial it over links, the gateways that sync with it over MQTT, and those
 * below them (directory.ts): what is for one of them goes there, and everything else up. A node is remembered once it was below, so that
 * what is for it waits for it and goes nowhere else while it is away. What was handed over upwards before that is not handed over twice:
 * a stream goes down once all of that has ended up there.
 *
 *   up, up/<name>  an uplink: the node this one dials, or a central over MQTT. Of several the one that ways.ts chooses
 *   down/<node>    a neighbour below: the lines on which it dials this node, or what it takes over MQTT
 */
import { BELOW_COUNT_MAX, STREAM_COUNT_MAX } from '../limits.ts';
import { fitsPattern } from '../message/name-pattern.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { Directory } from './directory.ts';
import type { MetaChange } from './meta-keys.ts';
import type { OutStream } from './outgoing.ts';
import { chooseWay, type Patience } from './ways.ts';

export const UP = 'up';
export const FAILOVER_MS = 5_000;
export const FAILBACK_MS = 30_000;

export type UpHop = typeof UP | `up/${string}`;
export type Hop = UpHop | `down/${string}`;

/** A way up, as it is configured. The preferred one comes first. */
export interface UpWay {
  readonly hop: UpHop;
  /** Patterns of the nodes that it leads to. */
  readonly to: readonly string[];
}

/** Where the messages of an uplink are noted in META. */
export function upHop(name: string): UpHop {
  return name === UP ? UP : `up/${name}`;
}

export function isUp(hop: Hop): hop is UpHop {
  return hop === UP || hop.startsWith('up/');
}

interface Standing extends UpWay {
  stands: boolean;
  sinceMs: number;
}

/** What is chosen for all nodes that the same uplinks lead to. */
interface Chosen {
  readonly ways: readonly Standing[];
  way: Standing | undefined;
}

export class Hops {
  /** Nodes remembered as being below. Messages for those who come later go up. */
  belowCountMax = BELOW_COUNT_MAX;
  readonly directory = new Directory(() => this.belowCountMax);
  #choiceCount = 0;
  readonly #down = new Map<string, Hop>();
  #ways: readonly Standing[] = [{ hop: UP, to: ['*'], stands: false, sinceMs: 0 }];
  #patience: Patience = { failoverMs: FAILOVER_MS, failbackMs: FAILBACK_MS };
  /** By the ways that lead there; that of a node which all of them lead to is there from the beginning. */
  readonly #chosen = new Map<string, Chosen>();
  #everywhere: Chosen;
  /** Of nodes that streams go to. */
  readonly #byNode = new Map<string, Chosen>();
  #againAtMs: number | undefined;
  #nowMs = 0;
  #isNew = false;

  constructor() {
    this.#everywhere = this.#chosenBy(this.#ways);
  }

  load(metas: MetaTable): void {
    this.directory.load(metas);
  }

  /** The uplinks there are, the preferred one first; without this call there is one, and it leads everywhere. None of them stands. */
  configure(ways: readonly UpWay[], { nowMs, ...patience }: Patience & { readonly nowMs: number }): void {
    this.#ways = ways.map((way) => ({ ...way, stands: false, sinceMs: nowMs }));
    this.#patience = patience;
    this.#nowMs = nowMs;
    this.#chosen.clear();
    this.#byNode.clear();
    this.#everywhere = this.#chosenBy(this.#ways);
  }

  /** Grows whenever a stream may have another way than before. */
  get changeCount(): number {
    return this.#choiceCount + this.directory.changeCount;
  }

  isBelow(node: string): boolean {
    return this.directory.wayOf(node) !== undefined;
  }

  /** It is below, and there was no room to note that: nothing goes there, and nowhere else would it arrive. */
  isTurnedAway(node: string): boolean {
    return this.directory.turnedAway.has(node);
  }

  /** True when a message for this node can leave here. */
  leadsTo(node: string): boolean {
    return this.isBelow(node) || this.#ways.some((way) => leads(way, node));
  }

  /** The way that a stream takes now. Undefined: no uplink leads there any more. */
  of({ node, lo, upTo }: Pick<OutStream, 'node' | 'lo' | 'upTo'>): Hop | undefined {
    const below = this.directory.wayOf(node);
    return below === undefined || lo < upTo ? this.#chosenFor(node).way?.hop : this.#downTo(below);
  }

  /** The way up that messages for a node which is not below would take now, or the preferred one where none leads there. */
  upTo(node: string): UpHop | undefined {
    return (this.#chosenFor(node).way ?? this.#ways[0])?.hop;
  }

  /** One text for each neighbour: it is asked for at every step. */
  #downTo(neighbour: string): Hop {
    let hop = this.#down.get(neighbour);
    if (hop === undefined) {
      hop = `down/${neighbour}`;
      this.#down.set(neighbour, hop);
    }
    return hop;
  }

  /** Says whether an uplink has a session. Call with every step: it takes note of changes only. */
  notice(hop: UpHop, stands: boolean, nowMs: number): void {
    const way = this.#ways.find((one) => one.hop === hop);
    if (way === undefined || way.stands === stands) return;
    way.stands = stands;
    way.sinceMs = nowMs;
    this.#isNew = true;
  }

  /** Decides anew what time or `notice` may have changed. */
  pump(nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isNew && (this.#againAtMs === undefined || nowMs < this.#againAtMs)) return;
    this.#isNew = false;
    this.#againAtMs = undefined;
    for (const chosen of this.#chosen.values()) this.#choose(chosen);
  }

  /** When `pump` is wanted even if nothing happens. */
  get wakeAtMs(): number | undefined {
    return this.#againAtMs;
  }

  /** Since when an uplink stands, or does not; and whether anything would take it now. */
  state(hop: UpHop): { readonly stands: boolean; readonly sinceMs: number; readonly isInUse: boolean } {
    const way = this.#ways.find((one) => one.hop === hop);
    // Before anything goes to a node, what would go anywhere.
    const chosen = this.#byNode.size > 0 ? [...this.#byNode.values()] : [this.#everywhere];
    return {
      stands: way?.stands ?? false,
      sinceMs: way?.sinceMs ?? 0,
      isInUse: way !== undefined && chosen.some((one) => one.way === way),
    };
  }

  /** A node is below, by itself and without an epoch. What must be stored with that; undefined when it is known, or one too many. */
  meet(node: string): MetaChange | undefined {
    if (this.isBelow(node)) return undefined;
    const noted = this.directory.note(node, { way: node, epochs: [] });
    noted?.settle();
    return noted?.changes.at(-1);
  }

  #chosenFor(node: string): Chosen {
    let chosen = this.#byNode.get(node);
    if (chosen === undefined) {
      chosen = this.#chosenBy(this.#ways.filter((way) => leads(way, node)));
      if (this.#byNode.size >= STREAM_COUNT_MAX) this.#byNode.clear();
      this.#byNode.set(node, chosen);
    }
    return chosen;
  }

  #chosenBy(ways: readonly Standing[]): Chosen {
    const name = ways.map(({ hop }) => hop).join();
    let chosen = this.#chosen.get(name);
    if (chosen === undefined) {
      // Who comes later joins those who are there: a way that just came back is not taken back for one stream alone.
      const inUse = this.#chosen.size === 0 ? undefined : this.#everywhere.way;
      chosen = { ways, way: inUse !== undefined && ways.includes(inUse) ? inUse : undefined };
      this.#chosen.set(name, chosen);
      this.#choose(chosen);
    }
    return chosen;
  }

  #choose(chosen: Chosen): void {
    const before = chosen.way;
    const { way, againAtMs } = chooseWay(chosen.ways, before, { ...this.#patience, nowMs: this.#nowMs });
    chosen.way = way;
    if (way !== before) this.#choiceCount += 1;
    if (againAtMs !== undefined) this.#againAtMs = Math.min(this.#againAtMs ?? againAtMs, againAtMs);
  }
}

function leads({ to }: UpWay, node: string): boolean {
  return to.some((pattern) => fitsPattern(pattern, node));
}

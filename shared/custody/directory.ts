/**
 * The nodes below, and the neighbour by whom each is reached: META `n/<node>` (docs/routes.md, section 3).
 *
 *   true                  by itself; a ring of an earlier version
 *   [way, epoch, …]       by the neighbour `way`, which is the node itself where it dials this one
 *   ['', epoch, …]        not below any more: what is known to be over is not believed again
 *
 * Bounded: at the limit those go that are not below any more, and without any such nobody is taken in. Who is turned away is known until
 * the process ends, so that he is taken in as soon as there is room, and that it is seen.
 */
import { TURNED_AWAY_COUNT_MAX } from '../limits.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaDelete, metaValues } from './meta-keys.ts';
import { compareEpochs, type RouteEpochs } from './route-epochs.ts';

export interface Attached {
  /** Undefined: not below any more. */
  readonly way: string | undefined;
  readonly epochs: RouteEpochs;
}

/** What must be stored, and how memory follows once that is planned. */
export interface Noted {
  readonly changes: readonly MetaChange[];
  readonly settle: () => void;
}

/**
 * `newer`: believed. `repeat`: known. `older`: something later is known. `twice`: the same epochs, by another way: two stores give them
 * out, or one was put back.
 */
export type EpochJudgement = 'newer' | 'repeat' | 'older' | 'twice';

export class Directory {
  /** Grows with every change. */
  changeCount = 0;
  /** For whom there was no room; of many the first ones. */
  readonly turnedAway = new Map<string, Attached>();
  readonly #nodes = new Map<string, Attached>();
  readonly #countMax: () => number;

  constructor(countMax: () => number) {
    this.#countMax = countMax;
  }

  load(metas: MetaTable): void {
    for (const [node, value] of metaValues(metas, 'n/')) {
      if (value === true) this.#nodes.set(node, { way: node, epochs: [] });
      else this.#nodes.set(node, { way: new MetaFields(value).text(0) || undefined, epochs: new MetaFields(value).numbers() });
    }
  }

  find(node: string): Attached | undefined {
    return this.#nodes.get(node);
  }

  /** The neighbour by whom a node below is reached. */
  wayOf(node: string): string | undefined {
    return this.#nodes.get(node)?.way;
  }

  /** Names of the nodes below. */
  *below(): Generator<string> {
    for (const [node, { way }] of this.#nodes) if (way !== undefined) yield node;
  }

  /** Neighbours below: those by whom any node is reached. */
  ways(): Set<string> {
    const ways = new Set<string>();
    for (const { way } of this.#nodes.values()) if (way !== undefined) ways.add(way);
    return ways;
  }

  get count(): number {
    return this.#nodes.size;
  }

  judge(node: string, said: Attached): EpochJudgement {
    const known = this.#nodes.get(node);
    if (known === undefined) return 'newer';
    const ahead = compareEpochs(said.epochs, known.epochs);
    if (ahead !== 0) return ahead > 0 ? 'newer' : 'older';
    if (known.way === said.way) return 'repeat';
    // Of a node that tells no epochs whoever was heard last is believed.
    return said.epochs.every((epoch) => epoch === 0) ? 'newer' : 'twice';
  }

  /** Undefined: one node too many. It is turned away. */
  note(node: string, attached: Attached): Noted | undefined {
    const gone = this.#nodes.has(node) ? undefined : this.#toForget();
    if (gone === 'none') {
      const isKnown = this.turnedAway.has(node) || this.turnedAway.size < TURNED_AWAY_COUNT_MAX;
      if (attached.way !== undefined && isKnown) this.turnedAway.set(node, attached);
      return undefined;
    }
    const { way, epochs } = attached;
    const change = metaChange(`n/${node}`, [way ?? '', ...epochs]);
    const settle = (): void => {
      if (gone !== undefined) this.#nodes.delete(gone.node);
      this.#nodes.set(node, attached);
      this.turnedAway.delete(node);
      this.changeCount += 1;
    };
    return { changes: gone === undefined ? [change] : [metaDelete(`n/${gone.node}`), change], settle };
  }

  /** For one more. Looks at all of them when they are many. */
  get hasRoom(): boolean {
    return this.#toForget() !== 'none';
  }

  /** Undefined: there is room. */
  #toForget(): { readonly node: string } | 'none' | undefined {
    if (this.#nodes.size < this.#countMax()) return undefined;
    for (const [node, { way }] of this.#nodes) if (way === undefined) return { node };
    return 'none';
  }
}

/**
 * By whom this node is reached from above: META `route`, [epoch, way, neighbour, incarnation, announced, opening's counter, its random]
 * (docs/routes.md, section 3). The epoch is raised, and durable, before anybody hears it. `announced`: 1 once those below have been
 * announced with it, to the neighbour as it was since that opening.
 *
 *   attached by A ──a session with B on the way in use──▶ epoch + 1 on its way to the disk ──▶ attached by B: told
 *                 ──A knows a later epoch─────────────────▶ that one + 1, the same
 *                 ──A has opened its store anew───────────▶ the same epoch, announced again: a damaged store may have forgotten it
 */
import { fromHex, NO_BYTES } from '../bytes.ts';
import { type Epoch, isSameEpoch } from '../message/identity.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import type { Noted } from './directory.ts';
import { type MetaChange, MetaFields, metaChange, metaValue } from './meta-keys.ts';
import { compareEpochs, epochAfter, NO_EPOCH } from './route-epochs.ts';

/** Who is at the other end of a way up: another store of the same name knows nothing of us. */
export interface Above {
  readonly way: string;
  readonly node: string;
  readonly incarnation: string;
  /** Of its store: what was announced to an earlier one may be forgotten. */
  readonly opening: Epoch;
}

interface Standing {
  readonly epoch: number;
  readonly above: Above | undefined;
}

export class OwnRoute {
  /** The neighbour's opening to which those below were announced with the present epoch. */
  #announcedTo: Epoch | undefined;
  #planned: Standing = { epoch: NO_EPOCH, above: undefined };
  #durable: Standing = this.#planned;

  load(metas: MetaTable): void {
    const fields = new MetaFields(metaValue(metas, 'route'));
    const epoch = fields.number(0);
    if (epoch === NO_EPOCH) return;
    const opening = { counter: fields.number(5), random: fields.number(6) };
    this.#planned = { epoch, above: { way: fields.text(1), node: fields.text(2), incarnation: fields.hex(3), opening } };
    this.#durable = this.#planned;
    this.#announcedTo = fields.number(4) === 0 ? undefined : opening;
  }

  /** Durable; NO_EPOCH before this node was ever attached. */
  get epoch(): number {
    return this.#durable.epoch;
  }

  /** What may be told on a way: NO_EPOCH where this node is not attached by it. */
  epochOn(way: string): number {
    return this.#durable.above?.way === way ? this.#durable.epoch : NO_EPOCH;
  }

  /** True when this is where the node is attached already, or is about to be. */
  isBy(above: Above): boolean {
    const known = this.#planned.above;
    return known?.way === above.way && known.node === above.node && known.incarnation === above.incarnation;
  }

  /** Attached there from now on, by an epoch later than any known. `done` is for when the change is durable. */
  raise(above: Above, known: number = NO_EPOCH): { epoch: number; change: MetaChange; settle: () => void; done: () => void } {
    const { epoch: own } = this.#planned;
    const epoch = epochAfter(compareEpochs([known], [own]) > 0 ? known : own);
    const raised = { epoch, above };
    const settle = (): void => {
      this.#planned = raised;
      this.#announcedTo = undefined;
    };
    const done = (): void => {
      if (this.#planned === raised) this.#durable = raised;
    };
    return { epoch, change: changeOf(raised, 'not announced'), settle, done };
  }

  /** `first`: those below have to be announced with a new epoch; `again`: to a store that was opened anew. Not before it is durable. */
  toAnnounce(opening: Epoch): 'first' | 'again' | 'nothing' {
    if (this.#planned !== this.#durable) return 'nothing';
    const to = this.#announcedTo;
    if (to === undefined) return 'first';
    return isSameEpoch(to, opening) ? 'nothing' : 'again';
  }

  /** All of them are. What must be stored, unless there was nobody to announce. */
  announced(opening: Epoch): Noted {
    const settle = (): void => {
      this.#announcedTo = opening;
    };
    return { changes: [changeOf(this.#durable, opening)], settle };
  }

  /** Where this node is attached, or about to be. */
  get above(): Above | undefined {
    return this.#planned.above;
  }

  /** True when a neighbour that knows this epoch of ours does not believe the present one. */
  isDoubtedBy(epoch: number): boolean {
    return compareEpochs([epoch], [this.#planned.epoch]) >= 0;
  }
}

function changeOf({ epoch, above }: Standing, announcedTo: Epoch | 'not announced'): MetaChange {
  const { way = '', node = '', incarnation = '' } = above ?? {};
  const announced = announcedTo === 'not announced' ? [0] : [1, announcedTo.counter, announcedTo.random];
  return metaChange('route', [epoch, way, node, fromHex(incarnation) ?? NO_BYTES, ...announced]);
}

/**
 * By whom this node is reached from above: META `route`, [epoch, way, neighbour, incarnation, announced] (docs/routes.md, section 3). The
 * epoch is raised, and durable, before anybody hears it. `announced`: 1 once those below have been announced with it.
 *
 *   attached by A ──a session with B on the way in use──▶ epoch + 1 on its way to the disk ──▶ attached by B: told
 *                 ──A knows a later epoch─────────────────▶ that one + 1, the same
 */
import { fromHex, NO_BYTES } from '../bytes.ts';
import type { MetaTable } from '../ring/meta-table.ts';
import { type MetaChange, MetaFields, metaChange, metaValue } from './meta-keys.ts';
import { compareEpochs, epochAfter, NO_EPOCH } from './route-epochs.ts';

/** Who is at the other end of a way up: another store of the same name knows nothing of us. */
export interface Above {
  readonly way: string;
  readonly node: string;
  readonly incarnation: string;
}

interface Standing {
  readonly epoch: number;
  readonly above: Above | undefined;
}

export class OwnRoute {
  #isNew = false;
  #planned: Standing = { epoch: NO_EPOCH, above: undefined };
  #durable: Standing = this.#planned;

  load(metas: MetaTable): void {
    const fields = new MetaFields(metaValue(metas, 'route'));
    const epoch = fields.number(0);
    if (epoch === NO_EPOCH) return;
    this.#planned = { epoch, above: { way: fields.text(1), node: fields.text(2), incarnation: fields.hex(3) } };
    this.#durable = this.#planned;
    this.#isNew = fields.number(4) === 0;
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
      this.#isNew = true;
    };
    const done = (): void => {
      if (this.#planned === raised) this.#durable = raised;
    };
    return { epoch, change: changeOf(raised, 0), settle, done };
  }

  /** Those below have to be announced with it. Not before it is durable. */
  get isToAnnounce(): boolean {
    return this.#isNew && this.#planned === this.#durable;
  }

  /** All of them are: what must be stored. */
  announced(): MetaChange {
    this.#isNew = false;
    return changeOf(this.#durable, 1);
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

function changeOf({ epoch, above }: Standing, announced: 0 | 1): MetaChange {
  const { way = '', node = '', incarnation = '' } = above ?? {};
  return metaChange('route', [epoch, way, node, fromHex(incarnation) ?? NO_BYTES, announced]);
}

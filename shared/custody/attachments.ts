/**
 * Who is below by which way, and how everybody on the path learns it (docs/routes.md, section 3).
 *
 *   device ──session, epoch──▶ gateway                               note, and `attach` to the central: one frame
 *                              gateway ──attach──▶ site ──▶ central  each notes the way it came by in the frame that stores it
 *   old way known:             central ──detach──▶ site ──▶ old gateway   each notes that it is not below any more
 *   a later epoch known:       central ──detach, refused──▶ gateway ──▶ device   it raises its epoch above that, and all begins anew
 *
 * An attachment is believed of the neighbour that hands it over, below this node; a detachment of one that is above. A neighbour below
 * may lie and claim a node that it does not have: then it gets what is for that one until the node itself, told of it, says a later
 * epoch. It cannot claim this node, the central, or whoever is above this node.
 */
import { unreachable } from '../assert.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { type Epoch, isSameEpoch } from '../message/identity.ts';
import type { Intake } from './intake.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { beginWord, type HeardWord } from './node-words.ts';
import { type Above, OwnRoute } from './own-route.ts';
import { batchOf, joined, NOTHING, type Planned } from './planned.ts';
import { compareEpochs, epochAfter, epochsIn, NO_EPOCH, type RouteEpochs } from './route-epochs.ts';

export const ATTACH = 'attach';
export const DETACH = 'detach';

/** Between two attempts to note what found no room. */
const RETRY_MS = 1_000;
/** Words in one frame, while those below are announced anew. */
const ANNOUNCE_COUNT_MAX = 32;
/** Nodes whose sessions here have to be told something, or that wait to be noted. */
const WAITING_COUNT_MAX = 1024;
/** Between two looks at who of those that found no room is gone. */
const TURNED_AWAY_LOOK_MS = 10_000;

export interface AttachmentsOptions {
  readonly store: NodeStore;
  readonly intake: Intake;
  /** Name of the node where the directory is whole. */
  readonly central: string;
  /** Where this node's own messages leave now, and how they are carried; undefined while nobody there answers. */
  readonly above: () => (Above & { readonly carrier: 'link' | 'mqtt' }) | undefined;
  /** Nodes at the ends of the ways up. */
  readonly receiversAbove: () => Iterable<string>;
  /** A node is below that was not: what went up for it stays there. What must be stored with that. */
  readonly strays: (node: string) => readonly MetaChange[];
  /** A neighbour below is dialled in, or may come over a broker. */
  readonly isThere: (neighbour: string) => boolean;
  /** A node is not reached by this neighbour any more, who knows what was handed over for it. What must be stored with that. */
  readonly leaves: (node: string, way: string) => readonly MetaChange[];
}

export class Attachments {
  /** Attachments of nodes for which there is no room, of those that nobody below may claim, and detachments by who is not above. */
  readonly counts = { attached: 0, detached: 0, refused: 0, full: 0 };
  readonly route = new OwnRoute();
  readonly #options: AttachmentsOptions;
  /** What a node with a session here has to hear: the epoch above which it has to go. */
  readonly #toTell = new Map<string, number>();
  /** What nodes said of themselves and found no room. */
  readonly #waiting = new Map<string, number | undefined>();
  /** Nodes with a session here that tell no epoch: this node gives them out in their name. */
  readonly #silent = new Set<string>();
  /** Nodes that are still to be announced anew, to whom. */
  #announcing: { readonly to: Epoch; readonly nodes: string[] } | undefined;
  #retryAtMs: number | undefined;
  /** The directory, when those that were turned away were looked at last; and when those of them are forgotten that are gone. */
  #seenChange = 0;
  #forgetAtMs = 0;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
    const { words, ring } = options.store;
    this.route.load(ring.metas);
    words.on(ATTACH, (word) => this.#attach(word));
    words.onPassing(ATTACH, (word) => this.#attach(word));
    words.on(DETACH, (word) => this.#detach(word));
  }

  /** A node that dials this one is there, and says by which epoch; undefined: it knows of none. NO_EPOCH: it is attached elsewhere. */
  met(node: string, epoch: number | undefined): void {
    if (epoch === undefined && this.#silent.size < WAITING_COUNT_MAX) this.#silent.add(node);
    if (epoch !== undefined) this.#silent.delete(node);
    if (epoch === NO_EPOCH || this.#isAbove(node)) return;
    const { directory } = this.#options.store.hops;
    const known = directory.find(node);
    const epochs = epoch === undefined ? silentEpochs(node, known) : [epoch];
    const attached = { way: node, epochs };
    switch (directory.judge(node, attached)) {
      case 'repeat':
        this.#toTell.delete(node);
        return;
      case 'older':
      case 'twice':
        return this.#tell(node, known?.epochs[0] ?? NO_EPOCH);
      case 'newer':
        this.#toTell.delete(node);
        this.#commit(node, epoch, () => this.#noted(node, attached, this.#reached(node, epochs)));
    }
  }

  /** What a node with a session here has to be told: the epoch above which it has to go. */
  toTell(node: string): number | undefined {
    return this.#toTell.get(node);
  }

  /** A neighbour above knows this epoch of ours, and does not believe the present one. */
  doubted(way: string, epoch: number): void {
    const above = this.#options.above();
    if (above?.way !== way || !this.route.isDoubtedBy(epoch) || !this.route.isBy(above)) return;
    this.#raise(epoch);
  }

  /** Goes on with what time and disk allow. Called after every step. */
  pump(): void {
    const { store } = this.#options;
    if (store.ring.state !== 'serving') return;
    if (this.#retryAtMs !== undefined && store.nowMs < this.#retryAtMs) return;
    this.#retryAtMs = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [node, epoch] of waiting) this.met(node, epoch);
    if (store.hops.directory.turnedAway.size > 0) this.#takeIn();
    const above = this.#options.above();
    if (above !== undefined && !this.route.isBy(above)) this.#raise(NO_EPOCH);
    if (above !== undefined && this.route.toAnnounce(above.opening) !== 'nothing') this.#announce(above);
  }

  get wakeAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  /** Those that found no room get it as soon as there is some, one at a time; who has left is forgotten. */
  #takeIn(): void {
    const { store, isThere } = this.#options;
    const { directory } = store.hops;
    if (store.nowMs >= this.#forgetAtMs) {
      this.#forgetAtMs = store.nowMs + TURNED_AWAY_LOOK_MS;
      for (const [node, { way }] of directory.turnedAway) if (!isThere(way ?? '')) directory.turnedAway.delete(node);
    }
    if (directory.changeCount === this.#seenChange) return;
    const [first] = directory.turnedAway;
    if (first === undefined || !directory.hasRoom) {
      this.#seenChange = directory.changeCount;
      return;
    }
    const [node, { way = '', epochs }] = first;
    this.#try(() => {
      const said = way === node ? this.#reached(node, epochs) : NOTHING;
      const planned = this.#noted(node, { way, epochs }, said);
      store.commit(batchOf(planned), () => {});
      planned.settle();
    });
  }

  /** Another neighbour above, or another epoch: durable, and told. Over MQTT by a word of its own; over a link the session says it. */
  #raise(known: number): void {
    const above = this.#options.above();
    if (above === undefined) return;
    const { store } = this.#options;
    const { changes, settle, done, told } = this.#raised(above, known);
    const planned = joined({ puts: [], acks: [], changes, settle }, told);
    this.#try(() => {
      store.commit(batchOf(planned), (outcome) => outcome === 'durable' && done());
      planned.settle();
    });
  }

  #raised(above: Above & { carrier: 'link' | 'mqtt' }, known: number) {
    const { store } = this.#options;
    const { carrier, ...where } = above;
    const { epoch, change, settle, done } = this.route.raise(where, known);
    const told = carrier === 'mqtt' ? this.#wordUp({ node: store.self.name, epochs: [epoch] }) : NOTHING;
    const begun = (): void => {
      settle();
      this.#announcing = undefined;
    };
    return { changes: [change], settle: begun, done, told };
  }

  /** Those below are reached by another way from above now, by a later epoch, or by who may have forgotten them: some, in one frame. */
  #announce({ opening, carrier }: Above & { readonly carrier: 'link' | 'mqtt' }): void {
    const { store } = this.#options;
    const { directory } = store.hops;
    const { changes, settle } = this.route.announced(opening);
    if (this.#announcing === undefined || !isSameEpoch(this.#announcing.to, opening)) {
      const isAgain = this.route.toAnnounce(opening) === 'again';
      const self = isAgain && carrier === 'mqtt' ? [store.self.name] : [];
      const nodes = [...self, ...directory.below()];
      // Whoever has nobody below tells nobody, and writes nothing, as often as those above may restart.
      if (isAgain && nodes.length === 0) return settle();
      this.#announcing = { to: opening, nodes };
    }
    const { nodes } = this.#announcing;
    const some = nodes.slice(0, ANNOUNCE_COUNT_MAX);
    if (some.length === 0) {
      this.#try(() => {
        store.commit({ metas: changes }, () => {});
        settle();
        this.#announcing = undefined;
      });
      return;
    }
    this.#try(() => {
      store.draft.open();
      try {
        const parts = some.map((node) => {
          const planned = this.#announced(node);
          planned.settle();
          return planned;
        });
        store.commit(batchOf(joined(...parts)), () => {});
        store.draft.keep();
      } catch (error) {
        store.draft.undo();
        throw error;
      }
      nodes.splice(0, some.length);
    });
  }

  #announced(node: string): Planned {
    const { hops, self } = this.#options.store;
    if (node === self.name) return this.#wordUp({ node, epochs: [this.route.epoch] });
    return this.#reached(node, hops.directory.find(node)?.epochs ?? []);
  }

  /** The word that says by whom a node is reached: this one. */
  #reached(node: string, epochs: RouteEpochs): Planned {
    return this.#wordUp({ node, epochs: [...(epochs.length === 0 ? [NO_EPOCH] : epochs), this.route.epoch] });
  }

  /** To the central, if there is one above. */
  #wordUp(fields: { readonly node: string; readonly epochs: RouteEpochs }): Planned {
    const { central, store } = this.#options;
    return central === store.self.name ? NOTHING : this.#word(central, ATTACH, fields);
  }

  /** Nothing where no way leads there. */
  #word(to: string, kind: string, fields: Readonly<Record<string, string | RouteEpochs>>): Planned {
    try {
      return beginWord(this.#options.intake, to, { kind, fields });
    } catch (error) {
      if (hasCode(error, 'ROUTE_NOT_FOUND')) return NOTHING;
      throw error;
    }
  }

  #attach({ fields, from }: HeardWord): Planned | undefined {
    const node = fields.name('node');
    const epochs = epochsIn(fields.value('epochs'));
    if (node === undefined || epochs === undefined) return undefined;
    const { directory } = this.#options.store.hops;
    const isBelow = directory.wayOf(from) === from || node === from;
    if (!isBelow || this.#isAbove(node) || this.#isAbove(from)) return this.#counted('refused');
    const known = directory.find(node);
    const judgement = directory.judge(node, { way: from, epochs });
    switch (judgement) {
      case 'repeat':
        return NOTHING;
      case 'newer':
        return this.#noted(node, { way: from, epochs }, NOTHING);
      case 'older':
      case 'twice':
        if (known === undefined || known.way === from) return NOTHING;
        return this.#word(from, DETACH, { node, epochs: known.epochs, refused: epochs });
      default:
        return unreachable(judgement);
    }
  }

  #detach({ fields, from }: HeardWord): Planned | undefined {
    const node = fields.name('node');
    const epochs = epochsIn(fields.value('epochs'));
    const refused = fields.value('refused') === undefined ? undefined : epochsIn(fields.value('refused'));
    if (node === undefined || epochs === undefined) return undefined;
    const { store, leaves } = this.#options;
    const { hops, self } = store;
    if (hops.directory.wayOf(from) !== undefined) return this.#counted('refused');
    if (node === self.name) return this.#doubtedByWord(epochs[0] ?? NO_EPOCH);
    const known = hops.directory.find(node);
    if (known?.way === undefined) return NOTHING;
    const depth = Math.max(1, known.epochs.length);
    const ahead = compareEpochs(epochs, known.epochs, depth);
    const isRefused = refused !== undefined && ahead >= 0 && compareEpochs(refused, known.epochs, depth) === 0;
    if (ahead <= 0 && !isRefused) return NOTHING;
    const noted = hops.directory.note(node, { way: undefined, epochs });
    if (noted === undefined) return NOTHING;
    const passed =
      known.way === node ? NOTHING : this.#word(known.way, DETACH, { node, epochs, ...(refused !== undefined && { refused }) });
    const settle = (): void => {
      noted.settle();
      this.counts.detached += 1;
      if (known.way !== node) return;
      // Whoever is here all the same says a later one.
      if (this.#silent.has(node)) this.#waiting.set(node, undefined);
      else this.#tell(node, epochs[0] ?? NO_EPOCH);
    };
    return joined({ puts: [], acks: [], changes: [...noted.changes, ...leaves(node, known.way)], settle }, passed);
  }

  /** Of this node itself: where it is attached somebody knows a later epoch. */
  #doubtedByWord(epoch: number): Planned {
    const above = this.#options.above();
    if (above === undefined || !this.route.isDoubtedBy(epoch) || !this.route.isBy(above)) return NOTHING;
    // By the next step: `raise` wants to hear when it is durable.
    return { puts: [], acks: [], changes: [], settle: () => this.#raise(epoch) };
  }

  /** Attached, in one frame with what is said of it; and whoever had it before is told. */
  #noted(node: string, attached: { way: string; epochs: RouteEpochs }, said: Planned): Planned {
    const { store, strays, leaves } = this.#options;
    const { directory } = store.hops;
    const before = directory.wayOf(node);
    const noted = directory.note(node, attached);
    if (noted === undefined) return this.#counted('full');
    const { way, epochs } = attached;
    const isLeft = before !== undefined && before !== way && before !== node;
    const detached = isLeft ? this.#word(before, DETACH, { node, epochs }) : NOTHING;
    const kept = before === undefined ? strays(node) : before === way ? [] : leaves(node, before);
    const settle = (): void => {
      noted.settle();
      this.counts.attached += 1;
    };
    return joined({ puts: [], acks: [], changes: [...noted.changes, ...kept], settle }, said, detached);
  }

  #counted(what: 'refused' | 'full'): Planned {
    const settle = (): void => {
      this.counts[what] += 1;
    };
    return { ...NOTHING, settle };
  }

  /** Nobody below may be taken for one of these. */
  #isAbove(node: string): boolean {
    const { store, central, receiversAbove } = this.#options;
    if (node === store.self.name || node === central) return true;
    for (const receiver of receiversAbove()) if (receiver === node) return true;
    return false;
  }

  #tell(node: string, epoch: number): void {
    if (this.#toTell.has(node) || this.#toTell.size < WAITING_COUNT_MAX) this.#toTell.set(node, epoch);
  }

  #commit(node: string, epoch: number | undefined, plan: () => Planned): void {
    const { store } = this.#options;
    const isPlanned = this.#try(() => {
      const planned = plan();
      store.commit(batchOf(planned), () => {});
      planned.settle();
    });
    if (!isPlanned && this.#waiting.size < WAITING_COUNT_MAX) this.#waiting.set(node, epoch);
  }

  /** False where the ring takes nothing now: again in a while. */
  #try(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#retryAtMs = this.#options.store.nowMs + RETRY_MS;
      return false;
    }
  }
}

/** In the name of a node that tells none: later than any that is known of another way. */
function silentEpochs(
  node: string,
  known: { readonly way: string | undefined; readonly epochs: RouteEpochs } | undefined,
): RouteEpochs {
  if (known === undefined) return [NO_EPOCH];
  return known.way === node ? known.epochs : [epochAfter(known.epochs[0] ?? NO_EPOCH)];
}

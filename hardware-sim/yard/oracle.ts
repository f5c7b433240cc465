/**
 * Knows what lies durably on every disk, and asks at every acknowledgement: would it still be there if the power went now, at its
 * worst? Two answers, independent of each other: what the frames that completed say (durable-view.ts), and, now and then and after every
 * real crash, what the product's own recovery finds on a copy of the disk.
 */
import { equalBytes, fromHex, NO_BYTES } from '../../shared/bytes.ts';
import type { Prng } from '../random.ts';
import type { SectorFate } from '../sim-disk.ts';
import type { SimNode } from '../sim-node.ts';
import type { World } from '../world.ts';
import { DurableView, type Held, recover } from './durable-view.ts';
import { sourceKey } from './letters.ts';
import type { Recorder } from './recorder.ts';
import { type Whole, WholeFrames } from './whole-frames.ts';

interface Watched {
  readonly node: SimNode;
  view: DurableView;
  /** Why the next recovery may find less or more than it should. */
  excuse: string | undefined;
  /** So many troubles last: each recovery until they are over, and the one after that, is excused. */
  lastingCount: number;
  /** Keys in a write whose fate is open: it is on its way, or it failed. */
  inFlight: { readonly brought: readonly string[]; readonly ended: readonly string[] };
  /**
   * Keys of writes that failed, or were cut short, since the node last served: until it serves again an opening may find them, and
   * the next one not. `brought` holds none that were durable before.
   */
  unsettled: { readonly brought: Set<string>; readonly ended: Set<string> };
  hasBeenOpened: boolean;
}

const NOTHING = { brought: [], ended: [] };
const WORST: readonly [SectorFate | 'any', ...(SectorFate | 'any')[]] = ['any', 'old', 'garbage', 'half'];

export class Oracle {
  readonly #watched = new Map<string, Watched>();
  readonly #random: Prng;
  readonly #recorder: Recorder;
  readonly #world: World;
  readonly #cutEvery: number;
  /** By their keys: what routes are to make, of messages that were sent. */
  readonly routed = new Map<string, { readonly node: string; readonly destination: string }>();
  readonly #sourcesForwarded = new Set<string>();
  /** What must become durable together. */
  readonly wholes: WholeFrames;
  /** Bytes of bodies and entries that lay in any ring at once, at most. */
  backlogBytesMax = 0;

  constructor(options: { random: Prng; recorder: Recorder; world: World; cutEvery: number }) {
    this.#random = options.random;
    this.#recorder = options.recorder;
    this.#world = options.world;
    this.#cutEvery = options.cutEvery;
    this.wholes = new WholeFrames((event) => this.#recorder.add(event));
  }

  /** `used`: with whatever its disk holds. */
  watch(node: SimNode, disk: 'blank' | 'used' = 'blank'): void {
    const view = this.#viewOf(node);
    if (disk === 'used') view.reset(recover(node.disk.clone(this.#random)).held, new Map(), this.#world.nowMs);
    this.#watched.set(node.name, {
      node,
      view,
      // A copy comes with the damage of what it was made from.
      excuse: disk === 'used' ? 'copied' : undefined,
      lastingCount: 0,
      inFlight: NOTHING,
      unsettled: { brought: new Set(), ended: new Set() },
      hasBeenOpened: disk === 'used',
    });
  }

  /** The node is gone for good, and its disk with it. */
  destroyed(node: SimNode, cause: string): void {
    const { view, inFlight, unsettled } = this.#of(node.name);
    const doubtful = [...inFlight.brought, ...inFlight.ended, ...unsettled.brought, ...unsettled.ended];
    this.#recorder.add({ kind: 'destroyed', node: node.name, cause, keys: [...view.keys], doubtful });
    this.#watched.delete(node.name);
  }

  writing(node: SimNode, write: { readonly offset: number; readonly bytes: Uint8Array }): void {
    const one = this.#of(node.name);
    one.inFlight = one.view.keysOf(write);
  }

  wrote(node: SimNode, write: { readonly offset: number; readonly bytes: Uint8Array }): void {
    const one = this.#of(node.name);
    const { view } = one;
    const changes = view.wrote(write, this.#world.nowMs);
    for (const held of changes.brought) this.#forwarded(node, held);
    if (one.excuse === undefined) this.wholes.wrote(node.name, changes, (whole) => this.#knownOf(one, whole));
    one.inFlight = NOTHING;
    this.backlogBytesMax = Math.max(this.backlogBytesMax, view.held.size * 600);
  }

  /** What a route made of a message is accepted where it is made, whoever is told. */
  #forwarded(node: SimNode, { key, nature, number, priority }: Held): void {
    const planned = this.routed.get(key);
    if (planned === undefined || planned.node !== node.name) return;
    this.routed.delete(key);
    const source = sourceKey(key) ?? '';
    this.#recorder.mark('forwarded by a route');
    const incarnation = node.stats()?.incarnation ?? '';
    const identity = `${node.name}:${incarnation}:${planned.destination}:${priority}:${number}`;
    if (nature === 'message') this.#recorder.add({ kind: 'accepted', node: node.name, key, identity, kept: 'kept' });
    if (!this.#sourcesForwarded.has(source)) this.#recorder.add({ kind: 'forwarded', node: node.name, key: source });
    this.#sourcesForwarded.add(source);
  }

  /** What happens to the disk is outside of what the product promises to survive unharmed; `lasting`: until `mended`. */
  excuse(node: SimNode, cause: string, reach: 'once' | 'lasting' = 'once'): void {
    const one = this.#of(node.name);
    one.excuse ??= cause;
    if (reach === 'lasting') one.lastingCount += 1;
  }

  /** One trouble that lasted is over; what it did shows at the next opening. `all`: every one. */
  mended(node: SimNode, which: 'one' | 'all'): void {
    const one = this.#of(node.name);
    one.lastingCount = which === 'all' ? 0 : Math.max(0, one.lastingCount - 1);
  }

  /** What is on the disk now is the truth from here on, and is compared with what was called durable. */
  opening(node: SimNode): void {
    const one = this.#of(node.name);
    if (one.hasBeenOpened) this.#compare(one, recover(node.disk.clone(this.#random)));
    else one.view = this.#viewOf(node);
    one.hasBeenOpened = true;
    one.inFlight = NOTHING;
    if (one.lastingCount === 0) one.excuse = undefined;
  }

  /** What its OPEN frame said again is durable: nothing is open any more. */
  serving(node: SimNode): void {
    const { brought, ended } = this.#of(node.name).unsettled;
    brought.clear();
    ended.clear();
  }

  #compare(one: Watched, found: ReturnType<typeof recover>): void {
    const { node, view, excuse, inFlight } = one;
    const { unsettled } = one;
    for (const key of inFlight.brought) if (!view.has(key)) unsettled.brought.add(key);
    for (const key of inFlight.ended) unsettled.ended.add(key);
    const now = differ(view, found.held, inFlight);
    const missing = now.missing.filter((key) => !unsettled.brought.has(key) && !unsettled.ended.has(key));
    const invented = now.invented.filter((key) => !unsettled.brought.has(key) && !unsettled.ended.has(key));
    const there = new Set([...found.held.values()].map(({ key }) => key));
    if (inFlight.brought.some((key) => there.has(key) && !view.has(key))) this.#recorder.mark('send never answered, and stored');
    if (excuse !== undefined) {
      const doubtful = [...invented, ...inFlight.brought, ...inFlight.ended];
      this.#recorder.add({ kind: 'destroyed', node: node.name, cause: excuse, keys: missing, doubtful });
      if (found.gaps > 0) this.#recorder.mark('damage found');
    } else {
      this.#recorder.add({ kind: 'tried-cut', node: node.name, missing, invented, gaps: found.gaps });
    }
    // It may be another file than before.
    one.view = this.#viewOf(node);
    one.view.reset(found.held, view.held, this.#world.nowMs);
    if (excuse === undefined) this.wholes.found(node.name, (whole) => this.#knownOf(one, whole));
    else this.wholes.forget(node.name);
  }

  #knownOf({ node, view }: Watched, { key, identity, sent }: Whole): { source: Held | undefined; has: (key: string) => boolean } {
    const source = this.heldAs(node.name, key, identity);
    return { source, has: (one) => sent.includes(one) && view.has(one) };
  }

  /** True when a worst-case power cut at this node, now, would keep the message. */
  keeps(node: SimNode, key: string): boolean {
    const one = this.#of(node.name);
    if (one.excuse === undefined && this.#random.int(this.#cutEvery) === 0) this.#tryCut(one);
    return one.view.has(key);
  }

  #tryCut(one: Watched): void {
    const { node, view } = one;
    const disk = node.disk.clone(this.#random);
    const fate = this.#random.pick(WORST);
    disk.powerCut(fate === 'any' ? undefined : () => fate);
    const found = recover(disk);
    this.#recorder.mark('worst-case power cut tried');
    const { missing, invented } = differ(view, found.held, one.inFlight);
    this.#recorder.add({ kind: 'tried-cut', node: node.name, missing, invented, gaps: found.gaps });
  }

  /** What is being written says again what is there already: it moves. */
  isMoving(node: SimNode): boolean {
    const { view, inFlight } = this.#of(node.name);
    return inFlight.brought.some((key) => view.has(key));
  }

  has(node: string, key: string): boolean {
    return this.#of(node).view.has(key);
  }

  /** True when the message of this identity is there; another one of the same letter, rehomed, does not count. */
  hasIdentity(node: string, key: string, identity: string): boolean {
    return this.heldAs(node, key, identity) !== undefined;
  }

  /** The message of this identity; another one of the same letter is not it. */
  heldAs(node: string, key: string, identity: string): Held | undefined {
    const [, incarnation = '', , , number] = identity.split(':');
    const bytes = fromHex(incarnation) ?? NO_BYTES;
    for (const held of this.#of(node).view.held.values()) {
      if (held.key === key && held.number === Number(number) && includes(held.head, bytes)) return held;
    }
    return undefined;
  }

  held(node: string): Iterable<Held> {
    return this.#of(node).view.held.values();
  }

  keys(node: string): ReadonlySet<string> {
    return this.#of(node).view.keys;
  }

  /** Nodes other than this one that have it on their disk. */
  heldBy(key: string, except: string): string[] {
    return [...this.#watched.values()]
      .filter(({ node, view }) => node.name !== except && view.has(key))
      .map(({ node }) => node.name);
  }

  #viewOf(node: SimNode): DurableView {
    return new DurableView(node.disk, node.geometry, (key, reason, older) => {
      const heldBy = this.heldBy(key, node.name);
      this.#recorder.add({ kind: 'freed', node: node.name, key, reason, heldBy, ...(older > 0 && { older }) });
    });
  }

  #of(name: string): Watched {
    const one = this.#watched.get(name);
    if (one === undefined) throw new Error(`${name} is not watched`);
    return one;
  }
}

/** What a write on its way brings may be there, what it ends may be gone; what it says again must be there all the same. */
function differ(view: DurableView, found: ReadonlyMap<number, Omit<Held, 'sinceMs'>>, inFlight: Watched['inFlight']) {
  const there = new Set([...found.values()].map(({ key }) => key));
  const { brought, ended } = inFlight;
  return {
    missing: [...view.keys].filter((key) => !there.has(key) && !ended.includes(key)),
    invented: [...there].filter((key) => !view.has(key) && !brought.includes(key)),
  };
}

function includes(bytes: Uint8Array, part: Uint8Array): boolean {
  for (let at = 0; at + part.length <= bytes.length; at++)
    if (equalBytes(bytes.subarray(at, at + part.length), part)) return true;
  return false;
}

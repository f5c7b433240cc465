/**
 * Custody between a few nodes: every word that was ever said may be heard at any time, again, or never, so that loss, repeats,
 * disorder and stale words need no rules of their own; power goes and comes; a store may be put back to an older image, or copied.
 */
import { invariant } from '../../shared/assert.ts';
import type { CustodyBounds, CustodyNode } from './custody-bounds.ts';
import { fairRun } from './custody-fair-run.ts';
import { type CustodyFacts, CustodyMachine } from './custody-machine.ts';
import { describeWord, type Word } from './custody-words.ts';
import { LocalSpace } from './local-space.ts';
import { Dictionary } from './machine.ts';
import { BLANK, type Image } from './memory-ring.ts';
import { describeContents, keysOf, wrongIn } from './promises.ts';
import { WordSets } from './word-sets.ts';
import type { Played, World } from './world.ts';

/** Openings before the exploration begins: what a seed below this makes is the same in all of it. */
const SEED_MIN = 100;
const ABSENT = -1;

export class CustodyWorld implements World {
  readonly name: string;
  readonly width: number;
  readonly #bounds: CustodyBounds;
  readonly #words = new Dictionary<Word>();
  readonly #sets = new WordSets();
  readonly #images: Image[] = [];
  readonly #imageIds = new Map<string, number>();
  readonly #spaces: readonly LocalSpace<CustodyFacts>[];
  /** Places in a row, behind the nodes. */
  readonly #at: Readonly<
    Record<
      'said' | 'accepted' | 'destroyed' | 'sends' | 'offers' | 'openings' | 'image' | 'harms' | 'closes' | 'cuts' | 'moves',
      number
    >
  >;

  constructor(bounds: CustodyBounds) {
    this.name = bounds.name;
    this.#bounds = bounds;
    const count = bounds.nodes.length;
    const at = (place: number) => count + place;
    this.#at = {
      said: at(0),
      accepted: at(1),
      destroyed: at(2),
      sends: at(3),
      offers: at(4),
      openings: at(5),
      image: at(6),
      harms: at(7),
      closes: at(8),
      cuts: at(9),
      moves: at(9) + count,
    };
    this.width = at(9) + 2 * count;
    const spaces: LocalSpace<CustodyFacts>[] = [];
    bounds.nodes.forEach((node, index) => {
      const twin = bounds.nodes.findIndex(({ name }) => name === node.name);
      spaces.push(twin < index ? (spaces[twin] as LocalSpace<CustodyFacts>) : this.#spaceOf(node));
    });
    this.#spaces = spaces;
  }

  get cost(): World['cost'] {
    const spaces = [...new Set(this.#spaces)];
    const sum = (of: (space: LocalSpace<CustodyFacts>) => number) => spaces.reduce((total, space) => total + of(space), 0);
    return { localStates: sum((s) => s.size), coreSteps: sum((s) => s.stepCount), retraced: sum((s) => s.retracedCount) };
  }

  /** All nodes serve, and nothing was sent yet. */
  start(): Int32Array {
    let row: Int32Array = new Int32Array(this.width);
    this.#bounds.nodes.forEach(({ role }, node) => {
      if (role === 'clone') {
        row[node] = ABSENT;
        return;
      }
      const space = this.#space(node);
      let state = space.step(space.off(BLANK), `open:${node}`).next;
      while (space.facts(state).isWriting) state = space.step(state, 'flush').next;
      row[node] = state;
    });
    for (const action of this.#bounds.before ?? []) row = this.#act(row, action);
    return row;
  }

  successors(row: Int32Array, visit: (next: Int32Array, action: string) => void): void {
    const { nodes } = this.#bounds;
    for (let node = 0; node < nodes.length; node++) {
      if (get(row, node) === ABSENT) continue;
      for (const input of this.#inputs(row, node)) visit(this.#after(row, node, input), `${node} ${input}`);
      if (this.#mayMove(row, node)) visit(this.#moved(row, node), `${node} move`);
    }
    this.#harms(row, visit);
  }

  check(row: Int32Array): string | undefined {
    const facts = this.#allFacts(row);
    const isHonest = get(row, this.#at.harms) === 0;
    const manner = !isHonest && this.#bounds.harm === 'clone' ? 'cloned' : isHonest ? 'honest' : 'harmed';
    let safe = 0;
    for (const { lost, kept } of facts) safe |= lost.all & kept.all;
    const missing = get(row, this.#at.accepted) & ~get(row, this.#at.destroyed) & ~safe;
    if (missing !== 0 && !this.#isAccounted(missing, row)) return `accepted, and nowhere any more: ${keysOf(missing)}`;
    if (isHonest && facts.some(({ isForked }) => isForked)) return 'an honest node is called a fork';
    if (isHonest && facts.some(({ isBeyondSent }) => isBeyondSent)) return 'a cursor stands beyond what was sent';
    for (const fact of facts) {
      for (const contents of [fact.lost, fact.kept]) {
        const wrong = wrongIn(contents, manner);
        if (wrong !== undefined) return wrong;
      }
    }
    return undefined;
  }

  /** Power comes back, every word arrives once, every write succeeds, for as long as it may take. */
  stalls(row: Int32Array): string | undefined {
    const nodes = this.#bounds.nodes.map(({ name, uplinks }, node) => {
      const uplink = uplinks[get(row, this.#at.moves + node)];
      return { name, uplink, space: this.#space(node), state: get(row, node) };
    });
    const present = nodes.filter(({ state }) => state !== ABSENT);
    const holes = get(row, this.#at.harms) > 0 && this.#bounds.harm === 'rollback' ? 'given-up' : 'filled';
    const facts = fairRun(present, this.#words, { seed: SEED_MIN + get(row, this.#at.openings), holes });
    const waiting = facts.reduce((all, { lost }) => all | lost.held | lost.above, 0);
    if (waiting !== 0) return `nothing goes wrong any more, and still on their way: ${keysOf(waiting)}`;
    const end = facts.reduce((all, { lost }) => all | lost.all, 0);
    const missing = get(row, this.#at.accepted) & ~get(row, this.#at.destroyed) & ~end;
    const accounted = facts.reduce((sum, { lost }) => sum + lost.accounted, 0);
    const isAccounted = this.#bounds.accounts === 'allowed' && keysOf(missing).length <= accounted;
    return missing === 0 || isAccounted ? undefined : `nothing goes wrong any more, and these never arrive: ${keysOf(missing)}`;
  }

  portable(actions: readonly string[]): string[] {
    const said: number[] = [];
    let row = this.start();
    this.#remember(said, row);
    return actions.map((action) => {
      const [, place = '', word] = /^(\d+ hear:)(\d+)$/.exec(action) ?? [];
      const text = word === undefined ? action : `${place}@${said.indexOf(Number(word))}`;
      row = this.#act(row, action);
      this.#remember(said, row);
      return text;
    });
  }

  /** On a world of its own, whose nodes never were anywhere else. */
  *play(actions: readonly string[]): Generator<Played> {
    const world = new CustodyWorld(this.#bounds);
    const said: number[] = [];
    let row = world.start();
    world.#remember(said, row);
    yield world.#played(row, world.#describe(row, []));
    for (const action of actions) {
      const spoken = action.replace(/@(\d+)$/, (_, at) => String(said[Number(at)] ?? invariant(false, `word ${at} was said`)));
      row = world.#act(row, spoken);
      const before = said.length;
      world.#remember(said, row);
      const news = said.slice(before).map((word, index) => `@${before + index} ${describeWord(world.#words.word(word))}`);
      const label = action.replace(/^\d+/, (node) => world.#label(Number(node)));
      yield world.#played(row, `${label}\n${world.#describe(row, news)}`);
    }
  }

  #played(row: Int32Array, text: string): Played {
    return { text, wrong: this.check(row), stalls: () => this.stalls(row) };
  }

  #spaceOf(node: CustodyNode): LocalSpace<CustodyFacts> {
    const { weakening } = this.#bounds;
    const last = this.#bounds.nodes.find(({ role }) => role === 'destination')?.name ?? '';
    const disk = node.cuts === 0 ? ('prompt' as const) : ('stepped' as const);
    const shape = { name: node.name, destination: `${last}/bags`, disk, weakening, words: this.#words };
    return new LocalSpace((image) => new CustodyMachine(shape, image));
  }

  *#inputs(row: Int32Array, node: number): Generator<string> {
    const { nodes, messages, offers, closes } = this.#bounds;
    const { role, cuts, uplinks, name } = nodes[node] as CustodyNode;
    const facts = this.#space(node).facts(get(row, node));
    if (facts.power === 'off') {
      yield `open:${SEED_MIN + get(row, this.#at.openings)}`;
      return;
    }
    if (facts.isWriting) yield 'flush';
    if (facts.isDelaying) yield 'late';
    if (get(row, this.#at.cuts + node) < cuts) {
      yield 'cut:lost';
      if (facts.isWriting) yield 'cut:kept';
    }
    if (facts.power === 'loading' || facts.isForked) return;
    const sends = get(row, this.#at.sends);
    if ((role === 'source' || role === 'clone') && sends < messages.length) yield `send:${sends}:${messages[sends]}`;
    const uplink = uplinks[get(row, this.#at.moves + node)];
    if (uplink !== undefined && get(row, this.#at.offers) < offers) yield `offer:${uplink}`;
    if (facts.holeCount > 0 && get(row, this.#at.closes) < closes) yield 'close';
    for (let at = 0; at < facts.workCount; at++) yield `take:${at}:${uplink}`;
    for (const word of this.#sets.words(get(row, this.#at.said))) {
      if (this.#words.word(word).to === name) yield `hear:${word}`;
    }
  }

  #after(row: Int32Array, node: number, input: string): Int32Array {
    const { next, said } = this.#space(node).step(get(row, node), input);
    const after = row.slice();
    const { at } = { at: this.#at };
    after[node] = next;
    after[at.said] = this.#sets.with(get(row, at.said), said);
    if (input.startsWith('send')) after[at.sends] = get(row, at.sends) + 1;
    else if (input.startsWith('offer')) after[at.offers] = get(row, at.offers) + 1;
    else if (input.startsWith('open')) after[at.openings] = get(row, at.openings) + 1;
    else if (input === 'close') after[at.closes] = get(row, at.closes) + 1;
    else if (input.startsWith('cut')) after[at.cuts + node] = get(row, at.cuts + node) + 1;
    const { role } = this.#bounds.nodes[node] as CustodyNode;
    if (role === 'source' || role === 'clone') {
      after[at.accepted] = get(row, at.accepted) | (this.#space(node).facts(next).lost.all & ~get(row, at.destroyed));
    }
    return after;
  }

  #mayMove(row: Int32Array, node: number): boolean {
    return get(row, this.#at.moves + node) + 1 < (this.#bounds.nodes[node] as CustodyNode).uplinks.length;
  }

  #moved(row: Int32Array, node: number): Int32Array {
    const after = row.slice();
    after[this.#at.moves + node] = get(row, this.#at.moves + node) + 1;
    return after;
  }

  #harms(row: Int32Array, visit: (next: Int32Array, action: string) => void): void {
    const { harm, harmed } = this.#bounds;
    if (harm === 'none' || get(row, this.#at.harms) > 0) return;
    if (get(row, this.#at.image) === 0) visit(this.#imaged(row), `${harmed} image`);
    else visit(harm === 'rollback' ? this.#rolledBack(row) : this.#cloned(row), `${harmed} ${harm}`);
  }

  #imaged(row: Int32Array): Int32Array {
    const after = row.slice();
    const { image } = this.#space(this.#bounds.harmed).facts(get(row, this.#bounds.harmed));
    let id = this.#imageIds.get(image.print);
    if (id === undefined) {
      id = this.#images.push(image);
      this.#imageIds.set(image.print, id);
    }
    after[this.#at.image] = id;
    return after;
  }

  /** What only the newer state had, or had told others that it has, is lost to the world: that no protocol undoes. */
  #rolledBack(row: Int32Array): Int32Array {
    const after = row.slice();
    const { harmed, nodes } = this.#bounds;
    const stored = nodes[harmed]?.role === 'source' ? 0 : this.#space(harmed).facts(get(row, harmed)).lost.all;
    after[harmed] = this.#space(harmed).off(this.#imageAt(row));
    after[this.#at.harms] = 1;
    let left = 0;
    for (const { lost, kept } of this.#allFacts(after)) left |= lost.all & kept.all;
    const kept = this.#space(harmed).facts(after[harmed] ?? 0).lost.all;
    after[this.#at.destroyed] = get(row, this.#at.accepted) & (~left | (stored & ~kept));
    return after;
  }

  #cloned(row: Int32Array): Int32Array {
    const after = row.slice();
    const clone = this.#bounds.nodes.findIndex(({ role }) => role === 'clone');
    after[clone] = this.#space(clone).off(this.#imageAt(row));
    after[this.#at.harms] = 1;
    return after;
  }

  #imageAt(row: Int32Array): Image {
    const image = this.#images[get(row, this.#at.image) - 1];
    invariant(image !== undefined, 'an image was taken');
    return image;
  }

  #act(row: Int32Array, action: string): Int32Array {
    const space = action.indexOf(' ');
    const [node, what] = [Number(action.slice(0, space)), action.slice(space + 1)];
    if (what === 'move') return this.#moved(row, node);
    if (what === 'image') return this.#imaged(row);
    if (what === 'rollback') return this.#rolledBack(row);
    if (what === 'clone') return this.#cloned(row);
    return this.#after(row, node, what);
  }

  #isAccounted(missing: number, row: Int32Array): boolean {
    if (this.#bounds.accounts === 'none') return false;
    let accounted = 0;
    for (const { lost, kept } of this.#allFacts(row)) accounted += Math.min(lost.accounted, kept.accounted);
    return keysOf(missing).length <= accounted;
  }

  #allFacts(row: Int32Array): CustodyFacts[] {
    const facts: CustodyFacts[] = [];
    for (let node = 0; node < this.#spaces.length; node++) {
      if (get(row, node) !== ABSENT) facts.push(this.#space(node).facts(get(row, node)));
    }
    return facts;
  }

  #space(node: number): LocalSpace<CustodyFacts> {
    return this.#spaces[node] as LocalSpace<CustodyFacts>;
  }

  #remember(said: number[], row: Int32Array): void {
    for (const word of this.#sets.words(get(row, this.#at.said))) if (!said.includes(word)) said.push(word);
  }

  #label(node: number): string {
    const { name, role } = this.#bounds.nodes[node] as CustodyNode;
    return role === 'clone' ? `${name}'` : name;
  }

  #describe(row: Int32Array, news: readonly string[]): string {
    const lines = news.map((text) => `  says ${text}`);
    this.#bounds.nodes.forEach((_, node) => {
      if (get(row, node) === ABSENT) return;
      const { power, sender, isWriting, lost } = this.#space(node).facts(get(row, node));
      const state = `${power}${power === 'off' ? '' : ` ${sender}`}${isWriting ? ' writing' : ''}`;
      lines.push(`  ${this.#label(node)}: ${state}, ${describeContents(lost)}`);
    });
    return lines.join('\n');
  }
}

function get(row: Int32Array, at: number): number {
  return row[at] ?? 0;
}

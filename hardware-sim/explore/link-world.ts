/**
 * Two ends of a link and the line between them: whole packets in order, which the line may lose, bring twice, or hold back; a HELLO
 * from long ago may come again; power goes and comes; timers are late.
 */
import { decodeCobs } from '../../shared/link/cobs.ts';
import { decodePacket } from '../../shared/link/packets.ts';
import { Channels } from './channels.ts';
import { type EndShape, type LinkFacts, LinkMachine, type LinkWord } from './link-machine.ts';
import { LocalSpace } from './local-space.ts';
import { Dictionary } from './machine.ts';
import { BLANK } from './memory-ring.ts';
import { describeContents, keysOf, wrongIn } from './promises.ts';
import type { Weakening } from './weakenings.ts';
import type { Played, World } from './world.ts';

export interface LinkBounds {
  readonly name: string;
  readonly messages: number;
  readonly packetNumbers: number;
  /** Half of them, if not said otherwise. */
  readonly window?: number;
  /** How often the power of the dialling and of the accepting end may go; how often each may be woken by a timer. */
  readonly cuts: readonly [number, number];
  readonly ticks: readonly [number, number];
  /** Packets lost, brought twice, and HELLOs that come again. */
  readonly drops: number;
  readonly repeats: number;
  readonly stale: number;
  /** `session`: it stands, and the line is empty. `power-on`: both ends serve, and have said their first words. */
  readonly from: 'session' | 'power-on';
  readonly weakening?: Weakening;
}

/** Packets on their way in one direction; what is said beyond is lost to the line. */
const CHANNEL_MAX = 12;
const SEED_MIN = 100;
const FAIR_STEPS_MAX = 4_000;
const FAIR_TICKS_MAX = 200;
const NAMES = ['d', 'c'] as const;

/** Places in a row. */
const TO_C = 2;
const TO_D = 3;
const ACCEPTED = 4;
const SENDS = 5;
const OPENINGS = 6;
const CUTS = 7;
const TICKS = 9;
const DROPS = 11;
const REPEATS = 12;
const STALE = 13;
const HELLO = 14;
const WIDTH = 15;

export class LinkWorld implements World {
  readonly name: string;
  readonly width = WIDTH;
  readonly #bounds: LinkBounds;
  readonly #words = new Dictionary<LinkWord>();
  readonly #channels = new Channels();
  readonly #spaces: readonly [LocalSpace<LinkFacts>, LocalSpace<LinkFacts>];

  constructor(bounds: LinkBounds) {
    this.name = bounds.name;
    this.#bounds = bounds;
    this.#spaces = [this.#spaceOf(0), this.#spaceOf(1)];
  }

  get cost(): World['cost'] {
    const [d, c] = this.#spaces;
    return {
      localStates: d.size + c.size,
      coreSteps: d.stepCount + c.stepCount,
      retraced: d.retracedCount + c.retracedCount,
    };
  }

  start(): Int32Array {
    let row: Int32Array = new Int32Array(WIDTH);
    for (const end of [0, 1] as const) {
      row[end] = this.#spaces[end].off(BLANK);
      row = this.#after(row, end, `open:${end}`);
      while (this.#facts(row, end).isWriting) row = this.#after(row, end, 'flush');
    }
    while (this.#bounds.from === 'session') {
      const action = this.#fairAction(row);
      if (action === undefined) break;
      row = this.#act(row, action);
    }
    return row;
  }

  successors(row: Int32Array, visit: (next: Int32Array, action: string) => void): void {
    for (const end of [0, 1] as const) {
      for (const action of this.#actions(row, end)) visit(this.#act(row, action), action);
    }
  }

  check(row: Int32Array): string | undefined {
    const facts = [this.#facts(row, 0), this.#facts(row, 1)];
    let safe = 0;
    for (const { lost, kept } of facts) safe |= lost.all & kept.all;
    const missing = get(row, ACCEPTED) & ~safe;
    if (missing !== 0) return `accepted, and nowhere any more: ${keysOf(missing)}`;
    if (facts.some(({ isForked }) => isForked)) return 'an honest node is called a fork';
    for (const { lost, kept } of facts) {
      const wrong = wrongIn(lost, 'honest') ?? wrongIn(kept, 'honest');
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** Nothing is lost any more, disks write, timers come when nothing else happens. */
  stalls(from: Int32Array): string | undefined {
    let row: Int32Array = from.slice();
    let ticks = 0;
    for (let step = 0; step < FAIR_STEPS_MAX; step++) {
      const action = this.#fairAction(row);
      if (action !== undefined) {
        row = this.#act(row, action);
        continue;
      }
      const missing = get(row, ACCEPTED) & ~this.#facts(row, 1).lost.all;
      if (missing === 0 && this.#facts(row, 0).lost.held === 0) return undefined;
      if (ticks === FAIR_TICKS_MAX) break;
      ticks += 1;
      for (const end of [0, 1] as const) if (this.#facts(row, end).isWaiting) row = this.#after(row, end, 'tick');
    }
    const held = this.#facts(row, 0).lost.held;
    return `nothing goes wrong any more, and still on their way: ${keysOf(held | (get(row, ACCEPTED) & ~this.#facts(row, 1).lost.all))}`;
  }

  /** Packets are told by their place on the line, which any run gives them. */
  portable(actions: readonly string[]): string[] {
    return [...actions];
  }

  /** On a world of its own, whose ends never were anywhere else. */
  *play(actions: readonly string[]): Generator<Played> {
    const world = new LinkWorld(this.#bounds);
    let row = world.start();
    yield world.#played(row, world.#describe(row));
    for (const action of actions) {
      row = world.#act(row, action);
      yield world.#played(row, `${action}\n${world.#describe(row)}`);
    }
  }

  #played(row: Int32Array, text: string): Played {
    return { text, wrong: this.check(row), stalls: () => this.stalls(row) };
  }

  #spaceOf(end: 0 | 1): LocalSpace<LinkFacts> {
    const { packetNumbers, window, cuts, weakening } = this.#bounds;
    const shape: EndShape = {
      name: NAMES[end],
      role: end === 0 ? 'dial' : 'accept',
      destination: 'c/bags',
      packetNumbers,
      window: window ?? packetNumbers / 2,
      disk: cuts[end] === 0 ? 'prompt' : 'stepped',
      weakening,
      words: this.#words,
    };
    return new LocalSpace((image) => new LinkMachine(shape, image));
  }

  *#actions(row: Int32Array, end: 0 | 1): Generator<string> {
    const { cuts, ticks, drops, repeats, messages, stale } = this.#bounds;
    const facts = this.#facts(row, end);
    const name = NAMES[end];
    if (facts.power === 'off') {
      yield `${name} open`;
    } else {
      if (facts.isWriting) yield `${name} flush`;
      if (get(row, CUTS + end) < cuts[end]) {
        yield `${name} cut:lost`;
        if (facts.isWriting) yield `${name} cut:kept`;
      }
      if (facts.isWaiting && get(row, TICKS + end) < ticks[end]) yield `${name} tick`;
      if (end === 0 && facts.power === 'serving' && get(row, SENDS) < messages) yield `${name} send`;
    }
    // A line brings its bytes to whoever is there: without power they are lost.
    if (this.#channels.words(get(row, channelTo(end))).length > 0) {
      yield `${name} hear`;
      if (get(row, DROPS) < drops) yield `${name} drop`;
      if (facts.power !== 'off' && get(row, REPEATS) < repeats) yield `${name} hear-twice`;
    }
    if (end === 1 && facts.power === 'serving' && get(row, HELLO) > 0 && get(row, STALE) < stale) yield `${name} stale`;
  }

  #fairAction(row: Int32Array): string | undefined {
    for (const end of [0, 1] as const) {
      const { power, isWriting } = this.#facts(row, end);
      if (power === 'off') return `${NAMES[end]} open`;
      if (isWriting) return `${NAMES[end]} flush`;
      if (this.#channels.words(get(row, channelTo(end))).length > 0) return `${NAMES[end]} hear`;
    }
    return undefined;
  }

  #act(row: Int32Array, action: string): Int32Array {
    const [name, what = ''] = action.split(' ');
    const end = name === 'd' ? 0 : 1;
    const channel = channelTo(end);
    const [first] = this.#channels.words(get(row, channel));
    switch (what) {
      case 'open':
        return counted(this.#after(row, end, `open:${SEED_MIN + get(row, OPENINGS)}`), OPENINGS);
      case 'send':
        return counted(this.#after(row, end, `send:${get(row, SENDS)}`), SENDS);
      case 'tick':
        return counted(this.#after(row, end, what), TICKS + end);
      case 'cut:lost':
      case 'cut:kept':
        return counted(this.#after(row, end, what), CUTS + end);
      case 'hear':
        return this.#after(this.#withoutFirst(row, channel), end, `hear:${first}`);
      case 'drop':
        return counted(this.#withoutFirst(row, channel), DROPS);
      case 'hear-twice':
        return counted(this.#after(row, end, `hear:${first}`), REPEATS);
      case 'stale':
        return counted(this.#after(row, end, `hear:${get(row, HELLO) - 1}`), STALE);
      default:
        return this.#after(row, end, what);
    }
  }

  #withoutFirst(row: Int32Array, channel: number): Int32Array {
    const after = row.slice();
    after[channel] = this.#channels.withoutFirst(get(row, channel));
    return after;
  }

  #after(row: Int32Array, end: 0 | 1, input: string): Int32Array {
    const { next, said } = this.#spaces[end].step(get(row, end), input);
    const after = row.slice();
    const channel = channelTo(end === 0 ? 1 : 0);
    const room = CHANNEL_MAX - this.#channels.words(get(row, channel)).length;
    after[end] = next;
    after[channel] = this.#channels.with(get(row, channel), said.slice(0, Math.max(0, room)));
    if (end === 0) after[ACCEPTED] = get(row, ACCEPTED) | this.#facts(after, 0).lost.all;
    if (end === 0 && get(row, HELLO) === 0 && said[0] !== undefined) after[HELLO] = said[0] + 1;
    return after;
  }

  #facts(row: Int32Array, end: 0 | 1): LinkFacts {
    return this.#spaces[end].facts(get(row, end));
  }

  #describe(row: Int32Array): string {
    const lines = ([0, 1] as const).map((end) => {
      const { power, said, isWriting, lost } = this.#facts(row, end);
      return `  ${NAMES[end]}: ${power}${isWriting ? ', writing' : ''}, ${said}, ${describeContents(lost)}`;
    });
    for (const [place, way] of [[TO_C, 'd ▶ c'] as const, [TO_D, 'c ▶ d'] as const]) {
      const packets = this.#channels.words(get(row, place)).map((word) => packetText(this.#words.word(word)));
      lines.push(`  ${way}: ${packets.join(', ')}`);
    }
    return lines.join('\n');
  }
}

function channelTo(end: 0 | 1): number {
  return end === 0 ? TO_D : TO_C;
}

function counted(row: Int32Array, place: number): Int32Array {
  row[place] = get(row, place) + 1;
  return row;
}

function get(row: Int32Array, at: number): number {
  return row[at] ?? 0;
}

/** Kind and size; what is sealed cannot be read without its session, but its header can. */
function packetText({ bytes }: LinkWord): string {
  const frame = decodeCobs(bytes.slice(1, -1)) ?? bytes;
  const plain = decodePacket(frame, undefined);
  const header = frame[0] ?? 0;
  const kind = plain?.kind ?? (header & 0x80 ? 'data' : header & 0x0f ? (SEALED[header & 0x0f] ?? 'packet') : 'packet');
  const pn = kind === 'data' || kind === 'note' ? ` ${frame[1]}` : '';
  return `${kind}${pn} (${bytes.length} B)`;
}

const SEALED: Readonly<Record<number, string>> = { 5: 'ack', 6: 'note', 7: 'time' };

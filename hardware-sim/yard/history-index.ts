/**
 * A history as the checks look at it: what was told of each message by its key, of each node by its name. Made once per history.
 *
 *   place   index of an event in the list: the only order there is
 *   story   all that was told of one key
 *   lane    origin>destination:priority, over all incarnations of the origin
 */
import { unreachable } from '../../shared/assert.ts';
import type {
  AcceptedEvent,
  AckedEvent,
  CommittingEvent,
  CopyEvent,
  DeadLetterEvent,
  DeliveredEvent,
  DestroyedEvent,
  DownEvent,
  EffectEvent,
  EndEvent,
  FaultEvent,
  ForwardedEvent,
  FreedEvent,
  HealedEvent,
  History,
  LeftOut,
  OpeningEvent,
  OutcomeEvent,
  QueueStateEvent,
  RefusedEvent,
  ReturnedEvent,
  SendEvent,
  ServingEvent,
  StoppedEvent,
  TogetherEvent,
  TriedCutEvent,
  WordEvent,
} from './history.ts';
import { leftOut } from './left-out.ts';
import { sourceKey } from './letters.ts';

export type Told<E> = { readonly atMs: number; readonly place: number; readonly event: E };

/** Refused with these a message may be there all the same; with any other code nothing was written. */
const DOUBTFUL_CODES: readonly string[] = ['IN_DOUBT'];

/** Faults after which a disk says of a write that it is durable when it is not. */
const LIES = /\blies?\b/;

/** Faults that no disk survives unharmed. What they cost comes to light at the next opening, if there is one. */
const HARMS = /\blies?\b|\brots?\b|unreadable|old image|empty disk|cloned/;

/** Of these, those that put another disk in its place. */
const EXCHANGES = /old image|empty disk/;

/** All that was told of one message, each in order. */
export class Story {
  readonly key: string;
  readonly sends: Told<SendEvent>[] = [];
  readonly acceptances: Told<AcceptedEvent>[] = [];
  readonly refusals: Told<RefusedEvent>[] = [];
  readonly deliveries: Told<DeliveredEvent>[] = [];
  readonly effects: Told<EffectEvent>[] = [];
  readonly acks: Told<AckedEvent>[] = [];
  readonly givenUp: Told<AckedEvent>[] = [];
  readonly commits: Told<CommittingEvent>[] = [];
  readonly returns: Told<ReturnedEvent>[] = [];
  readonly forwards: Told<ForwardedEvent>[] = [];
  readonly letters: Told<DeadLetterEvent>[] = [];
  readonly frees: Told<FreedEvent>[] = [];
  /** Durable copies of it were destroyed, or it is in doubt since. */
  readonly damage: Told<DestroyedEvent>[] = [];
  /** Nodes that have it in a queue or on its way, at the end. */
  readonly liveAt: string[] = [];
  #about: About | undefined;

  constructor(key: string) {
    this.key = key;
  }

  get accepted(): Told<AcceptedEvent> | undefined {
    return this.acceptances[0];
  }

  /** The send that may have made the message: the first one that nobody refused for certain. */
  get send(): Told<SendEvent> | undefined {
    return this.#known.send;
  }

  /** Messages that may bear this key: a send that was refused for certain made none. */
  get copiesMax(): number {
    return this.#known.copiesMax;
  }

  /** `<origin>><destination>:<priority>`; undefined where nobody sent it. */
  get lane(): string | undefined {
    return this.#known.lane;
  }

  get destinationNode(): string {
    return this.#known.destinationNode;
  }

  /** Some copy of it says of itself that it may be a repeat. */
  get mayRepeat(): boolean {
    return this.deliveries.some(({ event }) => event.maybeDuplicate === 'maybe');
  }

  /** Worked out once, when everything is told. */
  get #known(): About {
    this.#about ??= aboutSends(this.sends, this.refusals);
    return this.#about;
  }
}

interface About {
  readonly send: Told<SendEvent> | undefined;
  readonly copiesMax: number;
  readonly lane: string | undefined;
  readonly destinationNode: string;
}

function aboutSends(sends: readonly Told<SendEvent>[], refusals: readonly Told<RefusedEvent>[]): About {
  const refused = new Set<number>();
  for (const { place, event } of refusals) {
    const send = DOUBTFUL_CODES.includes(event.code) ? undefined : lastBefore(sends, place);
    if (send !== undefined) refused.add(send.place);
  }
  const mayExist = refused.size === 0 ? sends : sends.filter((send) => !refused.has(send.place));
  const send = mayExist[0] ?? sends[0];
  return {
    send: mayExist[0],
    copiesMax: mayExist.length,
    lane: send && laneOf({ ...send.event, origin: send.event.node }),
    destinationNode: nodeOf(send?.event.destination ?? ''),
  };
}

export class HistoryIndex {
  readonly history: History;
  readonly stories = new Map<string, Story>();
  readonly nodes = new Set<string>();
  readonly destroyed: Told<DestroyedEvent>[] = [];
  readonly deliveries: Told<DeliveredEvent>[] = [];
  readonly letters: Told<DeadLetterEvent>[] = [];
  readonly frees: Told<FreedEvent>[] = [];
  readonly #harmed = new Set<string>();
  #dead: readonly string[] | undefined;
  #accepted: readonly Story[] | undefined;
  #exchanges: readonly Told<FaultEvent>[] | undefined;
  readonly cuts: Told<TriedCutEvent>[] = [];
  readonly faults: Told<FaultEvent>[] = [];
  readonly openings: Told<OpeningEvent>[] = [];
  readonly servings: Told<ServingEvent>[] = [];
  readonly stops: Told<StoppedEvent>[] = [];
  readonly downs: Told<DownEvent>[] = [];
  readonly togethers: Told<TogetherEvent>[] = [];
  readonly copies: Told<CopyEvent>[] = [];
  readonly words: Told<WordEvent>[] = [];
  readonly outcomes: Told<OutcomeEvent>[] = [];
  readonly queueStates: Told<QueueStateEvent>[] = [];
  #byIdentity: ReadonlyMap<string, Story> | undefined;
  healed: Told<HealedEvent> | undefined;
  end: Told<EndEvent> | undefined;

  constructor(history: History) {
    this.history = history;
    history.events.forEach((event, place) => {
      if ('node' in event) this.nodes.add(event.node);
      this.#enter(event, place);
    });
  }

  #enter(event: History['events'][number], place: number): void {
    const told = <E>(one: E): Told<E> => ({ atMs: event.atMs, place, event: one });
    switch (event.kind) {
      case 'send':
        return void this.story(event.key).sends.push(told(event));
      case 'accepted':
        return void this.story(event.key).acceptances.push(told(event));
      case 'refused':
        return void this.story(event.key).refusals.push(told(event));
      case 'delivered':
        this.deliveries.push(told(event));
        if (event.key !== undefined) this.story(event.key).deliveries.push(told(event));
        return;
      case 'effect':
        return void this.story(event.key).effects.push(told(event));
      case 'acked':
        return void this.story(event.key).acks.push(told(event));
      case 'given-up':
        return void this.story(event.key).givenUp.push(told(event));
      case 'committing':
        return void this.story(event.key).commits.push(told(event));
      case 'forwarded':
        return void this.story(event.key).forwards.push(told(event));
      case 'returned':
        return void this.story(event.key).returns.push(told(event));
      case 'dead-letter':
        this.letters.push(told(event));
        if (event.key !== undefined) this.story(event.key).letters.push(told(event));
        return;
      case 'freed':
        this.frees.push(told(event));
        return void this.story(event.key).frees.push(told(event));
      case 'destroyed':
        this.destroyed.push(told(event));
        this.#harmed.add(event.node);
        for (const key of new Set([...event.keys, ...event.doubtful])) this.story(key).damage.push(told(event));
        return;
      case 'tried-cut':
        return void this.cuts.push(told(event));
      case 'fault':
        if (HARMS.test(event.fault)) this.#harmed.add(event.target);
        return void this.faults.push(told(event));
      case 'opening':
        return void this.openings.push(told(event));
      case 'serving':
        return void this.servings.push(told(event));
      case 'stopped':
        return void this.stops.push(told(event));
      case 'down':
        return void this.downs.push(told(event));
      case 'together':
        return void this.togethers.push(told(event));
      case 'copy':
        return void this.copies.push(told(event));
      case 'word':
        return void this.words.push(told(event));
      case 'outcome':
        return void this.outcomes.push(told(event));
      case 'queue-state':
        return void this.queueStates.push(told(event));
      case 'healed':
        this.healed ??= told(event);
        return;
      case 'end':
        this.end = told(event);
        for (const { node, live } of event.nodes) {
          this.nodes.add(node);
          for (const key of live) this.story(key).liveAt.push(node);
        }
        return;
      default:
        return unreachable(event);
    }
  }

  story(key: string): Story {
    let story = this.stories.get(key);
    if (story === undefined) {
      story = new Story(key);
      this.stories.set(key, story);
    }
    return story;
  }

  /** Those that a node said yes to. */
  get accepted(): readonly Story[] {
    this.#accepted ??= [...this.stories.values()].filter(({ accepted, sends }) => accepted !== undefined && sends.length > 0);
    return this.#accepted;
  }

  /** Faults that put another disk in the place of one. */
  get exchanges(): readonly Told<FaultEvent>[] {
    this.#exchanges ??= this.faults.filter(({ event }) => EXCHANGES.test(event.fault));
    return this.#exchanges;
  }

  /** Nodes that are not there at the end: without power for good, or harmed so much that they cannot open any more. */
  get dead(): readonly string[] {
    this.#dead ??= [...(this.healed?.event.dead ?? []), ...this.#gone()];
    return this.#dead;
  }

  #gone(): string[] {
    if (this.end === undefined) return [];
    const opened = new Set(this.openings.map(({ event }) => event.node));
    return [...opened].filter((node) => this.isHarmed(node) && this.atEnd(node) === undefined);
  }

  /**
   * A medium or an operator did to this node's disk what no node survives unharmed. At any time: what was destroyed comes to light
   * at the next opening, and its consequences may come before that.
   */
  isHarmed(node: string): boolean {
    return this.#harmed.has(node);
  }

  /** The disk of one of these, or the message itself where it lay, was harmed: what is promised of both ends holds no more. */
  isDoubtful(story: Story): boolean {
    const source = sourceKey(story.key);
    if (source !== undefined && (this.isDoubtful(this.story(source)) || this.mayRepeat(this.story(source)))) return true;
    const origin = (story.sends[0] ?? story.acceptances[0])?.event.node ?? '';
    return story.damage.length > 0 || this.isHarmed(origin) || this.isHarmed(story.destinationNode);
  }

  /**
   * It may end twice: some copy says so of itself, or it was still at its origin when that began a new incarnation, under which it was sent
   * once more.
   */
  mayRepeat(story: Story): boolean {
    if (story.mayRepeat) return true;
    const first = story.acceptances[0] ?? story.sends[0];
    if (first === undefined) return false;
    const { node } = first.event;
    const lives = this.servings.filter(({ event }) => event.node === node);
    const { incarnation } = lastBefore(lives, first.place)?.event ?? {};
    const next = lives.find(({ place, event }) => place > first.place && event.incarnation !== incarnation);
    return next !== undefined && !story.frees.some(({ place, event }) => event.node === node && place < next.place);
  }

  /** Nodes whose disk had begun to lie before that place: what they call durable need not be. */
  liars(before: number): string[] {
    return this.faults.filter(({ place, event }) => place < before && LIES.test(event.fault)).map(({ event }) => event.target);
  }

  wasOpened(node: string, after: number, before = Number.POSITIVE_INFINITY): boolean {
    return this.openings.some(({ place, event }) => event.node === node && place > after && place < before);
  }

  /** Loss accounts of a class at a node for a lane, over all incarnations of its origin. */
  accounts(node: string): Map<string, Map<string, number>> {
    const lanes = new Map<string, Map<string, number>>();
    for (const { stream, class: ending, count } of this.atEnd(node)?.stats.accounts ?? []) {
      const lane = laneOf(stream);
      const classes = lanes.get(lane) ?? new Map<string, number>();
      lanes.set(lane, classes.set(ending, (classes.get(ending) ?? 0) + count));
    }
    return lanes;
  }

  /** Somebody was told, or saw, that a message has this identity. */
  byIdentity(identity: string): Story | undefined {
    this.#byIdentity ??= new Map(
      [...this.stories.values()].flatMap((story) =>
        [...story.acceptances, ...story.deliveries].map(({ event }) => [event.identity, story] as const),
      ),
    );
    return this.#byIdentity.get(identity);
  }

  /** It was answered from memory, and its node was not stopped in order before it died: nobody promised to keep it. */
  wentWithMemory({ accepted }: Story): boolean {
    if (accepted?.event.durability !== 'volatile') return false;
    return this.firstDown(accepted.event.node, accepted.place)?.event.how === 'crash';
  }

  firstDown(node: string, after: number): Told<DownEvent> | undefined {
    return this.downs.find(({ place, event }) => place > after && event.node === node);
  }

  /** The queue of this address is to be paused, and stays so. */
  isPaused(address: string): boolean {
    const states = this.queueStates.filter(({ event }) => `${event.node}/${event.queue}` === address);
    return states.at(-1)?.event.state === 'paused';
  }

  /** What a node left out for want of room, in all of its openings. */
  leftOut(node: string, what: LeftOut): number {
    let count = leftOut(this.atEnd(node)?.stats)[what];
    for (const { event } of this.downs) if (event.node === node) count += event.leftOut[what];
    return count;
  }

  /** Messages that made room in a queue of records of this node, as its accounts say. */
  droppedFrom(node: string, queues: readonly string[]): number {
    let count = 0;
    for (const [lane, classes] of this.accounts(node))
      if (queues.some((queue) => lane.includes(`>${node}/${queue}:`))) count += classes.get('DROPPED') ?? 0;
    return count;
  }

  /** What a node that is up says and holds at the end. */
  atEnd(node: string): EndEvent['nodes'][number] | undefined {
    return this.end?.event.nodes.find((one) => one.node === node);
  }
}

const known = new WeakMap<History, HistoryIndex>();

export function indexOf(history: History): HistoryIndex {
  let index = known.get(history);
  if (index === undefined) {
    index = new HistoryIndex(history);
    known.set(history, index);
  }
  return index;
}

export function laneOf(one: { readonly origin: string; readonly destination: string; readonly priority: number }): string {
  return `${one.origin}>${one.destination}:${one.priority}`;
}

export function nodeOf(address: string): string {
  const at = address.indexOf('/');
  return at === -1 ? address : address.slice(0, at);
}

/** Stream and number of an identity as text; undefined for what has no number. Whether it is one at all is S12. */
export function splitIdentity(text: string): { readonly stream: string; readonly number: number } | undefined {
  const at = text.lastIndexOf(':');
  const number = Number(text.slice(at + 1));
  return at === -1 || !Number.isSafeInteger(number) ? undefined : { stream: text.slice(0, at), number };
}

/** What was told last before that place. */
export function lastBefore<T extends { readonly place: number }>(told: readonly T[], place: number): T | undefined {
  return told.filter((one) => one.place < place).at(-1);
}

/** The first few, for people. */
export function some(keys: readonly string[]): string {
  return keys.length > 5 ? `${keys.slice(0, 5).join(', ')} and ${keys.length - 5} more` : keys.join(', ');
}

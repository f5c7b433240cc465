/** From a state of custody to its end, when nothing goes wrong any more: there, whatever was accepted must have arrived. */
import type { CustodyFacts } from './custody-machine.ts';
import type { Word } from './custody-words.ts';
import type { LocalSpace } from './local-space.ts';
import type { Dictionary } from './machine.ts';

export interface FairNode {
  readonly name: string;
  /** Whom it offers to. */
  readonly uplink: string | undefined;
  readonly space: LocalSpace<CustodyFacts>;
  state: number;
}

/** Offers of each node: enough for a fork, its new incarnation, and a way over two hops. */
const ROUNDS_MAX = 12;
/** Writes and openings until all rests. */
const SETTLE_MAX = 120;

/** How it ends. */
export interface FairEnd {
  /** Of the next opening. */
  readonly seed: number;
  /** `given-up`: numbers that a store which was put back has forgotten come no more; time closes their holes. */
  readonly holes: 'filled' | 'given-up';
}

/** Moves the nodes to where they come to rest, and says what they have then. */
export function fairRun(nodes: readonly FairNode[], words: Dictionary<Word>, { seed, holes }: FairEnd): CustodyFacts[] {
  const run = new FairRun(nodes, words, seed);
  run.settle();
  for (let round = 0; round < ROUNDS_MAX; round++) for (const node of nodes) run.offers(node);
  if (holes === 'given-up') run.closeHoles();
  return nodes.map(({ space, state }) => space.facts(state));
}

class FairRun {
  readonly #nodes: readonly FairNode[];
  readonly #words: Dictionary<Word>;
  readonly #heard = new Set<string>();
  #seed: number;

  constructor(nodes: readonly FairNode[], words: Dictionary<Word>, seed: number) {
    this.#nodes = nodes;
    this.#words = words;
    this.#seed = seed;
  }

  /** One session of a node, with all that it has to hand over. */
  offers(node: FairNode): void {
    if (node.uplink === undefined) return;
    this.#heard.clear();
    this.#apply(node, `offer:${node.uplink}`);
    this.settle();
    while (node.space.facts(node.state).workCount > 0) {
      const before = node.state;
      this.#apply(node, `take:0:${node.uplink}`);
      if (node.state === before) break;
    }
    this.settle();
  }

  closeHoles(): void {
    for (const node of this.#nodes) if (node.space.facts(node.state).holeCount > 0) this.#apply(node, 'close');
    this.settle();
  }

  settle(): void {
    for (let step = 0, isMoving = true; isMoving && step < SETTLE_MAX; step++) {
      isMoving = false;
      for (const node of this.#nodes) {
        const { power, isWriting, isDelaying } = node.space.facts(node.state);
        const input = power === 'off' ? `open:${this.#seed++}` : isWriting ? 'flush' : isDelaying ? 'late' : undefined;
        if (input === undefined) continue;
        this.#apply(node, input);
        isMoving = true;
      }
    }
  }

  /** What is said because of it is heard at once, by all who bear the name. */
  #apply(node: FairNode, input: string): void {
    const { next, said } = node.space.step(node.state, input);
    node.state = next;
    for (const word of said) {
      const { to } = this.#words.word(word);
      this.#nodes.forEach((target, index) => {
        if (target.name !== to || this.#heard.has(`${index} ${word}`)) return;
        this.#heard.add(`${index} ${word}`);
        this.#apply(target, `hear:${word}`);
      });
    }
  }
}

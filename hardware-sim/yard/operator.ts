/**
 * Whoever runs the nodes: pauses queues and resumes them, and sends dead letters again. What it wants of a queue it wants until the node
 * has said that it is so, and once nothing breaks any more, until the node says so of itself: an old image may bring back another state.
 *
 *   pause ──asked──▶ done ──forMs──▶ running ──asked──▶ done          for good: paused until the end
 */
import { crc32 } from '../../shared/crc32.ts';
import { identityText, parseIdentity } from '../../shared/message/identity.ts';
import type { Message } from '../../shared/message/message.ts';
import type { QueueState } from '../../shared/queue/queue-options.ts';
import type { Selector } from '../../shared/queue/selector.ts';
import type { SimNode } from '../sim-node.ts';
import { PATIENCE_MS, type Stage } from './applications.ts';
import { keyOf, LETTER_QUEUES, redrivenKey } from './letters.ts';
import type { PlannedChore } from './plan.ts';

const RETRY_MS = 300;
/** So many letters are looked at for one that can be sent again. */
const LOOK_COUNT = 4;

interface Wanted {
  readonly node: SimNode;
  readonly queue: string;
  state: QueueState;
  /** `asking`: a call is under way. */
  stage: 'to ask' | 'asking' | 'done';
}

export class Operator {
  readonly #stage: Stage;
  readonly #nodes: ReadonlyMap<string, SimNode>;
  readonly #wanted = new Map<string, Wanted>();

  constructor(stage: Stage, nodes: ReadonlyMap<string, SimNode>) {
    this.#stage = stage;
    this.#nodes = nodes;
  }

  plan(chores: readonly PlannedChore[]): void {
    for (const chore of chores) {
      const node = this.#nodes.get(chore.node);
      if (node === undefined) continue;
      this.#stage.world.at(chore.atMs, () => {
        if (chore.do === 'redrive') this.#redrive(node);
        else if (this.#stage.phase === 'trouble') this.#pause(node, chore.queue, chore.forMs);
      });
    }
  }

  /** Nothing breaks any more: what is not paused for good goes on now. */
  calm(dead: readonly string[]): void {
    for (const wanted of this.#wanted.values()) {
      const { node } = wanted;
      if (dead.includes(node.name)) this.#wanted.delete(`${node.name}/${wanted.queue}`);
      else if (!this.#forGood.has(wanted)) this.#want(wanted, 'running');
    }
    this.#look();
  }

  /** Every queue is as it should be. */
  get isDone(): boolean {
    return [...this.#wanted.values()].every((wanted) => wanted.stage === 'done' && stateOf(wanted) === wanted.state);
  }

  readonly #forGood = new Set<Wanted>();

  #pause(node: SimNode, queue: string, forMs: number | 'for-good'): void {
    const name = `${node.name}/${queue}`;
    const wanted: Wanted = this.#wanted.get(name) ?? { node, queue, state: 'running', stage: 'done' };
    this.#wanted.set(name, wanted);
    this.#stage.recorder.mark('queue paused');
    this.#want(wanted, 'paused');
    if (forMs === 'for-good') this.#forGood.add(wanted);
    else this.#stage.world.after(forMs, () => this.#stage.phase === 'trouble' && this.#want(wanted, 'running'));
  }

  #want(wanted: Wanted, state: QueueState): void {
    wanted.state = state;
    if (wanted.stage === 'asking') return;
    wanted.stage = 'to ask';
    this.#ask(wanted);
  }

  #ask(wanted: Wanted): void {
    const { world, recorder } = this.#stage;
    const { node, queue, state } = wanted;
    if (wanted.stage !== 'to ask') return;
    if (!node.isServing) return void world.after(RETRY_MS, () => this.#ask(wanted));
    wanted.stage = 'asking';
    recorder.add({ kind: 'queue-state', node: node.name, queue, state, stage: 'asked' });
    let isOpen = true;
    const answered = (isSet: boolean): void => {
      if (!isOpen) return;
      isOpen = false;
      const isDone = isSet && wanted.state === state;
      if (isSet) recorder.add({ kind: 'queue-state', node: node.name, queue, state, stage: 'done' });
      wanted.stage = isDone ? 'done' : 'to ask';
      if (!isDone) world.after(RETRY_MS, () => this.#ask(wanted));
    };
    node.call({ verb: 'setQueue', queue, changes: { state } }, (result) => answered(result.kind === 'done'));
    world.after(PATIENCE_MS, () => answered(false));
  }

  /** In calm: what was said to be done may have been taken back by a disk that was exchanged. */
  #look(): void {
    for (const wanted of this.#wanted.values()) {
      if (wanted.stage === 'done' && wanted.node.isServing && stateOf(wanted) !== wanted.state) this.#want(wanted, wanted.state);
    }
    if (this.#wanted.size > 0) this.#stage.world.after(1_000, () => this.#look());
  }

  // Dead letters.

  #redrive(node: SimNode): void {
    const queues = LETTER_QUEUES.filter((queue) => node.stats()?.queues.some(({ name, ready }) => name === queue && ready > 0));
    const queue = queues[this.#turn++ % Math.max(1, queues.length)];
    if (queue !== undefined && node.isServing && this.#stage.phase === 'trouble')
      this.#findLetter(node, queue, { by: 'first' }, LOOK_COUNT);
  }

  #turn = 0;

  #findLetter(node: SimNode, queue: string, select: Selector, left: number): void {
    node.call({ verb: 'peek', queue, waitMs: 0, select, bodies: 'with' }, (result) => {
      if (result.kind !== 'peeked') return;
      const { message, lookupId } = result.peeked;
      if (this.#isWorthIt(node, message)) return this.#sendAgain(node, { queue, lookupId, message });
      const place = { priority: message.priority, lookupId };
      if (left > 1) this.#findLetter(node, queue, { by: 'after', place }, left - 1);
    });
  }

  /** One that was never sent again before, and whose queue is here. */
  #isWorthIt(node: SimNode, message: Message): boolean {
    const goal = parseIdentity(message.previous ?? '')?.destination ?? '';
    const [at, queue = ''] = goal.split('/');
    const stats = node.stats();
    // What a route takes on is never there itself.
    const isRouted = stats?.routes.some(({ from }) => from === queue) === true;
    const isHere = at === node.name && !isRouted && stats?.queues.some(({ name }) => name === queue) === true;
    const key = keyOf(message, 'letters');
    return isHere && key !== undefined && message.history?.length === 1;
  }

  #sendAgain(node: SimNode, letter: { queue: string; lookupId: number; message: Message }): void {
    const { recorder, oracle, world } = this.#stage;
    const { queue, lookupId, message } = letter;
    const { body, previous = '', history = [], priority, acknowledge, journal } = message;
    const source = keyOf(message, 'letters') ?? '';
    const key = redrivenKey(source);
    const destination = parseIdentity(previous)?.destination ?? '';
    const about = { node: node.name, key };
    const [classes, reason] = [history.map((one) => one.class), history.at(-1)?.reason ?? ''];
    recorder.mark('sent again from its dead letter');
    recorder.add({
      kind: 'dead-letter',
      node: node.name,
      queue,
      key: source,
      bytes: body.length,
      redriven: key,
      previous,
      classes,
      reason,
    });
    const wishes = { ...(acknowledge && { acknowledge }), ...(journal && { journal }) };
    recorder.add({ kind: 'send', ...about, destination, priority, bytes: body.length, crc: crc32(body, 0), ...wishes });
    oracle.wholes.ask({ node: node.name, key: source, identity: identityText(message.identity), sent: [key], by: 'redrive' });
    let isOpen = true;
    node.call({ verb: 'redrive', queue, lookupId }, (result) => {
      if (!isOpen) return;
      isOpen = false;
      if (result.kind === 'sent') {
        const kept = oracle.keeps(node, key) ? 'kept' : 'not-kept';
        recorder.add({ kind: 'accepted', ...about, identity: result.identity, kept });
      } else if (result.kind === 'error') {
        recorder.add({ kind: 'refused', ...about, code: result.error.code });
      }
    });
    world.after(PATIENCE_MS, () => {
      isOpen = false;
    });
  }
}

function stateOf({ node, queue }: Wanted): QueueState | undefined {
  return node.stats()?.queues.find(({ name }) => name === queue)?.state;
}

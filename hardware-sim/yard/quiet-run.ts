/**
 * Histories to try the checks on: a quiet run in which everything that is allowed happens once, a troubled one in which everything
 * happens that excuses something, and a doctor for both.
 *
 *   device-1, device-2, device-3 ═ gateway ─ central: bags, alarms     10 ms from one event to the next, unless somebody waits
 */

import type { Stats } from '../../shared/core/calls.ts';
import type { EndingClass } from '../../shared/message/classes.ts';
import { identityText } from '../../shared/message/identity.ts';
import { QUEUE_DEFAULTS } from '../../shared/queue/queue-options.ts';
import type { AcceptedEvent, DeadLetterEvent, DownEvent, EndEvent, History, RunFacts, SendEvent, YardEvent } from './history.ts';
import { copyKey } from './letters.ts';

const STEP_MS = 10;
const INCARNATION = '0f3a51c2aa017e44';
const NO_REPORT = { gaps: [], tornBlocks: 0, messages: 0 };
const FACTS: RunFacts = {
  seed: 'quiet',
  lineBytes: 6_000,
  publishes: 40,
  lineBytesPerSecond: 11_520,
  backlogBytesMax: 4_000,
  uncaught: [],
};

type Untimed<T> = T extends unknown ? Omit<T, 'atMs'> : never;
export type Account = readonly [origin: string, destination: string, priority: number, ending: EndingClass, count: number];

/** Tells events one after the other. */
export class Tale {
  readonly events: YardEvent[] = [];
  nowMs = 0;
  readonly #numbers = new Map<string, number>();
  readonly #sends = new Map<string, SendEvent & { readonly identity: string }>();

  tell(event: Untimed<YardEvent>): this {
    this.events.push({ ...event, atMs: this.nowMs } as YardEvent);
    this.nowMs += STEP_MS;
    return this;
  }

  wait(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  boot(node: string): this {
    this.tell({ kind: 'opening', node });
    return this.tell({ kind: 'serving', node, incarnation: INCARNATION, report: NO_REPORT, tookMs: STEP_MS });
  }

  send(key: string, how: Partial<SendEvent> = {}): this {
    const [node = ''] = key.split(':');
    const plain = { kind: 'send' as const, key, node, destination: 'central/bags', priority: 3, bytes: 100, crc: crcOf(key) };
    const send: SendEvent = { ...plain, ...how };
    const { destination, priority } = send;
    const number = (this.#numbers.get(`${node} ${destination} ${priority}`) ?? 0) + 1;
    this.#numbers.set(`${node} ${destination} ${priority}`, number);
    const identity = identityText({ origin: node, incarnation: INCARNATION, destination, priority, number });
    this.#sends.set(key, { ...send, identity });
    return this.tell(send);
  }

  accept(key: string, how: Partial<AcceptedEvent> = {}): this {
    const { node, identity } = this.#of(key);
    return this.tell({ kind: 'accepted', node, key, identity, kept: 'kept', ...how });
  }

  down(node: string, how: DownEvent['how'], leftOut: Partial<DownEvent['leftOut']> = {}): this {
    return this.tell({ kind: 'down', node, how, leftOut: { words: 0, copies: 0, letters: 0, ...leftOut } });
  }

  copy(key: string, node: string): this {
    return this.tell({ kind: 'copy', node, key: copyKey(key), previous: this.#of(key).identity });
  }

  word(key: string, label: string): this {
    const { node, identity } = this.#of(key);
    return this.tell({ kind: 'word', node, label, about: identity });
  }

  identityOf(key: string): string {
    return this.#of(key).identity;
  }

  free(key: string, node: string, reason: string, heldBy: readonly string[] = []): this {
    return this.tell({ kind: 'freed', node, key, reason, heldBy });
  }

  /** From its origin to its destination. */
  carry(key: string): this {
    this.free(key, this.#of(key).node, 'handed-over', ['gateway']);
    return this.free(key, 'gateway', 'handed-over', ['central']);
  }

  deliver(key: string, deliveryCount = 1): this {
    const { destination, identity, priority, bytes, crc } = this.#of(key);
    const [node = '', queue = ''] = destination.split('/');
    const found = { key, identity, priority, bytes, crc, deliveryCount };
    return this.tell({
      kind: 'delivered',
      node,
      queue,
      lease: `${key}/${deliveryCount}`,
      ...found,
      maybeDuplicate: 'no',
      overtook: [],
    });
  }

  effect(key: string): this {
    return this.tell({ kind: 'effect', node: 'central', key, identity: this.#of(key).identity, maybeDuplicate: 'no' });
  }

  ack(key: string): this {
    this.free(key, 'central', 'acknowledged');
    return this.tell({ kind: 'acked', node: 'central', key, identity: this.#of(key).identity, gone: 'gone' });
  }

  giveBack(key: string, delayMs: number): this {
    return this.tell({ kind: 'returned', node: 'central', key, identity: this.#of(key).identity, delayMs });
  }

  giveUp(key: string): this {
    return this.tell({ kind: 'given-up', node: 'central', key, identity: this.#of(key).identity, gone: 'gone' });
  }

  letter(key: string, how: Partial<DeadLetterEvent> = {}): this {
    const previous = this.#of(key).identity;
    const plain = { kind: 'dead-letter', node: 'central', key, previous, reason: 'nobody wants it' } as const;
    return this.tell({ ...plain, classes: ['POISON'], ...how });
  }

  /** The whole way. */
  whole(key: string, how: Partial<SendEvent> = {}): this {
    return this.send(key, how).accept(key).carry(key).deliver(key).effect(key).ack(key);
  }

  end(nodes: EndEvent['nodes']): History {
    this.wait(5_000).tell({ kind: 'end', nodes });
    return { facts: FACTS, events: this.events };
  }

  #of(key: string): SendEvent & { readonly identity: string } {
    const send = this.#sends.get(key);
    if (send === undefined) throw new Error(`${key} was not sent`);
    return send;
  }
}

function crcOf(key: string): number {
  return [...key].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
}

/** A node at its end, with nothing left in it. */
export function atRest(
  node: string,
  accounts: readonly Account[] = [],
  more: Partial<Stats['ring']> = {},
): EndEvent['nodes'][number] {
  const ring: Stats['ring'] = {
    bytesUsed: 1_000,
    bytesMax: 80_000,
    freeBlocks: 300,
    messagesStored: 20,
    framesWritten: 60,
    blocksWritten: 90,
    gaps: 0,
    lost: { gaps: 0, frames: 0, ids: 0 },
    corrupt: 0,
    durability: 'sync',
    intervalMs: 0,
    ioMode: '',
    ...more,
  };
  const none = {
    ready: 0,
    leased: 0,
    delayed: 0,
    held: 0,
    arrived: 0,
    ended: 0,
    bytes: 0,
    ...QUEUE_DEFAULTS,
    blocked: 0,
    dropped: 0,
    expired: 0,
  };
  const policy = { bytesLimit: 40_000, whenFull: 'reject', remoteWhenFull: 'wait' } as const;
  const names = node === 'central' ? ['$dead', 'bags', 'alarms'] : ['$dead'];
  const stats: Stats = {
    node,
    incarnation: INCARNATION,
    epoch: 1,
    health: { status: 'green', causes: [] },
    ring,
    queues: names.map((name) => ({ name, ...none, ...policy })),
    outgoing: [],
    uplink: '',
    uplinks: [],
    routes: [],
    links: [],
    clocks: [],
    accounts: accounts.map(([origin, destination, priority, ending, count]) => ({
      stream: { origin, incarnation: INCARNATION, destination, priority },
      class: ending,
      count,
      ranges: [],
      detail: 'coarse',
    })),
    counters: {},
    adapters: {},
  };
  return { node, stats, live: [], ringBytes: 200_000, ringBytesMax: 200_000, unsentBytesMax: 300 };
}

/** Nothing breaks but one power cut of the central; everything that applications may do is done. */
export function quietRun(): History {
  const tale = new Tale();
  for (const node of ['central', 'gateway', 'device-1', 'device-2']) tale.boot(node);
  tale.whole('device-1:1').whole('device-1:2');
  tale.whole('device-2:1', { priority: 5 }).whole('device-2:2', { priority: 0 });
  expiring(tale);
  delayed(tale);
  givenBack(tale);
  // The application dies between effect and acknowledgement: it remembers, and only acknowledges.
  tale.send('device-1:6').accept('device-1:6').carry('device-1:6').deliver('device-1:6').effect('device-1:6');
  tale.wait(5_000).deliver('device-1:6', 2).ack('device-1:6');
  // The node dies under a lease, before the first count is written.
  tale.send('device-1:7').accept('device-1:7').carry('device-1:7').deliver('device-1:7');
  tale.tell({ kind: 'fault', fault: 'power cut', target: 'central', untilMs: tale.nowMs });
  tale.tell({ kind: 'tried-cut', node: 'central', missing: [], invented: [], gaps: 0 }).boot('central');
  tale.deliver('device-1:7').effect('device-1:7').ack('device-1:7');
  // Never answered, and there all the same; refused, and nowhere.
  tale.send('device-2:3').carry('device-2:3').deliver('device-2:3').effect('device-2:3').ack('device-2:3');
  tale.send('device-2:4').tell({ kind: 'refused', node: 'device-2', key: 'device-2:4', code: 'QUEUE_FULL' });
  const full = { destination: 'central/alarms' };
  tale.send('device-1:8', full).accept('device-1:8').carry('device-1:8').free('device-1:8', 'central', 'dropped');
  tale.send('device-1:9').accept('device-1:9').carry('device-1:9').deliver('device-1:9').giveUp('device-1:9');
  tale.send('device-1:10').accept('device-1:10').tell({ kind: 'healed', dead: [] });
  tale.carry('device-1:10').deliver('device-1:10').effect('device-1:10').ack('device-1:10').letter('device-1:9');
  const accounts: Account[] = [
    ['device-1', 'central/bags', 3, 'RECEIVE_TIMEOUT', 1],
    ['device-1', 'central/alarms', 3, 'DROPPED', 1],
  ];
  return tale.end([atRest('central', accounts), ...['gateway', 'device-1', 'device-2'].map((node) => atRest(node))]);
}

function expiring(tale: Tale): void {
  tale.send('device-1:3', { timeToBeReceivedMs: 100 }).accept('device-1:3').carry('device-1:3').wait(100);
  tale.free('device-1:3', 'central', 'expired');
}

function delayed(tale: Tale): void {
  tale.send('device-1:4', { deliverAfterMs: 300 }).accept('device-1:4').carry('device-1:4').wait(300);
  tale.deliver('device-1:4').effect('device-1:4').ack('device-1:4');
}

function givenBack(tale: Tale): void {
  tale.send('device-1:5').accept('device-1:5').carry('device-1:5').deliver('device-1:5').giveBack('device-1:5', 50).wait(50);
  tale.deliver('device-1:5', 2).effect('device-1:5').ack('device-1:5');
}

/** Rot at the gateway, an old image at a device, a lying disk, and a device that stays dead: nothing that is amiss is anybody's fault. */
export function troubledRun(): History {
  const tale = new Tale();
  for (const node of ['central', 'gateway', 'device-1', 'device-2', 'device-3']) tale.boot(node);
  tale.whole('device-1:1');
  // Rot takes one at the gateway; its number becomes a gap, and an account at its destination.
  tale.send('device-1:2').accept('device-1:2').free('device-1:2', 'device-1', 'handed-over', ['gateway']);
  tale.tell({ kind: 'fault', fault: 'block rots', target: 'gateway', untilMs: tale.nowMs });
  tale.tell({ kind: 'destroyed', node: 'gateway', cause: 'block rots', keys: ['device-1:2'], doubtful: [] }).boot('gateway');
  // An old image gives a message a second time, under a new identity that says so.
  tale.send('device-2:1').accept('device-2:1').carry('device-2:1').deliver('device-2:1').effect('device-2:1').ack('device-2:1');
  tale.tell({ kind: 'destroyed', node: 'device-2', cause: 'old image', keys: [], doubtful: ['device-2:1'] }).boot('device-2');
  const again = { identity: 'device-2:1111111111111111:central/bags:3:1', maybeDuplicate: 'maybe' as const };
  const events = tale.events.filter(({ kind }) => kind === 'delivered' || kind === 'effect').slice(-2);
  for (const event of events) tale.tell({ ...event, ...again } as Untimed<YardEvent>);
  // A disk that lies answers for what it does not have.
  tale.tell({ kind: 'fault', fault: 'flushes lie', target: 'device-2', untilMs: tale.nowMs + 100 }).send('device-2:2');
  const lied = { key: 'device-2:2', identity: `device-2:${INCARNATION}:central/bags:3:2` };
  tale.tell({ kind: 'accepted', node: 'device-2', ...lied, kept: 'not-kept' });
  tale
    .tell({ kind: 'stopped', node: 'device-2', code: undefined, text: 'the write failed', because: 'flushes lie' })
    .boot('device-2');
  tale
    .send('device-3:1')
    .accept('device-3:1')
    .tell({ kind: 'healed', dead: ['device-3'] });
  tale.whole('device-1:3');
  const accounts: Account[] = [['device-1', 'central/bags', 3, 'CORRUPT', 1]];
  const gateway = atRest('gateway', accounts, { lost: { gaps: 1, frames: 1, ids: 1 } });
  return tale.end([atRest('central', accounts), gateway, atRest('device-1'), atRest('device-2')]);
}

/** Without the events that `isOut` names. */
export function without(history: History, isOut: (event: YardEvent) => boolean): History {
  return { ...history, events: history.events.filter((event) => !isOut(event)) };
}

/** With other facts about the events that `is` names: the first one, as a doctor would. */
export function changed(history: History, is: (event: YardEvent) => boolean, change: object): History {
  const at = history.events.findIndex(is);
  if (at === -1) throw new Error('nothing to change');
  return { ...history, events: history.events.map((event, i) => (i === at ? ({ ...event, ...change } as YardEvent) : event)) };
}

/** With one more event behind the first that `is` names, at the same time unless it brings its own. */
export function inserted(history: History, is: (event: YardEvent) => boolean, event: object): History {
  const at = history.events.findIndex(is);
  if (at === -1) throw new Error('nothing to put it behind');
  const { atMs } = history.events[at] ?? { atMs: 0 };
  return {
    ...history,
    events: [...history.events.slice(0, at + 1), { atMs, ...event } as YardEvent, ...history.events.slice(at + 1)],
  };
}

/** Names an event: the first of this kind, about this key or node. */
export function the(kind: YardEvent['kind'], about?: string, node?: string): (event: YardEvent) => boolean {
  return (event) =>
    event.kind === kind &&
    (about === undefined || ('key' in event && event.key === about) || ('node' in event && event.node === about)) &&
    (node === undefined || ('node' in event && event.node === node));
}

/** With another word of a node at the end. */
export function endChanged(history: History, node: string, change: (one: EndEvent['nodes'][number]) => object): History {
  const end = history.events.at(-1);
  if (end?.kind !== 'end') throw new Error('no end');
  const nodes = end.nodes.map((one) => (one.node === node ? { ...one, ...change(one) } : one));
  return { ...history, events: [...history.events.slice(0, -1), { ...end, nodes }] };
}

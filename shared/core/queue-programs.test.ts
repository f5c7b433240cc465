/**
 * Goal: whatever programs do with queues (make, delete, purge, put aside and back, under leases and through crashes) leaves what a
 * few arrays would hold. Method: random programs beside a model; a power cut in the middle of a verb leaves what was before it or what is
 * after it, of a purge any part.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import type { Call, CallResult } from './calls.ts';

const QUEUES = ['a', 'b'] as const;
const PLACES = ['a', 'a;p', 'a;q', 'b', 'b;p'] as const;
type Place = (typeof PLACES)[number];

interface Message {
  readonly text: string;
  readonly priority: number;
  place: Place;
  lease: string | undefined;
  moves: number;
}

type Command =
  | { do: 'create' | 'delete' | 'cut delete'; queue: (typeof QUEUES)[number]; ms: number }
  | { do: 'send'; queue: (typeof QUEUES)[number]; priority: number }
  | { do: 'receive' | 'purge' | 'cut purge'; place: Place; ms: number }
  | { do: 'ack' | 'nack' | 'move leased'; which: number; place: Place }
  | { do: 'move' | 'cut move'; from: Place; to: Place; ms: number }
  | { do: 'restart'; how: 'power cut' | 'closed' };

const queue = fc.constantFrom(...QUEUES);
const place = fc.constantFrom(...PLACES);
const ms = fc.integer({ min: 0, max: 12 });
const commands = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), queue, ms }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'cut delete' as const), queue, ms }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('send' as const), queue, priority: fc.integer({ min: 2, max: 4 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('receive' as const), place, ms }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('purge' as const, 'cut purge' as const), place, ms }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('ack' as const, 'nack' as const, 'move leased' as const),
        which: fc.nat(20),
        place,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constantFrom('move' as const, 'cut move' as const), from: place, to: place, ms }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('restart' as const),
        how: fc.constantFrom('power cut' as const, 'closed' as const),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);

const rootOf = (one: Place) => one.split(';')[0] as (typeof QUEUES)[number];

class Run {
  readonly box: QueueBox;
  readonly queues = new Set<string>();
  messages: Message[] = [];
  #sent = 0;

  constructor(box: QueueBox) {
    this.box = box;
  }

  async do(what: Command): Promise<void> {
    switch (what.do) {
      case 'create':
        expect(await this.#ask({ verb: 'createQueue', queue: what.queue, options: {} })).toBe(
          this.queues.has(what.queue) ? 'QUEUE_EXISTS' : 'done',
        );
        this.queues.add(what.queue);
        break;
      case 'send': {
        const text = `m${++this.#sent}`;
        const isThere = this.queues.has(what.queue);
        expect(await this.box.send(what.queue, text, { priority: what.priority })).toBe(isThere ? 'sent' : 'QUEUE_NOT_FOUND');
        if (isThere) this.messages.push({ text, priority: what.priority, place: what.queue, lease: undefined, moves: 0 });
        break;
      }
      case 'receive':
        await this.#receive(what.place);
        break;
      case 'delete':
      case 'cut delete':
        await this.#delete(what.queue, what.do === 'delete' ? undefined : what.ms);
        break;
      case 'purge':
      case 'cut purge':
        await this.#purge(what.place, what.do === 'purge' ? undefined : what.ms);
        break;
      case 'move':
      case 'cut move':
        await this.#move(what.from, what.to, what.do === 'move' ? undefined : what.ms);
        break;
      case 'restart':
        await this.#restart(what.how);
        break;
      default:
        await this.#end(what);
    }
    this.compare();
  }

  compare(): void {
    const seen = this.box.stats.queues.filter(({ name }) => !name.startsWith('$'));
    for (const { name, ready, leased, delayed, arrived, ended } of seen) {
      const here = this.messages.filter((one) => one.place === name);
      const leases = here.filter(({ lease }) => lease !== undefined).length;
      expect([name, ready, leased, delayed]).toEqual([name, here.length - leases, leases, 0]);
      expect(ended + ready + leased + delayed).toBe(arrived);
    }
    expect(
      seen
        .map(({ name }) => name)
        .filter((name) => !name.includes(';'))
        .sort(),
    ).toEqual([...this.queues].sort());
    for (const { place: there } of this.messages) expect(seen.some(({ name }) => name === there)).toBe(true);
  }

  /** Each comes out where it is, in order, and nothing else. */
  async finish(): Promise<void> {
    await this.#restart('power cut');
    for (const there of PLACES) {
      if (!this.queues.has(rootOf(there))) continue;
      expect(await this.box.drain(there), there).toEqual(this.#ready(there).map(({ text }) => text));
    }
  }

  #ready(there: Place): Message[] {
    const here = this.messages.filter((one) => one.place === there && one.lease === undefined);
    const order = ({ text }: Message) => Number(text.slice(1));
    return here.sort((one, other) => other.priority - one.priority || order(one) - order(other));
  }

  async #ask(call: Call): Promise<string | undefined> {
    return codeOf(await this.box.ask(call));
  }

  /** Asks, and cuts the power soon after. Undefined: nobody knows what became of it. */
  async #askAndCut(call: Call, ms: number): Promise<CallResult | undefined> {
    const pending = this.box.begin(call);
    await this.box.pass(ms);
    await this.#restart('power cut');
    return pending.result;
  }

  async #restart(how: 'power cut' | 'closed'): Promise<void> {
    await this.box.restart(how);
    await this.box.pass(100);
    for (const message of this.messages) message.lease = undefined;
  }

  async #receive(there: Place): Promise<void> {
    if (!this.queues.has(rootOf(there))) return;
    const got = await this.box.receive(there, { leaseMs: 86_400_000 });
    const [first] = this.#ready(there);
    expect(textOf(got)).toBe(first?.text);
    expect(got?.moveCount).toBe(first?.moves);
    if (first) first.lease = got?.lease;
  }

  async #end({ do: how, which, place: to }: Command & { do: 'ack' | 'nack' | 'move leased' }): Promise<void> {
    const leased = this.messages.filter(({ lease }) => lease !== undefined);
    const message = leased[which % Math.max(1, leased.length)];
    if (message === undefined) return;
    const lease = message.lease ?? '';
    if (how === 'move leased') {
      const mayGo = rootOf(to) === rootOf(message.place) && to !== message.place;
      const code = await this.#ask({ verb: 'commit', steps: [{ do: 'move', lease, to }] });
      if (this.queues.has(rootOf(to))) expect(code).toBe(mayGo ? 'committed' : 'ACCESS_MODE_INVALID');
      if (code !== 'committed') return;
      message.place = to;
      message.moves += 1;
    } else {
      expect(await this.#ask(how === 'ack' ? { verb: 'ack', lease } : { verb: 'nack', lease, delayMs: 0 })).toBe('done');
      if (how === 'ack') this.messages = this.messages.filter((one) => one !== message);
    }
    message.lease = undefined;
  }

  async #delete(name: (typeof QUEUES)[number], cutMs: number | undefined): Promise<void> {
    const call: Call = { verb: 'deleteQueue', queue: name };
    const leases = this.messages
      .filter((one) => rootOf(one.place) === name && one.lease !== undefined)
      .map(({ lease }) => lease ?? '');
    const code = cutMs === undefined ? await this.#ask(call) : codeOf(await this.#askAndCut(call, cutMs));
    const isGone = !this.box.stats.queues.some((one) => one.name === name);
    if (cutMs === undefined) expect(code).toBe(this.queues.has(name) ? 'done' : 'QUEUE_NOT_FOUND');
    if (code === 'done') expect(isGone).toBe(true);
    if (!isGone) return;
    this.queues.delete(name);
    this.messages = this.messages.filter((one) => rootOf(one.place) !== name);
    for (const lease of leases) expect(await this.#ask({ verb: 'ack', lease })).toBe('LEASE_UNKNOWN');
  }

  async #purge(there: Place, cutMs: number | undefined): Promise<void> {
    if (!this.queues.has(rootOf(there))) return;
    const call: Call = { verb: 'purge', queue: there };
    const ready = this.#ready(there).length;
    if (cutMs === undefined) expect(await this.box.ask(call)).toEqual({ kind: 'purged', count: ready });
    else {
      await this.#askAndCut(call, cutMs);
      // What was under lease is ready now; what was not purged goes now, so that the model knows.
      await this.box.ask(call);
    }
    this.messages = this.messages.filter((one) => one.place !== there || one.lease !== undefined);
  }

  async #move(from: Place, to: Place, cutMs: number | undefined): Promise<void> {
    if (!this.queues.has(rootOf(from)) || !this.queues.has(rootOf(to))) return;
    const peeked = await this.box.ask({ verb: 'peek', queue: from, waitMs: 0, bodies: 'without' });
    const [first] = this.#ready(from);
    expect(peeked?.kind).toBe(first === undefined ? 'empty' : 'peeked');
    if (first === undefined || peeked?.kind !== 'peeked') return;
    const mayGo = rootOf(to) === rootOf(from) && to !== from;
    const { lookupId } = peeked.peeked;
    const call: Call = { verb: 'move', queue: from, lookupId, to };
    const code = cutMs === undefined ? await this.#ask(call) : codeOf(await this.#askAndCut(call, cutMs));
    if (cutMs === undefined) expect(code).toBe(mayGo ? 'done' : 'ACCESS_MODE_INVALID');
    if (!mayGo) return;
    const there = await this.box.ask({
      verb: 'peek',
      queue: to,
      waitMs: 0,
      bodies: 'without',
      select: { by: 'lookupId', lookupId },
    });
    if (code === 'done') expect(there?.kind).toBe('peeked');
    if (there?.kind !== 'peeked') return;
    first.place = to;
    first.moves += 1;
  }
}

test('any program of queues and subqueues leaves them as a few arrays would be', { timeout: 120_000 }, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(commands, async (program) => {
      const box = new QueueBox(`programs ${++runs}`, { unknownQueue: 'refuse' });
      await box.start();
      const run = new Run(box);
      for (const command of [{ do: 'create', queue: 'a', ms: 0 } as const, ...program]) await run.do(command);
      await run.finish();
    }),
    { numRuns: 120 },
  );
});

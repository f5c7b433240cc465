/**
 * Goal: whatever programs do, and whenever the power goes, the queues of a node are what a few arrays would be. Method: random programs
 * over queues with different policies, against such arrays; after every command both are compared, and what is received is the
 * same message with the same count. Times are kept apart far enough that a slow disk decides nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { type Plain, type PlainSelector, QueueReference } from '../../hardware-sim/queue-reference.ts';
import { COUNT_DELAY_MS } from '../limits.ts';
import type { Selector } from '../queue/selector.ts';

/** Four small ones fit, or a large and a small one; nothing comes near. */
const LIMIT = 5_300;
const SMALL = 1_150;
const LARGE = 3_150;
/** What an envelope adds to its body, about. */
const OVERHEAD = 85;
const LEASE_MS = 10_000;
/** Restarts and slow writes shift the node's time against the model's by less than this. */
const BLUR_MS = 400;

const QUEUES = [
  { name: 'blocks', limit: LIMIT, whenFull: 'block' },
  { name: 'oldest', limit: LIMIT, whenFull: 'drop-oldest' },
  { name: 'lowest', limit: LIMIT, whenFull: 'drop-lowest-priority' },
  { name: 'patient', limit: LIMIT, whenFull: 'reject', retryMs: 6_000, deliveriesMax: 3 },
  { name: 'strict', limit: LIMIT, whenFull: 'reject', ordering: 'strict', retryMs: 6_000, deliveriesMax: 4 },
] as const;

/** A send here makes a frame: the node knows what time it is when it opens again. */
const CLOCK = { name: 'clock', limit: 1_000, whenFull: 'drop-oldest' } as const;

type Command =
  | { do: 'send' | 'send and cut'; queue: number; bytes: number; priority: number; ttlMs: number; delayMs: number }
  | { do: 'receive'; queue: number }
  | { do: 'take' | 'look'; queue: number; by: PlainSelector['by']; which: number }
  | { do: 'pause' | 'resume'; queue: number }
  | { do: 'ack' | 'nack' | 'nack later' | 'dead' | 'held'; which: number }
  | { do: 'pass'; ms: number }
  | { do: 'power cut' | 'closed' };

const sending = {
  queue: fc.integer({ min: 0, max: QUEUES.length - 1 }),
  bytes: fc.constantFrom(SMALL, SMALL, LARGE),
  priority: fc.constantFrom(0, 3, 3, 7),
  ttlMs: fc.constantFrom(0, 0, 4_000, 30_000),
  delayMs: fc.constantFrom(0, 0, 0, 3_000, 20_000),
};
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 9, arbitrary: fc.record({ do: fc.constant('send' as const), ...sending }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send and cut' as const), ...sending }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('receive' as const), queue: sending.queue }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('take' as const, 'look' as const, 'look' as const),
      queue: sending.queue,
      by: fc.constantFrom('first' as const, 'last' as const, 'after' as const, 'before' as const, 'exactly' as const),
      which: fc.nat(9),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'resume' as const), queue: sending.queue }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('ack' as const, 'nack' as const, 'nack later' as const, 'dead' as const),
      which: fc.nat(9),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(300, 2_000, 12_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('power cut' as const, 'closed' as const) }) },
);

class Run {
  readonly box: QueueBox;
  model = new QueueReference(QUEUES);
  #leases: { lease: string; text: string }[] = [];
  /** All that were ever there, in order of arrival: places, whatever became of them. */
  #known: Plain[] = [];
  #sent = 0;

  constructor(seed: number) {
    this.box = new QueueBox(`model ${seed}`, {
      queues: [...QUEUES, CLOCK].map(({ limit, ...others }) => ({ ...others, bytesLimit: limit })),
      queueBytesLimit: 200_000,
    });
  }

  get nowMs(): number {
    return this.box.world.nowMs;
  }

  /** Goes on until nothing is about to happen by itself. */
  async rest(): Promise<void> {
    const isNear = () => this.model.times().some((atMs) => Math.abs(atMs - this.nowMs) < BLUR_MS);
    while (isNear()) await this.box.pass(BLUR_MS);
    this.model.advance(this.nowMs);
    this.#leases = this.#leases.filter(({ text }) => this.#find(text)?.leasedUntilMs !== undefined);
  }

  async do(what: Command): Promise<void> {
    await this.rest();
    switch (what.do) {
      case 'send':
      case 'send and cut':
        await this.#send(what);
        break;
      case 'receive':
        await this.#receive(QUEUES[what.queue]?.name ?? '');
        break;
      case 'take':
      case 'look':
        await this.#select(what);
        break;
      case 'pause':
      case 'resume':
        await this.#pause(QUEUES[what.queue]?.name ?? '', what.do);
        break;
      case 'pass':
        await this.box.pass(what.ms);
        break;
      case 'power cut':
      case 'closed':
        await this.#restart(what.do);
        break;
      default:
        await this.#end(what);
    }
    await this.rest();
    this.compare();
  }

  compare(): void {
    const seen = this.box.stats.queues.filter(({ name }) => QUEUES.some((queue) => queue.name === name));
    const view = Object.fromEntries(
      seen.map(({ name, ready, leased, delayed, dropped, expired }) => [name, { ready, leased, delayed, dropped, expired }]),
    );
    expect(view).toEqual(this.model.view(this.nowMs));
    expect(this.box.queue('$dead').ready).toBe(this.model.dead.length);
  }

  /** All that is left comes out, in order, and nothing else. */
  async finish(): Promise<void> {
    for (const name of this.model.paused) await this.#pause(name, 'resume');
    await this.#restart('power cut');
    for (const { name } of QUEUES) {
      for (;;) {
        await this.rest();
        if (!(await this.#receive(name))) break;
      }
    }
    const letters: { text: string | undefined; priority: number | undefined }[] = [];
    for (const _ of this.model.dead) {
      const letter = await this.box.receive('$dead', { leaseMs: 600_000 });
      letters.push({ text: textOf(letter), priority: letter?.message.priority });
    }
    const byText = (some: typeof letters) => some.map(({ text, priority }) => `${priority} ${text}`).sort();
    expect(byText(letters)).toEqual(byText(this.model.dead));
    const priorities = letters.map(({ priority = 0 }) => priority);
    expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
  }

  async #send({ do: how, queue, bytes, priority, ttlMs, delayMs }: Command & { do: 'send' | 'send and cut' }): Promise<void> {
    if (how === 'send and cut') await this.box.send(CLOCK.name, 'tick');
    const { nowMs } = this;
    const text = `m${++this.#sent}`;
    const name = QUEUES[queue]?.name ?? '';
    const times = {
      expiresAtMs: ttlMs === 0 ? Number.POSITIVE_INFINITY : nowMs + ttlMs,
      notBeforeMs: delayMs === 0 ? 0 : nowMs + delayMs,
    };
    const timers = { ...(ttlMs > 0 && { timeToBeReceivedMs: ttlMs }), ...(delayMs > 0 && { deliverAfterMs: delayMs }) };
    const call = this.box.sending(name, `${text} `.padEnd(bytes - OVERHEAD, '.'), { priority, waitMs: 0, ...timers });
    const after = this.model.clone();
    const expected = after.send({ text, queue: name, priority, bytes, ...times }, nowMs);
    if (how === 'send') {
      expect(codeOf(await this.box.ask(call))).toBe(expected);
      this.model = after;
    } else {
      this.box.begin(call);
      await this.box.pass(2);
      await this.#restart('power cut', after);
    }
    await this.#learn(name, text);
  }

  /** What the node calls a message that just came; whoever follows arrivals is shown it. */
  async #learn(queue: string, text: string): Promise<void> {
    const message = this.#find(text);
    if (message === undefined) return;
    const [last] = this.#known.filter((one) => one.queue === queue).slice(-1);
    const select = { by: 'arrivedAfter', lookupId: last?.lookupId ?? 0 } as const;
    const shown = await this.box.ask({ verb: 'peek', queue, waitMs: 0, select, bodies: 'with' });
    expect(shown?.kind === 'peeked' && textOf(shown.peeked)).toBe(text);
    if (shown?.kind === 'peeked') message.lookupId = shown.peeked.lookupId;
    this.#known.push({ ...message });
  }

  async #pause(queue: string, how: 'pause' | 'resume'): Promise<void> {
    const state = how === 'pause' ? 'paused' : 'running';
    expect(codeOf(await this.box.ask({ verb: 'setQueue', queue, changes: { state } }))).toBe('done');
    if (how === 'pause') this.model.paused.add(queue);
    else this.model.paused.delete(queue);
  }

  async #select({ do: how, queue: number, by, which }: Command & { do: 'take' | 'look' }): Promise<void> {
    const queue = QUEUES[number]?.name ?? '';
    const places = this.#known.filter((one) => one.queue === queue);
    const message = places[which % Math.max(1, places.length)];
    if (by === 'first' || by === 'last')
      return how === 'look' ? this.#peek(queue, { by }) : void (await this.#receive(queue, { by }));
    if (message === undefined) return;
    const { lookupId, priority } = message;
    const select: Selector = by === 'exactly' ? { by: 'lookupId', lookupId } : { by, place: { priority, lookupId } };
    if (how === 'look') await this.#peek(queue, { by, message }, select);
    else await this.#receive(queue, { by, message }, select);
  }

  async #peek(queue: string, plain: PlainSelector, select: Selector = { by: 'first' }): Promise<void> {
    const selector = plain.by === 'first' || plain.by === 'last' ? { by: plain.by } : select;
    const shown = await this.box.ask({ verb: 'peek', queue, waitMs: 0, select: selector, bodies: 'with' });
    const expected = this.model.peek(queue, plain, this.nowMs);
    const nothing = plain.by === 'exactly' ? 'MESSAGE_NOT_FOUND' : 'empty';
    expect(shown?.kind === 'peeked' ? textOf(shown.peeked) : codeOf(shown)).toBe(expected?.text ?? nothing);
  }

  async #receive(queue: string, plain: PlainSelector = { by: 'first' }, named?: Selector): Promise<boolean> {
    const letters = this.model.dead.length;
    const select = named ?? (plain.by === 'last' ? { by: 'last' as const } : { by: 'first' as const });
    const expected = this.model.receive(queue, plain, { nowMs: this.nowMs, leaseMs: LEASE_MS });
    const result = await this.box.ask({ verb: 'receive', queue, waitMs: 0, leaseMs: LEASE_MS, select });
    const got = result?.kind === 'received' ? result.received : undefined;
    // Who is given up on the way is dead when his letter is on the disk.
    if (this.model.dead.length > letters) await this.box.pass(100);
    expect(textOf(got)).toBe(expected?.text);
    if (expected === undefined || got === undefined) return false;
    if (expected.isCountSure) expect(got.deliveryCount).toBe(expected.count);
    else expect([expected.count - 1, expected.count]).toContain(got.deliveryCount);
    expected.count = got.deliveryCount;
    if (got.deliveryCount === 1) expected.firstDeliveredAtMs = this.nowMs;
    expected.isCountSure = true;
    this.#leases.push({ lease: got.lease, text: expected.text });
    return true;
  }

  async #end({ do: how, which }: Command & { do: 'ack' | 'nack' | 'nack later' | 'dead' | 'held' }): Promise<void> {
    const at = which % Math.max(1, this.#leases.length);
    const [held] = this.#leases.splice(at, 1);
    const message = held && this.#find(held.text);
    if (held === undefined || message === undefined) return;
    const { lease } = held;
    if (how === 'ack') {
      expect(codeOf(await this.box.ask({ verb: 'ack', lease }))).toBe('done');
      this.model.remove(message);
    } else if (how === 'dead') {
      expect(codeOf(await this.box.ask({ verb: 'deadLetter', lease, reason: 'model' }))).toBe('done');
      this.model.remove(message);
      this.model.dead.push({ text: message.text, priority: message.priority });
    } else {
      const delay = how === 'nack' ? {} : { delayMs: 5_000 };
      this.model.back(message, this.nowMs, delay.delayMs);
      expect(codeOf(await this.box.ask({ verb: 'nack', lease, ...delay }))).toBe('done');
    }
  }

  /** Either the model as it is, or as the send under way would have made it: which of the two the node tells. */
  async #restart(how: 'power cut' | 'closed', after?: QueueReference): Promise<void> {
    const cutMs = this.nowMs;
    const wasLeased = (message: Plain) => message.count === 1 && cutMs - message.firstDeliveredAtMs < COUNT_DELAY_MS + 50;
    for (const model of [this.model, after ?? this.model]) {
      for (const message of model.messages) if (how === 'power cut' && wasLeased(message)) message.isCountSure = false;
    }
    if (after === undefined) await this.box.send(CLOCK.name, 'tick');
    await this.box.restart(how);
    const awayMs = this.nowMs - cutMs;
    const models = after === undefined ? [this.model] : [this.model, after];
    for (const model of models) model.restarted(awayMs);
    this.#leases = [];
    if (after === undefined) return;
    // What came back from a lease after its time has ended by now.
    await this.box.pass(50);
    for (const model of models) model.advance(this.nowMs);
    const isThere = QUEUES.some(({ name }) => {
      const { ready, delayed, dropped } = this.box.queue(name);
      const before = this.model.view(this.nowMs)[name];
      return ready + delayed !== (before?.ready ?? 0) + (before?.delayed ?? 0) || dropped !== before?.dropped;
    });
    if (isThere) this.model = after;
  }

  #find(text: string): Plain | undefined {
    return this.model.messages.find((message) => message.text === text);
  }
}

test('any program leaves the queues as a few arrays would be', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(command, { minLength: 5, maxLength: 40 }), async (seed, program) => {
      const run = new Run(seed);
      await run.box.start();
      for (const what of program) await run.do(what);
      await run.finish();
    }),
    { numRuns: 60 },
  );
});

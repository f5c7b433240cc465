/**
 * Goal: whatever programs do, and whenever the power goes, the queues of a node are what a few arrays would be. Method: random programs
 * over three queues with different policies, against such arrays; after every command both are compared, and what is received is the
 * same message with the same count. Times are kept apart far enough that a slow disk decides nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { type Plain, QueueReference } from '../../hardware-sim/queue-reference.ts';
import { COUNT_DELAY_MS } from '../limits.ts';

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
] as const;

/** A send here makes a frame: the node knows what time it is when it opens again. */
const CLOCK = { name: 'clock', limit: 1_000, whenFull: 'drop-oldest' } as const;

type Command =
  | { do: 'send' | 'send and cut'; queue: number; bytes: number; priority: number; ttlMs: number; delayMs: number }
  | { do: 'receive'; queue: number }
  | { do: 'ack' | 'nack' | 'nack later' | 'dead' | 'held'; which: number }
  | { do: 'pass'; ms: number }
  | { do: 'power cut' | 'closed' };

const sending = {
  queue: fc.integer({ min: 0, max: 2 }),
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
  #sent = 0;

  constructor(seed: number) {
    this.box = new QueueBox(`model ${seed}`, {
      queues: [...QUEUES, CLOCK].map(({ name, limit, whenFull }) => ({ name, bytesLimit: limit, whenFull })),
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
    await this.#restart('power cut');
    for (const { name } of QUEUES) {
      for (;;) {
        await this.rest();
        if (!(await this.#receive(name))) break;
      }
    }
    for (const { text } of this.model.dead.sort((a, b) => b.priority - a.priority))
      expect(textOf(await this.box.receive('$dead', { leaseMs: 600_000 }))).toBe(text);
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
      return;
    }
    this.box.begin(call);
    await this.box.pass(2);
    await this.#restart('power cut', after);
  }

  async #receive(queue: string): Promise<boolean> {
    const expected = this.model.receive(queue, this.nowMs, LEASE_MS);
    const got = await this.box.receive(queue, { leaseMs: LEASE_MS });
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
      const delayMs = how === 'nack' ? 0 : 5_000;
      if (delayMs > 0) message.notBeforeMs = this.nowMs + delayMs;
      expect(codeOf(await this.box.ask({ verb: 'nack', lease, delayMs }))).toBe('done');
      message.leasedUntilMs = undefined;
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

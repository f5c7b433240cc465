/** Against a queue as plain as it can be said: a list of messages, looked through from the front each time. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageIndex, NO_SLOT } from '../ring/message-index.ts';
import { Queues } from './queues.ts';

interface Plain {
  id: number;
  slot: number;
  stream: number;
  priority: number;
  state: 'ready' | 'delayed' | 'leased';
}

const act = fc.record({
  do: fc.constantFrom(
    'send',
    'send',
    'send',
    'delayed',
    'take',
    'take',
    'take last',
    'back',
    'back later',
    'finish',
    'end',
    'pass',
  ),
  stream: fc.integer({ min: 1, max: 4 }),
  n: fc.nat(100),
});

class Run {
  readonly index = new MessageIndex();
  readonly queues = new Queues(this.index);
  readonly queue = this.queues.define('q', { bytesLimit: 1e9, ordering: 'strict' });
  all: Plain[] = [];
  nowMs = 1;
  #nextId = 1;

  send(stream: number, notBeforeMs: number): void {
    const id = this.#nextId++;
    // A stream has one priority.
    const priority = stream % 3;
    const slot = this.index.insert(
      {
        kind: 'put',
        copy: false,
        damaged: false,
        id,
        queue: this.queue.id,
        priority,
        deliveryCount: 0,
        moveCount: 0,
        stream,
        number: id,
        epochCounter: 1,
        epochRandom: 1,
        storedAtMs: 0,
        expiresAtMs: 0,
        notBeforeMs,
        bodyBytes: 10,
        bodyCrc: 0,
        bodyOffset: 0,
      },
      1,
    );
    this.queues.enqueue(slot, this.nowMs);
    this.all.push({ id, slot, stream, priority, state: notBeforeMs > this.nowMs ? 'delayed' : 'ready' });
  }

  /** Nothing of its stream is under lease, and all before it are ready. */
  mayGo(one: Plain): boolean {
    const line = this.all.filter(({ stream }) => stream === one.stream);
    const before = line.filter(({ id }) => id <= one.id);
    return line.every(({ state }) => state !== 'leased') && before.every(({ state }) => state === 'ready');
  }

  next(): Plain | undefined {
    return this.all.filter((one) => this.mayGo(one)).sort((a, b) => b.priority - a.priority || a.id - b.id)[0];
  }

  pick(state: Plain['state'], n: number): Plain | undefined {
    const some = this.all.filter((one) => one.state === state);
    return some[n % Math.max(1, some.length)];
  }

  gone(one: Plain): void {
    this.all = this.all.filter((other) => other !== one);
    this.index.remove(one.slot);
  }

  do(what: string, stream: number, n: number): void {
    const { queues, queue, index } = this;
    if (what === 'send' || what === 'delayed') return this.send(stream, what === 'send' ? 0 : this.nowMs + 1 + (n % 20));
    if (what === 'take') {
      const expected = this.next();
      expect(queues.take(queue)).toBe(expected?.slot ?? NO_SLOT);
      if (expected !== undefined) expected.state = 'leased';
      return;
    }
    if (what === 'pass') {
      this.nowMs += n % 10;
      queues.release(this.nowMs, 1_000);
      for (const one of this.all) if (index.isListed(one.slot)) one.state = 'ready';
      return;
    }
    const one = this.pick(what === 'end' || what === 'take last' ? 'ready' : 'leased', n);
    if (one === undefined) return;
    if (what === 'take last') {
      expect(queues.mayLease(queue, one.slot)).toBe(this.mayGo(one));
      if (!this.mayGo(one)) return;
      queues.lease(queue, one.slot);
      one.state = 'leased';
    } else if (what === 'back' || what === 'back later') {
      if (what === 'back later') index.setState(one.slot, { deliveryCount: 1, notBeforeMs: this.nowMs + 5 });
      queues.giveBack(one.slot, this.nowMs);
      one.state = what === 'back' && index.isListed(one.slot) ? 'ready' : 'delayed';
    } else {
      if (what === 'finish') queues.finish(one.slot);
      else queues.end(one.slot);
      this.gone(one);
    }
  }
}

test('of each stream only the first may go, when it is ready and nothing of the stream is under lease; the most urgent stream first', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120 }), (program) => {
      const run = new Run();
      for (const { do: what, stream, n } of program) {
        run.do(what, stream, n);
        expect(run.queues.next(run.queue)).toBe(run.next()?.slot ?? NO_SLOT);
      }
    }),
    { numRuns: 300 },
  );
});

test('a paused queue has no next message, and none that may be handed out by its name', () => {
  const run = new Run();
  run.send(1, 0);
  const slot = run.queues.next(run.queue);
  run.queue.options = { ...run.queue.options, state: 'paused' };
  expect([run.queues.next(run.queue), run.queues.take(run.queue), run.queues.mayLease(run.queue, slot)]).toEqual([
    NO_SLOT,
    NO_SLOT,
    false,
  ]);
});

test('one that was taken out of turn holds back those before it', () => {
  const run = new Run();
  for (let i = 0; i < 3; i++) run.send(1, 0);
  const [first, , last] = run.all.map(({ slot }) => slot);
  run.queues.lease(run.queue, last ?? NO_SLOT);
  expect([run.queues.next(run.queue), run.queues.mayLease(run.queue, first ?? NO_SLOT)]).toEqual([NO_SLOT, false]);
  run.queues.giveBack(last ?? NO_SLOT, run.nowMs);
  expect(run.queues.next(run.queue)).toBe(first);
});

test('a long backlog of one stream costs nobody: 20,000 messages behind one lease, asked for 20,000 times', () => {
  const run = new Run();
  for (let i = 0; i < 20_000; i++) run.send(1, 0);
  const first = run.queues.take(run.queue);
  const startMs = performance.now();
  let found = 0;
  for (let i = 0; i < 20_000; i++) if (run.queues.next(run.queue) !== NO_SLOT) found += 1;
  expect(found).toBe(0);
  run.queues.finish(first);
  for (let i = 0; i < 10_000; i++) run.queues.finish(run.queues.take(run.queue));
  expect(performance.now() - startMs).toBeLessThan(3_000);
});

test('who names a message gets it no sooner than the earlier ones of its stream, when one of them waits for its delay', () => {
  const run = new Run();
  run.send(1, run.nowMs + 5);
  run.send(1, 0);
  run.send(2, 0);
  const [, later, other] = run.all.map(({ slot }) => slot);
  expect([run.queues.mayLease(run.queue, later ?? NO_SLOT), run.queues.mayLease(run.queue, other ?? NO_SLOT)]).toEqual([
    false,
    true,
  ]);
});

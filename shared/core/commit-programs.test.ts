/**
 * Goal: whatever programs ask in transactions, under numbers, under keys and in memory, and whenever the power goes: each request is done
 * once, as a whole, or not at all; a refusal changes nothing, and no number is lost or given twice. Method: random programs against a
 * model; a request whose answer the power took is found done or not done, and the model that says the same goes on.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommitReference, type Held, otherPlace, type PlainNumber, type PlainStep } from '../../hardware-sim/commit-reference.ts';
import { codeOf, QueueBox, textOf } from '../../hardware-sim/queue-box.ts';
import { toUtf8 } from '../bytes.ts';
import { identityText, parseIdentity } from '../message/identity.ts';
import type { Call, CallResult, TransactionStep } from './calls.ts';

const QUEUES = ['a', 'b', 'small'] as const;
const PLACES = QUEUES.flatMap((queue) => [queue, otherPlace(queue)]);
/** Two fit into the small one, their marks and all; three never. */
const SMALL = { bytesLimit: 2_800, count: 2, bodyBytes: 1_080 };
const LEASE_MS = 86_400_000;

/** Which number of its producer a request has, seen from the last one. */
type Distance = 1 | 0 | -1 | 2;
interface Numbered {
  producer: 'p' | 'q';
  distance: Distance;
}
type Step =
  | { do: 'send'; queue: (typeof QUEUES)[number]; priority: number }
  | { do: 'ack' | 'dead' | 'move'; which: number }
  | { do: 'place'; name: string };
type Command =
  | {
      do: 'send';
      queue: (typeof QUEUES)[number];
      priority: number;
      how: 'plain' | 'express' | 'k1' | 'k2' | Numbered;
      cutMs: number;
    }
  | { do: 'commit'; steps: Step[]; by: Numbered | undefined; cutMs: number }
  | { do: 'receive'; place: string }
  | { do: 'ack' | 'dead' | 'nack'; which: number }
  | { do: 'restart'; how: 'power cut' | 'closed' };

const queue = fc.constantFrom(...QUEUES, 'small' as const);
const priority = fc.constantFrom(2, 3, 3, 4);
const which = fc.nat(20);
/** 0: the power stays. */
const cutMs = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 12 }) });
const numbered: fc.Arbitrary<Numbered> = fc.record({
  producer: fc.constantFrom('p' as const, 'q' as const),
  distance: fc.constantFrom(1 as const, 1 as const, 1 as const, 0 as const, 0 as const, -1 as const, 2 as const),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('send' as const), queue, priority }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('ack' as const, 'ack' as const, 'dead' as const, 'move' as const), which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('place' as const), name: fc.constantFrom('x', 'y') }) },
);
const how = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('plain' as const, 'express' as const, 'k1' as const, 'k2' as const) },
  { weight: 1, arbitrary: numbered },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), queue, priority, how, cutMs }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      steps: fc.array(step, { maxLength: 6 }),
      by: fc.option(numbered, { nil: undefined }),
      cutMs,
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('receive' as const), place: fc.constantFrom(...PLACES, ...QUEUES) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('ack' as const, 'dead' as const, 'nack' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('restart' as const), how: fc.constantFrom('power cut' as const, 'closed' as const) }),
  },
);

class Run {
  readonly box: QueueBox;
  model = new CommitReference({ small: SMALL.count });
  #incarnation = '';
  #sent = 0;
  #requests = 0;
  /** Leases that were held once. */
  #over: string[] = [];
  /** Marks of transactions, by the model's word for each. */
  readonly #marks = new Map<number, string>();

  constructor(name: string) {
    const bounded = { name: 'small', bytesLimit: SMALL.bytesLimit, whenFull: 'reject' } as const;
    const wide = ['a', 'b', 'probe'].map((one) => ({ name: one, bytesLimit: 100_000 }));
    this.box = new QueueBox(name, { queues: [...wide, bounded] });
  }

  async start(): Promise<void> {
    await this.box.start();
    const sent = await this.box.ask(this.box.sending('probe', 'hello'));
    this.#incarnation = (sent?.kind === 'sent' ? parseIdentity(sent.identity)?.incarnation : undefined) ?? '';
  }

  async do(what: Command): Promise<void> {
    switch (what.do) {
      case 'send':
        await this.#send(what);
        break;
      case 'commit':
        await this.#commit(what);
        break;
      case 'receive':
        await this.#receive(what.place);
        break;
      case 'restart':
        await this.#restart(what.how);
        break;
      default:
        await this.#end(what);
    }
    await this.compare();
  }

  async compare(): Promise<void> {
    const all = this.box.stats.queues.filter(({ name }) => PLACES.includes(name));
    const seen = all.map(({ name, ready, leased, delayed, arrived, ended }) => {
      expect(ended + ready + leased + delayed).toBe(arrived);
      return [name, ready, leased, delayed];
    });
    const expected = all.map(({ name }) => {
      const ready = this.model.readyIn(name).length;
      return [name, ready, this.model.messages.filter(({ place }) => place === name).length - ready, 0];
    });
    expect(seen).toEqual(expected);
    expect(this.box.queue('$dead').ready).toBe(this.model.dead.length);
  }

  /** Everything is there once, in order; numbers go on where they were. */
  async finish(): Promise<void> {
    await this.#restart('power cut');
    for (const place of PLACES) while (await this.#receive(place));
    expect((await this.box.drain('$dead')).sort()).toEqual([...this.model.dead].sort());
    for (const [name, value] of this.model.places) expect(await this.#place(name)).toBe(value);
    for (const [stream, next] of this.model.next) {
      expect(await this.#outcome(`${stream} ${next - 1}`)).toBe('kept');
      expect(await this.#outcome(`${stream} ${next}`)).toBe('absent');
    }
    for (const [producer, { last }] of this.model.producers) {
      await this.#send({ do: 'send', queue: 'a', priority: 3, how: { producer: producer as 'p', distance: 0 }, cutMs: 0 });
      if (last > 1)
        await this.#send({ do: 'send', queue: 'a', priority: 3, how: { producer: producer as 'p', distance: -1 }, cutMs: 0 });
    }
  }

  async #send({ queue: name, priority: urgency, how: kind, cutMs: ms }: Command & { do: 'send' }): Promise<void> {
    const text = `m${++this.#sent}`;
    const by = typeof kind === 'object' ? this.#numberOf(kind) : undefined;
    const key = kind === 'k1' || kind === 'k2' ? kind : undefined;
    const call: Call = {
      verb: 'send',
      destination: name,
      body: bodyOf(text, name),
      properties: { priority: urgency },
      waitMs: 0,
      ...(by && { by }),
      ...(key && { sendKey: key }),
      ...(kind === 'express' && { delivery: kind }),
    };
    const after = this.model.clone();
    const first = this.model.keys.get(`${name} ${key}`);
    const again = first === undefined ? undefined : { identities: [first] };
    const known = by === undefined ? again : this.model.told(by);
    const kept = kind === 'express' ? 'memory' : 'disk';
    const made =
      known === undefined
        ? after.send({ text, queue: name, priority: urgency }, { ...(by && { by }), ...(key && { key }), kept })
        : '';
    const isDone = known === undefined && made !== 'QUEUE_FULL';
    const result = ms === 0 ? await this.box.ask(call) : await this.#askAndCut(call, ms, after);
    if (result === undefined) {
      if (isDone && this.#counts() === after.messages.length) this.model = after;
      return;
    }
    if (isDone) this.model = after;
    if (known !== undefined) return this.#checkTold(result, known);
    expect(codeOf(result)).toBe(isDone ? 'sent' : 'QUEUE_FULL');
    if (isDone && kept === 'disk') expect(this.#said(result)).toEqual([made]);
    if (kept === 'memory' && result.kind === 'sent') expect(result.durability).toBe('volatile');
  }

  async #commit({ steps, by: numberedBy, cutMs: ms }: Command & { do: 'commit' }): Promise<void> {
    const plain: PlainStep[] = [{ do: 'place', name: 'mark', value: ++this.#requests }];
    const named = new Set<string>();
    for (const one of steps) {
      if (one.do === 'send') plain.push({ do: 'send', queue: one.queue, priority: one.priority, text: `m${++this.#sent}` });
      else if (one.do === 'place') plain.push({ do: 'place', name: one.name, value: this.#requests });
      else {
        const lease = this.#leaseOf(one.which, one.do);
        if (lease !== undefined && !named.has(lease)) plain.push({ do: one.do, lease });
        named.add(lease ?? '');
      }
    }
    const by = numberedBy && this.#numberOf(numberedBy);
    const call: Call = { verb: 'commit', steps: plain.map((one) => this.#stepOf(one)), ...(by && { by }) };
    const told = by && this.model.told(by);
    const after = this.model.clone();
    const made = told === undefined ? after.commit(plain, by) : [];
    const isDone = told === undefined && typeof made !== 'string';
    const result = ms === 0 ? await this.box.ask(call) : await this.#askAndCut(call, ms, after);
    if (result === undefined) {
      if ((await this.#place('mark')) === this.#requests) {
        expect(isDone).toBe(true);
        this.model = after;
      }
      return;
    }
    if (told !== undefined) return this.#checkTold(result, told);
    expect(codeOf(result)).toBe(typeof made === 'string' ? made : 'committed');
    if (!isDone) return;
    this.model = after;
    expect(this.#said(result)).toEqual(made);
  }

  #checkTold(result: CallResult, told: NonNullable<ReturnType<CommitReference['told']>>): void {
    if (told === 'refused') expect(codeOf(result)).toBe('PRODUCER_NUMBER_INVALID');
    else expect(this.#said(result).filter((text) => text !== '')).toEqual(typeof told === 'string' ? [] : told.identities);
  }

  async #receive(place: string): Promise<boolean> {
    const got = await this.box.receive(place, { leaseMs: LEASE_MS });
    const [first] = this.model.readyIn(place);
    expect(textOf(got)).toBe(first?.text);
    if (first === undefined || got === undefined) return false;
    first.lease = got.lease;
    expect(got.moveCount).toBe(first.moves);
    this.#checkMark(first, got.message.transaction);
    return true;
  }

  #checkMark({ mark }: Held, seen: { id: string; index: number; count: number } | undefined): void {
    expect(seen && { index: seen.index, count: seen.count }).toEqual(mark && { index: mark.index, count: mark.count });
    if (mark === undefined || seen === undefined) return;
    expect(this.#marks.get(mark.of) ?? seen.id).toBe(seen.id);
    for (const [other, id] of this.#marks) if (other !== mark.of) expect(id).not.toBe(seen.id);
    this.#marks.set(mark.of, seen.id);
  }

  async #end({ do: kind, which: number }: Command & { do: 'ack' | 'dead' | 'nack' }): Promise<void> {
    const lease = this.#leaseOf(number, kind);
    if (lease === undefined) return;
    const message = this.model.messages.find((one) => one.lease === lease);
    const calls: Record<typeof kind, Call> = {
      ack: { verb: 'ack', lease },
      dead: { verb: 'deadLetter', lease, reason: 'model' },
      nack: { verb: 'nack', lease, delayMs: 0 },
    };
    expect(codeOf(await this.box.ask(calls[kind]))).toBe(message === undefined ? 'LEASE_UNKNOWN' : 'done');
    if (message === undefined) return;
    this.#over.push(lease);
    if (kind === 'nack') message.lease = undefined;
    else this.model.end(message, kind);
  }

  /** Asks, cuts the power soon after, and restarts. Undefined: nobody knows what became of it. */
  async #askAndCut(call: Call, ms: number, after: CommitReference): Promise<CallResult | undefined> {
    const pending = this.box.begin(call);
    await this.box.pass(ms);
    await this.#restart('power cut', after);
    return pending.result;
  }

  async #restart(kind: 'power cut' | 'closed', after?: CommitReference): Promise<void> {
    await this.box.restart(kind);
    await this.box.pass(50);
    for (const { lease } of this.model.messages) if (lease !== undefined) this.#over.push(lease);
    this.model.restarted(kind);
    after?.restarted(kind);
  }

  /** One that is held, now and then one that is over. */
  #leaseOf(number: number, salt: string): string | undefined {
    const held = this.model.messages.flatMap(({ lease }) => (lease === undefined ? [] : [lease]));
    if (number === 20 && salt !== 'nack') return this.#over.at(-1);
    return held[number % Math.max(1, held.length)];
  }

  #numberOf({ producer, distance }: Numbered): PlainNumber {
    return { producer, number: Math.max(1, (this.model.producers.get(producer)?.last ?? 0) + distance) };
  }

  #stepOf(plain: PlainStep): TransactionStep {
    switch (plain.do) {
      case 'send':
        return {
          do: 'send',
          destination: plain.queue,
          body: bodyOf(plain.text, plain.queue),
          properties: { priority: plain.priority },
        };
      case 'place':
        return { do: 'position', name: plain.name, value: toUtf8(String(plain.value)) };
      case 'ack':
        return { do: 'ack', lease: plain.lease };
      case 'dead':
        return { do: 'deadLetter', lease: plain.lease, reason: 'model' };
      case 'move': {
        const place = this.model.messages.find(({ lease }) => lease === plain.lease)?.place ?? 'a';
        return { do: 'move', lease: plain.lease, to: otherPlace(place) };
      }
    }
  }

  /** What an answer names, in the model's words. */
  #said(result: CallResult): string[] {
    const identities =
      result.kind === 'committed' ? result.identities : result.kind === 'sent' ? [result.identity] : [codeOf(result) ?? ''];
    return identities.map((text) => {
      const identity = parseIdentity(text);
      if (identity === undefined) return text;
      expect(identity.incarnation).toBe(this.#incarnation);
      return `${identity.destination.split('/')[1]} ${identity.priority} ${identity.number}`;
    });
  }

  async #outcome(plain: string): Promise<string | undefined> {
    const [name, urgency, number] = plain.split(' ');
    const key = { origin: 'box', incarnation: this.#incarnation, destination: `box/${name}`, priority: Number(urgency) };
    const result = await this.box.ask({ verb: 'outcome', identity: identityText({ ...key, number: Number(number) }) });
    return result?.kind === 'outcome' ? result.outcome : codeOf(result);
  }

  async #place(name: string): Promise<number> {
    const result = await this.box.ask({ verb: 'position', name });
    return result?.kind === 'position' && result.value !== undefined ? Number(new TextDecoder().decode(result.value)) : 0;
  }

  /** Messages that the queues hold. */
  #counts(): number {
    const all = this.box.stats.queues.filter(({ name }) => PLACES.includes(name));
    return all.reduce((sum, { ready, leased, delayed }) => sum + ready + leased + delayed, 0);
  }
}

function bodyOf(text: string, queue: string): Uint8Array {
  return toUtf8(`${text} `.padEnd(queue === 'small' ? SMALL.bodyBytes : 0, '.'));
}

test('any program of transactions, numbers, keys and express messages is done once, as a whole or not at all', {
  timeout: 120_000,
}, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40, size: 'max' }), async (program) => {
      const run = new Run(`commits ${++runs}`);
      await run.start();
      for (const what of program) await run.do(what);
      await run.finish();
    }),
    { numRuns: 60, seed: 6 },
  );
});

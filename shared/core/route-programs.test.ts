/**
 * Goal: whatever programs do with queues that routes lead through leaves what a few arrays would hold, and no body too many or too few.
 * Method: random programs beside a model; a power cut in the middle of a send leaves all of it or nothing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codeOf, QueueBox, sendStep } from '../../hardware-sim/queue-box.ts';
import type { Route } from '../queue/routes.ts';

const NAMES = ['scans', 'a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];

const ROUTES: readonly Route[] = [
  { from: 'scans', where: { label: 'x' }, to: ['a', 'b', 'c'] },
  { from: 'scans', to: ['scans', 'a'] },
  { from: 'a', where: { label: 'y' }, to: ['a', 'b'] },
  { from: 'b', where: { label: 'z' }, to: ['c'] },
];

/** Where a message comes to, as it is read off the table by hand. */
function placesOf(queue: Name, label: string): Name[] {
  if (queue === 'scans' && label === 'x') return ['a', 'b', 'c'];
  if (queue === 'scans') return label === 'y' ? ['scans', 'a', 'b'] : ['scans', 'a'];
  if (queue === 'a' && label === 'y') return ['a', 'b'];
  return queue === 'b' && label === 'z' ? ['c'] : [queue];
}

const queue = fc.constantFrom(...NAMES);
const label = fc.constantFrom('x', 'y', 'z', 'w');
const bytes = fc.constantFrom(10, 300, 3_000);
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), queue, label, bytes }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut send' as const), queue, label, bytes, ms: fc.nat(12) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('commit' as const),
        sends: fc.array(fc.tuple(queue, label, bytes), { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('take' as const, 'purge' as const), queue }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('restart' as const),
        how: fc.constantFrom('power cut' as const, 'closed' as const),
      }),
    },
  ),
  { maxLength: 30, size: 'max' },
);
type Command = typeof commands extends fc.Arbitrary<(infer C)[]> ? C : never;

class Run {
  readonly box: QueueBox;
  /** Texts that are ready, in order. */
  queues = new Map<Name, string[]>(NAMES.map((name) => [name, []]));
  #sent = 0;

  constructor(box: QueueBox) {
    this.box = box;
  }

  #text(size: number): string {
    this.#sent += 1;
    return `m${this.#sent} `.padEnd(size, 'x');
  }

  #stored(name: Name, as: string, text: string): void {
    for (const place of placesOf(name, as)) this.queues.get(place)?.push(text.split(' ')[0] ?? '');
  }

  async do(what: Command): Promise<void> {
    const { box } = this;
    switch (what.do) {
      case 'send': {
        const text = this.#text(what.bytes);
        expect(await box.send(what.queue, text, { label: what.label })).toBe('sent');
        this.#stored(what.queue, what.label, text);
        break;
      }
      case 'cut send': {
        const text = this.#text(what.bytes);
        const sending = box.begin(box.sending(what.queue, text, { label: what.label }));
        await box.pass(what.ms);
        await box.restart('power cut');
        const [first = 'scans'] = placesOf(what.queue, what.label);
        const isThere = box.queue(first).ready > (this.queues.get(first)?.length ?? 0);
        if (codeOf(sending.result) === 'sent') expect(isThere).toBe(true);
        if (isThere) this.#stored(what.queue, what.label, text);
        break;
      }
      case 'commit': {
        const sends = what.sends.map(([name, as, size]) => ({ name, as, text: this.#text(size) }));
        expect(await box.commit(sends.map(({ name, as, text }) => sendStep(name, text, { label: as })))).toBe('committed');
        for (const { name, as, text } of sends) this.#stored(name, as, text);
        break;
      }
      case 'take': {
        const got = await box.receive(what.queue);
        const text = got && new TextDecoder().decode(got.message.body).split(' ')[0];
        expect(text).toBe(this.queues.get(what.queue)?.shift());
        if (got !== undefined) await box.ack(got);
        break;
      }
      case 'purge':
        await box.ask({ verb: 'purge', queue: what.queue });
        this.queues.set(what.queue, []);
        break;
      case 'restart':
        await box.restart(what.how);
        break;
    }
    for (const [name, texts] of this.queues) expect([name, box.queue(name).ready]).toEqual([name, texts.length]);
    this.#compareRing();
  }

  /** Each holder has its places, and each place its holder. */
  #compareRing(): void {
    const { index } = this.box.onDisk();
    let count = 0;
    const holders = new Set<number>();
    for (const slot of index.slots()) {
      if (index.isHolder(slot)) continue;
      count += 1;
      if (index.holder(slot) > 0) holders.add(index.holder(slot));
    }
    expect(count).toBe([...this.queues.values()].reduce((sum, texts) => sum + texts.length, 0));
    expect(index.count).toBe(count + holders.size);
  }

  async finish(): Promise<void> {
    await this.box.restart('power cut');
    for (const [name, texts] of this.queues) expect(await this.box.drain(name)).toEqual(texts);
    expect(this.box.onDisk().index.count).toBe(0);
  }
}

test('any program leaves what a few arrays would hold', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(commands, async (program) => {
      const box = new QueueBox(`route programs ${run++}`, {
        queues: NAMES.map((name) => ({ name, bytesLimit: 1_000_000 })),
        routes: ROUTES,
      });
      await box.start();
      const one = new Run(box);
      for (const what of program) await one.do(what);
      await one.finish();
    }),
    { numRuns: 25, seed: 11 },
  );
});

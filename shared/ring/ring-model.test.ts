/** Any history of batches, completions, crashes, kills, failed syncs and clean closes leaves what a map of messages would hold. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type ModelBatch, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { hasCode } from '../errors.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);

interface Model {
  nextNumber: number;
}
type Command = fc.Command<Model, RingHarness>;

/** A command that is always possible. */
function command(name: string, run: (model: Model, h: RingHarness) => void): Command {
  return { check: () => true, run, toString: () => name };
}

function append(h: RingHarness, batch: ModelBatch): void {
  try {
    h.append(batch);
  } catch (error) {
    if (!hasCode(error, 'QUEUE_FULL')) throw error;
  }
}

function numberAt(h: RingHarness, pick: number): number[] {
  const live = h.numbers();
  const number = live[pick % Math.max(1, live.length)];
  return number === undefined ? [] : [number];
}

function crashed(h: RingHarness): void {
  h.reopen();
  expect(h.ring.report.gaps).toEqual([]);
}

const size = fc.oneof({ weight: 8, arbitrary: fc.nat(700) }, { weight: 1, arbitrary: fc.integer({ min: 3000, max: 6144 }) });
const key = fc.constantFrom('a', 'b', 'c', 'long key that takes some room');
const value = fc.option(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  { nil: undefined },
);

const commands: fc.Arbitrary<Command>[] = [
  fc.array(size, { minLength: 1, maxLength: 4 }).map((sizes) =>
    command(`put ${sizes}`, (model, h) => {
      if (sizes.reduce((sum, bytes) => sum + bytes, 0) > 7000) return;
      append(h, { puts: sizes.map((bytes) => ({ number: model.nextNumber++, bytes })) });
    }),
  ),
  fc
    .array(fc.nat(1000), { minLength: 1, maxLength: 6 })
    .map((picks) => command(`ack ${picks}`, (_, h) => append(h, { acks: picks.flatMap((pick) => numberAt(h, pick)) }))),
  fc.tuple(fc.nat(1000), fc.nat(9), fc.nat(9999)).map(([pick, deliveryCount, notBeforeMs]) =>
    command(`state ${pick}`, (_, h) => {
      append(h, { states: numberAt(h, pick).map((number) => ({ number, deliveryCount, notBeforeMs })) });
    }),
  ),
  fc
    .tuple(key, value)
    .map(([name, text]) => command(`meta ${name} ${text}`, (_, h) => append(h, { metas: [{ key: name, value: text }] }))),
  fc.tuple(size, fc.nat(1000), key).map(([bytes, pick, name]) =>
    command(`transaction ${bytes} ${pick}`, (model, h) => {
      append(h, { puts: [{ number: model.nextNumber++, bytes }], acks: numberAt(h, pick), metas: [{ key: name, value: '0f' }] });
    }),
  ),
  fc.integer({ min: 1, max: 3 }).map((writes) =>
    command(`complete ${writes}`, (_, h) => {
      h.play();
      for (let i = 0; i < writes && h.disk.step(); i++) h.play();
    }),
  ),
  fc.constant(command('settle', (_, h) => h.settle())),
  fc.nat().map((seed) =>
    command(`power cut ${seed}`, (_, h) => {
      const random = stream(seed, 'cut');
      h.play();
      h.powerCut(() => random.pick(['old', 'new', 'half', 'garbage']));
      crashed(h);
    }),
  ),
  fc.constant(
    command('kill', (_, h) => {
      h.play();
      h.disk.kill();
      crashed(h);
    }),
  ),
  fc.constantFrom<'old' | 'new'>('old', 'new').map((cache) =>
    command(`sync fails, cache ${cache}`, (_, h) => {
      h.play();
      if (!h.driver.isWriting) return;
      h.disk.failNextSync(cache);
      h.settle();
      expect(h.ring.state).toBe('stopped');
      h.disk.kill();
      crashed(h);
    }),
  ),
  fc.constant(
    command('close', (_, h) => {
      h.ring.close(() => {});
      h.settle();
      expect(h.ring.state).toBe('closed');
      crashed(h);
    }),
  ),
  fc.constant(
    command('look', (_, h) => {
      h.settle();
      h.check();
      h.checkBodies();
    }),
  ),
];

test('whatever happens, in whatever order', () => {
  let run = 0;
  fc.assert(
    fc.property(fc.commands(commands, { maxCommands: 120, size: 'max' }), (history) => {
      fc.modelRun(() => {
        const h = freshHarness({ geometry: SMALLEST, random: stream(run++, 'model'), completion: 'stepped' });
        h.settle();
        return { model: { nextNumber: 1 }, real: h };
      }, history);
    }),
    { numRuns: 80, seed: 4711 },
  );
});

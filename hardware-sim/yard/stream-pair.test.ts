import { expect, test } from 'vitest';
import { stream } from '../random.ts';
import { World } from '../world.ts';
import { StreamPair } from './stream-pair.ts';

const RESET = { code: 'ECONNRESET' };

interface Scene {
  readonly world: World;
  readonly pair: StreamPair;
  /** What the server read, in the pieces in which it came; `end`, `close`. */
  readonly heard: (string | 'end' | 'close')[];
}

function scene(delayMs: () => number = () => 5, seed = 1): Scene {
  const world = new World(stream(seed, 'world'), 'when-due');
  const pair = new StreamPair({ world, random: stream(seed, 'pair'), delayMs });
  const heard: string[] = [];
  pair.server.on('data', (chunk) => heard.push(String(chunk)));
  pair.server.on('end', () => heard.push('end')).on('close', () => heard.push('close'));
  pair.client.resume();
  return { world, pair, heard };
}

test('bytes come later, in order and whole, in other pieces', async () => {
  const delays = stream(1, 'delays');
  const { world, pair, heard } = scene(() => delays.int(3));
  const sent = Array.from({ length: 200 }, (_, at) => `<${at}>`);
  for (const [at, text] of sent.entries()) {
    world.at(at / 10, () => {
      world.promised();
      pair.client.write(text);
    });
  }
  await world.run(1_000);
  expect(heard.join('')).toBe(sent.join(''));
  expect(heard.every((piece) => sent.includes(piece))).toBe(false);
});

test('what was written is a copy', async () => {
  const { world, pair, heard } = scene();
  const bytes = Buffer.from('before');
  pair.client.write(bytes);
  await world.run(1);
  bytes.fill('x');
  await world.run(10);
  expect(heard.join('')).toBe('before');
});

test('a reader that does not read holds up the writer, and nothing is lost', async () => {
  const { world, pair, heard } = scene();
  pair.server.pause();
  let written = 0;
  for (let i = 0; i < 1_000; i++) pair.client.write(Buffer.alloc(1_000, 'x'), () => (written += 1));
  await world.run(1_000);
  expect(written).toBeLessThan(200);
  pair.server.resume();
  await world.run(2_000);
  expect(written).toBe(1_000);
  expect(heard.join('')).toHaveLength(1_000_000);
});

test.each<[string, (pair: StreamPair) => void]>([
  ['ended', ({ client }) => client.end()],
  ['destroyed', ({ client }) => client.destroy()],
])('%s: the other end reads what is on its way, and then the end', async (_name, finish) => {
  const { world, pair, heard } = scene();
  pair.client.write('last words');
  await world.run(1);
  finish(pair);
  await world.run(100);
  expect(heard.slice(0, -2).join('')).toBe('last words');
  expect(heard.slice(-2)).toEqual(['end', 'close']);
  expect(pair.client.destroyed).toBe(true);
});

test.each<['arrives' | 'lost', boolean]>([
  ['arrives', true],
  ['lost', false],
])('cut, what is on its way up %s: the client knows at once, the server later', async (ascent, isHeard) => {
  const { world, pair, heard } = scene();
  const errors: unknown[] = [];
  pair.client.on('error', (error) => errors.push(error));
  pair.client.write('up');
  pair.server.write('down');
  await world.run(1);
  pair.cut({ noticeMs: 50, ascent });
  await world.run(2);
  expect(errors).toMatchObject([RESET]);
  expect(pair.server.destroyed).toBe(false);
  await world.run(100);
  expect(pair.server.destroyed).toBe(true);
  expect(heard.includes('end')).toBe(isHeard);
  expect(heard.join('').startsWith('up')).toBe(isHeard);
});

test('silenced, nothing arrives and nobody is told', async () => {
  const { world, pair, heard } = scene();
  pair.client.write('on its way');
  await world.run(1);
  pair.silence();
  pair.client.write('later');
  pair.client.end();
  await world.run(100_000);
  expect([heard, pair.server.destroyed]).toEqual([[], false]);
});

test('crashed before anybody took the other end: nobody is told, nothing fails', async () => {
  const world = new World(stream(1, 'world'), 'when-due');
  for (const act of ['crash', 'refuse'] as const) {
    const pair = new StreamPair({ world, random: stream(1, 'pair'), delayMs: () => 1 });
    pair[act]();
    await world.run(world.nowMs + 10);
    expect(pair.isOver).toBe(true);
  }
});

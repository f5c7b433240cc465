import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes, randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import { readFile } from 'node:fs';
import { readFile as readFilePromised } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflate } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { DeterminismViolation, guarded } from './guard.ts';

/** Done once its callback is called. */
function called(start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => start(resolve));
}

describe('caught, with the stack of whoever asked', () => {
  test.each<[string, () => unknown, string]>([
    ['chance', () => Math.random(), 'Math.random'],
    ['the time', () => Date.now(), 'Date.now'],
    ['the date', () => new Date(), 'new Date'],
    ['the date as text', () => Date(), 'Date'],
    ['the clock of the process', () => performance.now(), 'performance.now'],
    ['the clock of the machine', () => process.hrtime(), 'process.hrtime'],
    ['the same in nanoseconds', () => process.hrtime.bigint(), 'process.hrtime.bigint'],
    ['the age of the process', () => process.uptime(), 'process.uptime'],
    ['a timer', () => setTimeout(() => {}, 0), 'setTimeout'],
    ['a timer that repeats', () => setInterval(() => {}, 1), 'setInterval'],
    ['a timer in a signal', () => AbortSignal.timeout(1), 'AbortSignal.timeout'],
    ['a timer of an import', () => sleep(1), 'Timeout'],
    ['an identifier', () => randomUUID(), 'crypto.randomUUID'],
    ['bytes', () => randomBytes(4), 'crypto.randomBytes'],
    ['bytes from the pool', () => called((done) => randomBytes(4, done)), 'crypto.randomBytes'],
    ['an identifier of the web', () => crypto.randomUUID(), 'crypto.randomUUID of the web'],
    ['bytes of the web', () => crypto.getRandomValues(new Uint8Array(4)), 'crypto.getRandomValues of the web'],
    ['a digest from the pool', () => crypto.subtle.digest('SHA-256', new Uint8Array(4)), 'HASHREQUEST'],
    ['the garbage collector', () => new WeakRef({}), 'new WeakRef'],
    ['the same, told', () => new FinalizationRegistry(() => {}), 'new FinalizationRegistry'],
    [
      'a compiler of its own',
      () => Reflect.get(globalThis, 'WebAssembly').compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)),
      'WebAssembly.compile',
    ],
    ['a file', () => called((done) => readFile(import.meta.filename, () => done())), 'FSREQCALLBACK'],
    ['a file, promised', () => readFilePromised(import.meta.filename), 'FSREQPROMISE'],
    ['a name', () => called((done) => lookup('localhost', () => done())), 'GETADDRINFOREQWRAP'],
    ['a compressor', () => called((done) => deflate('x', () => done())), 'ZLIB'],
    ['a socket', () => called((done) => createSocket('udp4').close(done)), 'UDPWRAP'],
    ['a message to itself', () => new MessageChannel().port1.close(), 'MESSAGEPORT'],
  ])('%s', async (_name, act, what) => {
    async function culprit(): Promise<unknown> {
      await Promise.resolve();
      return act();
    }
    const error = await guarded(culprit).then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(DeterminismViolation);
    expect(error.message).toContain(what);
    expect(error.stack).toContain('guard.test');
  });

  test('also when the run catches it, and goes on', async () => {
    const run = guarded(async () => {
      try {
        Math.random();
      } catch {
        // What a library does that has another way: the guard still knows.
      }
      return 'fine';
    });
    await expect(run).rejects.toThrow('Math.random');
  });

  test('the failure that follows from it is its cause', async () => {
    const run = guarded(async () => {
      await called((done) => readFile('/', () => done()));
      throw new Error('then this');
    });
    await expect(run).rejects.toMatchObject({
      message: expect.stringContaining('FSREQCALLBACK'),
      cause: { message: 'then this' },
    });
  });
});

describe('allowed', () => {
  test('what a seed tells: promises, ticks, turns of the loop, arithmetic with dates', async () => {
    const told = await guarded(async () => {
      await new Promise((resolve) => process.nextTick(resolve));
      await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
      await new Promise((resolve) => setImmediate(resolve));
      return [new Date(0).toISOString(), new Date(2024, 0, 1) instanceof Date, Date.UTC(1970, 0, 2)];
    });
    expect(told).toEqual(['1970-01-01T00:00:00.000Z', true, 86_400_000]);
  });

  test('what somebody else does meanwhile', async () => {
    let settle = (): void => {};
    const outside = new AsyncLocalStorage<string>();
    const run = guarded(() => new Promise<void>((resolve) => (settle = resolve)));
    await outside.run('outside', () => sleep(1));
    expect([typeof Date.now(), typeof Math.random(), typeof randomUUID()]).toEqual(['number', 'number', 'string']);
    settle();
    await run;
  });
});

describe('afterwards', () => {
  const globals = () => [
    Math.random,
    Date,
    Date.now,
    performance.now,
    process.hrtime,
    process.hrtime.bigint,
    setTimeout,
    randomUUID,
    WeakRef,
    crypto.randomUUID,
  ];

  test.each<[string, () => Promise<unknown>]>([
    ['done', async () => 1],
    ['failed', () => Promise.reject(new Error('no'))],
    [
      'failed at once',
      () => {
        throw new Error('no');
      },
    ],
    ['caught', async () => Math.random()],
  ])('everything is as it was: %s', async (_name, run) => {
    const before = globals();
    await guarded(run).catch(() => {});
    expect(globals().map((value, at) => value === before[at])).toEqual(before.map(() => true));
    expect(Object.hasOwn(performance, 'now')).toBe(false);
    await called((done) => setTimeout(done, 0));
  });

  test('a run within a run is refused, and the outer one goes on', async () => {
    await expect(guarded(() => guarded(async () => 1))).rejects.toThrow('one guarded run at once');
    await expect(guarded(async () => 2)).resolves.toBe(2);
  });
});

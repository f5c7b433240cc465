/**
 * Proof that a run is a function of its seed: while it lasts, whatever it asks of the machine's time, chance or threads is an error.
 *
 *   stubs        throw where they are called: clocks, timers, randomness, what shows the garbage collector
 *   async hook   sees what no stub can: every resource that the event loop or the thread pool will come back from. It cannot throw
 *                (Node ends the process when a hook does), so what it saw is thrown when the run is over
 *
 * A virtual clock is installed inside the guarded run, and hides the stubs it answers for. What others in this process do meanwhile,
 * a test runner for one, is none of the guard's business.
 */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import crypto from 'node:crypto';
import { invariant } from '../../shared/assert.ts';
import { Patches } from './patches.ts';

/** The run asked the machine for something that a seed does not tell. The stack is that of whoever asked. */
export class DeterminismViolation extends Error {
  constructor(what: string) {
    super(`not of the seed: ${what}`);
    this.name = 'DeterminismViolation';
  }
}

/** Resources that come back in an order which follows from the order of the calls. */
const ALLOWED: ReadonlySet<string> = new Set([
  'PROMISE',
  'Microtask',
  'TickObject',
  // One turn of the loop, in the order of the calls: how the world lets promises settle.
  'Immediate',
  // `finished` of a stream keeps its caller's context with it; a stream in memory waits for nothing else.
  'STREAM_END_OF_STREAM',
]);

/** Compiles in threads of its own. Not among the types of this project. */
const compiler: object = Reflect.get(globalThis, 'WebAssembly');

/** What nobody may call. `construct` with no argument only: `new Date(0)` is arithmetic. */
const FORBIDDEN: readonly {
  readonly name: string;
  readonly target: object;
  readonly key: string;
  readonly how?: 'no arguments';
}[] = [
  { name: 'Math.random', target: Math, key: 'random' },
  { name: 'Date.now', target: Date, key: 'now' },
  { name: 'Date', target: globalThis, key: 'Date', how: 'no arguments' },
  { name: 'performance.now', target: performance, key: 'now' },
  { name: 'process.hrtime.bigint', target: process.hrtime, key: 'bigint' },
  { name: 'process.hrtime', target: process, key: 'hrtime' },
  { name: 'process.uptime', target: process, key: 'uptime' },
  { name: 'setTimeout', target: globalThis, key: 'setTimeout' },
  { name: 'setInterval', target: globalThis, key: 'setInterval' },
  { name: 'AbortSignal.timeout', target: AbortSignal, key: 'timeout' },
  ...['randomUUID', 'randomBytes', 'randomInt', 'randomFill', 'randomFillSync'].map((key) => ({
    name: `crypto.${key}`,
    target: crypto,
    key,
  })),
  { name: 'crypto.randomUUID of the web', target: globalThis.crypto, key: 'randomUUID' },
  { name: 'crypto.getRandomValues of the web', target: globalThis.crypto, key: 'getRandomValues' },
  { name: 'WeakRef', target: globalThis, key: 'WeakRef' },
  { name: 'FinalizationRegistry', target: globalThis, key: 'FinalizationRegistry' },
  { name: 'WebAssembly.compile', target: compiler, key: 'compile' },
  { name: 'WebAssembly.instantiate', target: compiler, key: 'instantiate' },
];

/** Violations written down; the first is thrown. */
const SEEN_COUNT_MAX = 10;

const scope = new AsyncLocalStorage<Guard>();
let current: Guard | undefined;

/**
 * Runs it and gives what it gives. One at a time in a process.
 * @throws DeterminismViolation, also when the run itself caught it, or failed of something else because of it (`cause`).
 */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  invariant(current === undefined, 'one guarded run at once');
  const guard = new Guard();
  current = guard;
  let outcome: { readonly kind: 'done'; readonly value: T } | { readonly kind: 'failed'; readonly error: unknown };
  try {
    guard.start();
    outcome = { kind: 'done', value: await scope.run(guard, run) };
  } catch (error) {
    outcome = { kind: 'failed', error };
  } finally {
    guard.stop();
    current = undefined;
  }
  const [first] = guard.seen;
  if (first !== undefined) {
    if (outcome.kind === 'failed' && outcome.error !== first) first.cause = outcome.error;
    throw first;
  }
  if (outcome.kind === 'failed') throw outcome.error;
  return outcome.value;
}

class Guard {
  readonly seen: DeterminismViolation[] = [];
  readonly #patches = new Patches();
  readonly #hook = createHook({
    init: (_id, type) => {
      if (ALLOWED.has(type) || scope.getStore() !== this) return;
      this.#note(`a resource of type ${type}`);
    },
  });

  start(): void {
    for (const { name, target, key, how } of FORBIDDEN) {
      const original: unknown = Reflect.get(target, key);
      invariant(typeof original === 'function', `${name} can be forbidden`);
      this.#patches.replace(target, key, this.#forbidding(original, name, how));
    }
    this.#hook.enable();
  }

  stop(): void {
    this.#hook.disable();
    this.#patches.restore();
  }

  // biome-ignore lint/complexity/noBannedTypes: any function at all is what a Proxy wraps here
  #forbidding(original: Function, name: string, how: 'no arguments' | undefined): Function {
    return new Proxy(original, {
      apply: (target, self, args) => {
        this.#refuse(name);
        return Reflect.apply(target, self, args);
      },
      construct: (target, args, subject) => {
        if (how === undefined || args.length === 0) this.#refuse(`new ${name}`);
        return Reflect.construct(target, args, subject);
      },
    });
  }

  #refuse(what: string): void {
    if (scope.getStore() === this) throw this.#note(what);
  }

  #note(what: string): DeterminismViolation {
    const violation = new DeterminismViolation(what);
    if (this.seen.length < SEEN_COUNT_MAX) this.seen.push(violation);
    return violation;
  }
}

/**
 * The embedded profile on a small engine: QuickJS with 1 MiB for the program, its queue of 500 messages and all the engine itself has.
 * The limit of the engine alone would not do: built for WebAssembly it counts few of the bytes of what it allocates (the last test
 * shows it). So what is really in use is counted after every message.
 */

import { randomBytes } from 'node:crypto';
import variant from '@jitl/quickjs-wasmfile-release-sync';
import { type Intrinsics, newQuickJSWASMModuleFromVariant } from 'quickjs-emscripten-core';
import { describe, expect, test } from 'vitest';
import { embeddedScript, hostProgram } from './host.ts';

/** What the engine may have. */
const MEMORY_BYTES_MAX = 1024 * 1024;
/** What is reached, with 2 % for changes that are worth it. */
const HELD_BYTES = 955_000;
const STORAGE_BYTES = 512 * 1024;
const MESSAGES = 500;

/** What the engine is asked for: neither Date nor Promise nor Proxy. */
const LANGUAGE: Intrinsics = {
  ...{ BaseObjects: true, Eval: true, JSON: true, MapSet: true, TypedArrays: true, BigInt: true },
  ...{ RegExp: true, RegExpCompiler: true },
};

const engine = await newQuickJSWASMModuleFromVariant(variant);

/** A machine that boots with what is in its storage. */
class Machine {
  /** Most bytes that were in use after any call. */
  peakBytes = 0;
  readonly #runtime = engine.newRuntime();
  readonly #context = this.#runtime.newContext({ intrinsics: LANGUAGE });

  constructor(storage: Uint8Array) {
    this.#runtime.setMemoryLimit(MEMORY_BYTES_MAX);
    const context = this.#context;
    const numberOf = (handle: Parameters<typeof context.getNumber>[0]) => context.getNumber(handle);
    const buffer = (bytes: Uint8Array) => context.newArrayBuffer(new Uint8Array(bytes).buffer);
    const functions: Record<string, Parameters<typeof context.newFunction>[1]> = {
      hostRead: (offset, length) => buffer(storage.subarray(numberOf(offset), numberOf(offset) + numberOf(length))),
      hostWrite: (offset, bytes) => {
        const lifetime = context.getArrayBuffer(bytes);
        storage.set(lifetime.value, numberOf(offset));
        lifetime.dispose();
      },
      hostRandom: (count) => buffer(randomBytes(numberOf(count))),
    };
    for (const [name, call] of Object.entries(functions)) {
      context.newFunction(name, call).consume((handle) => context.setProp(context.global, name, handle));
    }
  }

  get bytesInUse(): number {
    return this.#runtime
      .computeMemoryUsage()
      .consume((handle) => (this.#context.dump(handle) as { memory_used_size: number }).memory_used_size);
  }

  evaluate(code: string): unknown {
    const result = this.#context.evalCode(code);
    const value: unknown = this.#context.dump(result.error ?? result.value);
    const isError = result.error !== undefined;
    result.dispose();
    if (isError) throw new Error(JSON.stringify(value));
    this.peakBytes = Math.max(this.peakBytes, this.bytesInUse);
    return value;
  }

  loadNode(storageBytes: number): void {
    this.evaluate(embeddedScript());
    this.evaluate(hostProgram(storageBytes));
  }

  off(): void {
    this.#context.dispose();
    this.#runtime.dispose();
  }
}

describe('in QuickJS, with little memory and a storage given by the host', () => {
  test(`${MESSAGES} messages are queued, survive a power cut, and are received in order and acknowledged`, () => {
    const storage = new Uint8Array(STORAGE_BYTES);
    const before = new Machine(storage);
    before.loadNode(STORAGE_BYTES);
    before.evaluate('ringmail.formatStorage(storage, random.bytes(16))');
    expect(before.evaluate('start()')).toBe('serving');
    for (let i = 1; i <= MESSAGES; i++) expect(before.evaluate(`send('bag ${i}')`)).toBe('sync');
    before.off();

    const after = new Machine(storage);
    after.loadNode(STORAGE_BYTES);
    const loadedBytes = after.bytesInUse;
    expect(after.evaluate('start()')).toBe('serving');
    for (let i = 1; i <= MESSAGES; i++) expect(after.evaluate('receiveAndAck()')).toBe(`${i} bag ${i} Gepäck 🧳 done`);
    expect(after.evaluate('receiveAndAck()')).toBe('empty');
    expect(after.evaluate('close()')).toBe('closed');
    const peakBytes = Math.max(before.peakBytes, after.peakBytes);
    after.off();
    const figures = `embedded profile in QuickJS: loaded ${loadedBytes}, with ${MESSAGES} messages at most ${peakBytes}, of ${MEMORY_BYTES_MAX} bytes`;
    console.info(figures);
    expect(peakBytes, figures).toBeLessThanOrEqual(HELD_BYTES);
  });

  test.each([
    // Bodies of 100 bytes: more of them than the cache holds, so that some are read from the storage.
    ['a message that is sent', "send('x'.repeat(100))", 70, 120],
    ['a message that is received', 'receiveAndAck()', 50, 250],
  ])(
    '%s leaves little behind: no cycles, which a small engine seldom collects, and nothing that waits to be let go',
    (...row) => {
      const [, act, first, last] = row;
      const machine = new Machine(new Uint8Array(STORAGE_BYTES));
      machine.loadNode(STORAGE_BYTES);
      machine.evaluate('ringmail.formatStorage(storage, random.bytes(16)); start();');
      if (act.startsWith('receive')) for (let i = 0; i < 300; i++) machine.evaluate("send('x'.repeat(100))");
      for (let i = 0; i < first; i++) machine.evaluate(act);
      const bytesBefore = machine.bytesInUse;
      for (let i = first; i < last; i++) machine.evaluate(act);
      const bytesEach = (machine.bytesInUse - bytesBefore) / (last - first);
      machine.off();
      expect(bytesEach).toBeLessThan(100);
    },
  );

  test('more than the limit is seen, though the engine itself does not stop it', () => {
    const machine = new Machine(new Uint8Array(0));
    machine.evaluate('const hoard = []; for (let i = 0; i < 64; i++) hoard.push(new Uint8Array(32 * 1024));');
    expect(machine.peakBytes).toBeGreaterThan(2 * MEMORY_BYTES_MAX);
    expect(() => machine.evaluate('new Uint8Array(2 * 1024 * 1024)')).toThrow('out of memory');
    machine.off();
  });
});

/** The embedded profile where there is nothing but the language: a context of its own, with three functions and no host object. */
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { embeddedScript, hostProgram } from './host.ts';

const STORAGE_BYTES = 256 * 1024;

/** Whatever else a global object has in this version of Node is a part of the language. */
const HOST_OBJECTS = [
  ...[
    'Buffer',
    'process',
    'require',
    'module',
    'global',
    'console',
    'performance',
    'crypto',
    'fetch',
    'navigator',
    'structuredClone',
  ],
  ...[
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'TextEncoder',
    'TextDecoder',
    'URL',
    'AbortController',
    'Event',
  ],
];

function boot(bytes: Uint8Array): (code: string) => unknown {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed & 0xff;
  };
  const context = createContext(
    Object.assign(Object.create(null) as object, {
      hostRead: (offset: number, length: number) => bytes.slice(offset, offset + length).buffer,
      hostWrite: (offset: number, buffer: ArrayBuffer) => bytes.set(new Uint8Array(buffer), offset),
      hostRandom: (count: number) => Uint8Array.from({ length: count }, next).buffer,
    }),
  );
  const evaluate = (code: string): unknown => runInContext(code, context);
  // What Node puts into every context of its engine.
  evaluate('delete globalThis.console; delete globalThis.WebAssembly;');
  evaluate(embeddedScript());
  evaluate(hostProgram(bytes.length));
  return evaluate;
}

describe('the embedded profile in a context without any host object', () => {
  test('opens, sends, survives a power cut, receives, acknowledges and closes', () => {
    const bytes = new Uint8Array(STORAGE_BYTES);
    const evaluate = boot(bytes);
    expect(HOST_OBJECTS.filter((name) => evaluate(`typeof ${name}`) !== 'undefined')).toEqual([]);
    evaluate('ringmail.formatStorage(storage, random.bytes(16))');
    expect(evaluate('start()')).toBe('serving');
    expect(evaluate("send('one') + ' ' + send('two')")).toBe('sync sync');

    const second = boot(bytes);
    expect(second('start()')).toBe('serving');
    expect(second('receiveAndAck()')).toBe('1 one Gepäck 🧳 done');
    expect(second('receiveAndAck()')).toBe('2 two Gepäck 🧳 done');
    expect(second('receiveAndAck()')).toBe('empty');
    expect(second('close()')).toBe('closed');
    expect(second('node.wakeAtMs')).toBeUndefined();
  });

  test('keeps to its time: what is not due is not done, and it says when it is', () => {
    const evaluate = boot(new Uint8Array(STORAGE_BYTES));
    evaluate('ringmail.formatStorage(storage, random.bytes(16)); start();');
    evaluate("call({ verb: 'send', destination: 'bags', body: ringmail.toUtf8('later'), properties: { deliverAfterMs: 5000 } })");
    expect(evaluate('receive().kind')).toBe('empty');
    const wakeAtMs = evaluate('node.wakeAtMs') as number;
    expect(wakeAtMs - (evaluate('nowMs') as number)).toBeGreaterThan(4_000);
    evaluate(`nowMs = ${wakeAtMs}`);
    expect(evaluate('receiveAndAck()')).toContain('later');
  });

  test('leaves nothing outside: neither a module nor cbor-x', async () => {
    for (const file of ['dist/embedded.js', 'dist/embedded.script.js']) {
      const { metafile } = await build({
        entryPoints: [file],
        bundle: true,
        packages: 'external',
        format: 'esm',
        metafile: true,
        write: false,
      });
      expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
    }
  });
});

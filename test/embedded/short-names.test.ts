/**
 * The small build gives short names to what nobody outside sees (scripts/core-bundle.mjs). Goal: no name that is seen is among them. Method:
 * the same node, built with short names and without, is told the same, and must say the same, and write the same bytes.
 */
import { runInThisContext } from 'node:vm';
import type { BuildOptions, BuildResult } from 'esbuild';
import { expect, test } from 'vitest';
import type * as Embedded from '../../shared/core/embedded.ts';

interface CoreBundle {
  bundleCore(options?: BuildOptions): Promise<BuildResult<{ metafile: true; write: false }>>;
}
const { bundleCore } = (await import(new URL('../../scripts/core-bundle.mjs', import.meta.url).href)) as CoreBundle;

type Properties = Extract<Embedded.Call, { verb: 'send' }>['properties'];
type Library = typeof Embedded;

async function built(options: BuildOptions): Promise<{ library: Library; source: string }> {
  const { outputFiles } = await bundleCore({ format: 'iife', sourcemap: false, ...options });
  const source = outputFiles[0]?.text ?? '';
  return { library: runInThisContext(`(() => { ${source}; return ringmail; })()`) as Library, source };
}

/** All that a value has, by its names: of errors too, and of what nobody can enumerate. */
function told(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value instanceof Map) return ['map', ...[...value].map(told)];
  if (value instanceof Error)
    return ['error', value.message, Object.fromEntries(Object.entries(value).map(([key, one]) => [key, told(one)]))];
  if (Array.isArray(value)) return value.map(told);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, told(one)]));
}

const SIZE = 256 * 1024;

/** A life of a node, and of the next one over the same storage: everything that was said, and the storage at the end. */
function life({ EmbeddedNode, formatStorage, toUtf8, hasCode }: Library): { said: unknown[]; bytes: Uint8Array } {
  const bytes = new Uint8Array(SIZE);
  let isWorn = false;
  let seed = 1;
  const random = {
    bytes: (count: number) =>
      Uint8Array.from({ length: count }, () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed & 0xff;
      }),
  };
  const storage = {
    size: SIZE,
    read: (offset: number, into: Uint8Array) => into.set(bytes.subarray(offset, offset + into.length)),
    writeDurable: (offset: number, some: Uint8Array, fence?: unknown) => {
      if (isWorn) throw new Error('worn');
      if (fence !== undefined) said.push(told(fence));
      bytes.set(some, offset);
    },
  };
  const said: unknown[] = [];
  let nowMs = 0;
  let node: InstanceType<Library['EmbeddedNode']>;
  const run = (): Embedded.EmbeddedEvent[] => {
    const events = node.run(++nowMs);
    said.push(told(events), node.phase, node.wakeAtMs);
    return events;
  };
  const ask = (call: Embedded.Call): Embedded.CallResult | undefined => {
    const token = node.ask(call);
    const answer = run().find((event) => event.kind === 'answer' && event.token === token);
    if (answer?.kind === 'answer' && answer.result.kind === 'error') said.push(hasCode(answer.result.error, 'QUEUE_FULL'));
    return answer?.kind === 'answer' ? answer.result : undefined;
  };
  const start = (bootMs: number): void => {
    node = new EmbeddedNode(
      {
        name: 'box-1',
        queueBytesLimit: 20_000,
        queues: [
          {
            name: 'bags',
            bytesLimit: 30_000,
            label: 'for people',
            journal: 'on',
            deliveriesMax: 3,
            retryMs: 100,
            retryFactor: 3,
            retryMsMax: 500,
            retryJitterPercent: 10,
          },
          {
            name: 'strict',
            bytesLimit: 3_000,
            ordering: 'strict',
            whenFull: 'block',
            deadLetterQueue: 'letters',
            timeToBeReceivedMs: 5_000,
          },
          {
            name: 'drops',
            bytesLimit: 1_000,
            whenFull: 'drop-oldest',
            bytesReserved: 1_000,
            remoteWhenFull: 'dead-letter',
            replay: 'latest',
          },
          { name: 'least', bytesLimit: 1_000, whenFull: 'drop-lowest-priority' },
          { name: 'letters', bytesLimit: 3_000 },
          { name: 'paused', bytesLimit: 3_000, state: 'paused' },
        ],
      },
      {
        ...{ storage, random, durability: 'sync', memory: { cacheBytesMax: 1_024, pendingBytesMax: 8_192 } },
        clock: { bootId: new Uint8Array(16).fill(5), bootMs },
      },
    );
    run();
  };
  const receive = (queue: string): string => {
    const got = ask({ verb: 'receive', queue, waitMs: 0, leaseMs: 1_000, select: { by: 'first' } });
    return got?.kind === 'received' ? got.received.lease : '';
  };
  const whole: Properties = {
    ...{ priority: 5, contentType: 'text/plain', label: 'a', correlationId: 'c', responseQueue: 'bags', appSpecific: 7 },
    ...{
      headers: new Map([['one', '1']]),
      timeToReachQueueMs: 60_000,
      timeToBeReceivedMs: 50_000,
    },
    ...({ acknowledge: 'full', journal: 'on' } as const),
  };

  formatStorage(storage, random.bytes(16));
  start(1_000);
  for (const destination of ['bags', 'strict', 'box-1/drops', 'least', 'paused'])
    for (let i = 0; i < 12; i++)
      ask({
        verb: 'send',
        destination,
        body: toUtf8(`${destination} ${i}`.repeat(8)),
        properties: i % 2 ? whole : {},
        waitMs: 0,
      });
  ask({ verb: 'send', destination: 'bags', body: toUtf8('later'), properties: { deliverAfterMs: 500, deadLetter: 'off' } });
  ask({ verb: 'send', destination: 'bags', body: toUtf8('a'), properties: {}, position: { name: 'scale', value: toUtf8('9') } });
  ask({
    verb: 'send',
    destination: '',
    body: toUtf8('a'),
    properties: {},
    dead: { class: 'BAD_FORMAT', node: 'box-1', reason: 'unread' } as never,
  });
  ask({ verb: 'send', destination: 'bags', body: toUtf8('a'), properties: {}, delivery: 'express' });
  ask({ verb: 'send', destination: 'bags', body: toUtf8('a'), properties: {}, sendKey: 'k' });
  ask({ verb: 'send', destination: 'bags', body: toUtf8('a'), properties: {}, by: { producer: 'p', number: 1 } });
  ask({ verb: 'send', destination: 'bags', body: new Uint8Array(60_000), properties: {} });
  ask({ verb: 'send', destination: 'none', body: toUtf8('a'), properties: {} });
  ask({ verb: 'send', destination: 'other/bags', body: toUtf8('a'), properties: {} });
  ask({ verb: 'send', destination: 'No Name', body: toUtf8('a'), properties: { priority: 9 } as never });
  ask({ verb: 'position', name: 'scale' });
  for (const bodies of ['with', 'without'] as const) ask({ verb: 'peek', queue: 'bags', waitMs: 0, bodies });
  for (let i = 0; i < 6; i++) {
    ask({ verb: 'ack', lease: receive('bags') });
    ask({ verb: 'nack', lease: receive('bags'), ...(i % 2 === 0 && { delayMs: 50 }) });
    ask({ verb: 'deadLetter', lease: receive('strict'), reason: 'broken' });
    ask({ verb: 'extend', lease: receive('drops'), leaseMs: 2_000 });
  }
  for (const verb of ['stats', 'queues', 'holes'] as const) ask({ verb });
  for (const select of [
    { by: 'last' },
    { by: 'after', place: { priority: 3, lookupId: 1 } },
    { by: 'identity', identity: 'x' },
  ] as const)
    ask({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 10, select });
  ask({ verb: 'open', queue: 'bags', access: 'receive', share: 'all', idleMs: 5 });
  ask({ verb: 'close', handle: 'h' });
  node = node!;
  const waiting = node.ask({ verb: 'receive', queue: 'letters', waitMs: 60_000, leaseMs: 10, handle: 'h' });
  node.cancel(waiting);
  run();
  nowMs += 6_000;
  run();
  said.push(told(node.stats(nowMs)));
  // A power cut, damage to one block, and a later boot of the same machine.
  bytes.fill(0x5a, 40 * 512, 41 * 512);
  start(20_000);
  for (let i = 0; i < 150; i++) {
    ask({ verb: 'send', destination: 'bags', body: toUtf8(`again ${i}`.repeat(20)), properties: {}, waitMs: 0 });
    if (i % 3 > 0) ask({ verb: 'ack', lease: receive('bags') });
  }
  for (const queue of ['$dead', '$journal', '$admin', 'letters']) ask({ verb: 'ack', lease: receive(queue) });
  said.push(told(node.stats(nowMs)));
  node.close();
  run();
  start(30_000);
  isWorn = true;
  ask({ verb: 'send', destination: 'bags', body: toUtf8('lost'), properties: {} });
  ask({ verb: 'stats' });
  said.push(told(node.stats(nowMs)));
  return { said, bytes };
}

test('short names and whole ones say and write the same', async () => {
  const [short, whole] = await Promise.all([built({}), built({ mangleProps: /^$/ })]);
  expect(whole.source.length - short.source.length, 'there are short names').toBeGreaterThan(8_000);
  const [one, other] = [life(short.library), life(whole.library)];
  expect(one.said.length).toBeGreaterThan(300);
  for (const [at, some] of one.said.entries()) expect(some, `${at}`).toEqual(other.said[at]);
  expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
});

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeNode } from '../../shared/node/api/fake-node.ts';
import { serveApi } from '../../shared/node/api/server.ts';
import type { NodeCalls } from '../../shared/node/node-calls.ts';
import { formatRecord } from './hall-arrivals.ts';
import { ArrivalTail, NodeWatch } from './hall-watch.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const effect = (identity: string, ending?: string): string =>
  formatRecord({
    kind: 'effect',
    arrival: { identity, queue: 'bags', label: 'belt-1', priority: 3, ending, body: new Uint8Array(900) },
  });

test('the tail sees what was appended since, in whole lines, however much', () => {
  const path = join(folder, 'arrivals.jsonl');
  const tail = new ArrivalTail(path);
  tail.read();
  expect(tail.records).toEqual([]);
  const text = Array.from({ length: 200 }, (_, i) => effect(`m${i}`)).join('');
  appendFileSync(path, text.slice(0, -5));
  tail.read();
  expect(tail.records).toHaveLength(199);
  appendFileSync(
    path,
    text.slice(-5) + effect('m7') + effect('dead', 'BAD_TELEGRAM') + formatRecord({ kind: 'redelivered', identity: 'm7' }),
  );
  tail.read();
  expect(tail.counts).toEqual({ received: 201, dead: 1, redelivered: 1 });
  expect([tail.identityCount, tail.unreadable]).toEqual([201, 0]);
  tail.close();
});

test('a node that is not there is silent, and asking it again is no error', async () => {
  const watch = new NodeWatch(join(folder, 'nobody.sock'));
  await watch.ask();
  await watch.ask();
  expect([watch.state, watch.stats]).toEqual(['silent', undefined]);
  watch.close();
});

test('frames are those of every opening, each as it was seen last', async () => {
  const socketPath = join(folder, 'node.sock');
  let seen = { epoch: 1, framesWritten: 5 };
  const fake = new FakeNode();
  const node: NodeCalls = {
    call: async (call) => {
      const result = await fake.call(call);
      if (result.kind !== 'stats') return result;
      const { stats } = result;
      return { kind: 'stats', stats: { ...stats, epoch: seen.epoch, ring: { ...stats.ring, ...seen } } };
    },
  };
  const api = await serveApi(node, { socketPath });
  const watch = new NodeWatch(socketPath);
  expect(watch.framesSeen).toBe(0);
  for (const [next, total] of [
    [{ epoch: 1, framesWritten: 5 }, 5],
    [{ epoch: 1, framesWritten: 40 }, 40],
    [{ epoch: 2, framesWritten: 3 }, 43],
    [{ epoch: 4, framesWritten: 1 }, 44],
  ] as const) {
    seen = next;
    await watch.ask();
    expect(watch.framesSeen).toBe(total);
  }
  watch.close();
  await api.close();
});

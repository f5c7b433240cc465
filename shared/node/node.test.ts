/** A node over real files: what it does with a ring that is not the one it should be. */
import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NodeConfig } from '../core/node-io.ts';
import { hasCode } from '../errors.ts';
import { createRing } from './create-ring.ts';
import { Node } from './node.ts';

const CONFIG: NodeConfig = {
  name: 'box-1',
  queues: [{ name: 'bags', bytesLimit: 100_000 }],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'link',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
const FILE_BYTES = 388 * 4096;
const BODY = new Uint8Array([1, 2, 3]);

let folder: string;
let ringPath: string;
const open: Node[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-node-'));
  ringPath = join(folder, 'box-1.ring');
});
afterEach(async () => {
  for (const node of open.splice(0)) await node.close();
  rmSync(folder, { recursive: true });
});

async function make(path = ringPath): Promise<void> {
  await createRing(path, { fileBytes: FILE_BYTES, fileId: new Uint8Array(16).fill(9), volatile: 'allow' });
}

async function openNode(options: Partial<NodeConfig> = {}, path = ringPath): Promise<Node> {
  const node = await Node.open({ config: { ...CONFIG, ...options }, ringPath: path, volatile: 'allow' });
  open.push(node);
  return node;
}

async function refusal(act: Promise<unknown>): Promise<string> {
  return act.then(
    () => 'opened',
    (error: unknown) => (hasCode(error, (error as { code: 'RING_LOCKED' }).code) ? error.code : String(error)),
  );
}

async function send(node: Node, destination = 'bags'): Promise<string> {
  const result = await node.call({ verb: 'send', destination, body: BODY, properties: {} });
  return result.kind === 'sent' ? result.identity : '';
}

describe('a ring that cannot be opened is named, and left as it is', () => {
  test('missing', async () => {
    expect(await refusal(openNode())).toBe('RING_NOT_FOUND');
  });

  test('not a ring', async () => {
    writeFileSync(ringPath, new Uint8Array(FILE_BYTES).fill(0x55));
    expect(await refusal(openNode())).toBe('RING_FOREIGN');
  });

  test('cut short', async () => {
    await make();
    truncateSync(ringPath, FILE_BYTES - 4096);
    expect(await refusal(openNode())).toBe('RING_TRUNCATED');
  });

  test('open elsewhere', async () => {
    await make();
    await openNode();
    expect(await refusal(openNode())).toBe('RING_LOCKED');
  });

  test("another node's", async () => {
    await make();
    await (await openNode()).close();
    expect(await refusal(openNode({ name: 'box-2' }))).toBe('RING_OTHER_NODE');
  });
});

describe('a ring that is a copy', () => {
  test('moved to another home, the node begins a new incarnation and sends what it holds as maybe duplicate', async () => {
    await make();
    const original = await openNode({ home: 'machine-a/1' });
    const identity = await send(original, 'central/bags');
    const { incarnation } = original.stats() ?? {};
    await original.close();
    const copyPath = join(folder, 'copy.ring');
    copyFileSync(ringPath, copyPath);
    const copy = await openNode({ home: 'machine-b/1' }, copyPath);
    const stats = copy.stats();
    expect(identity).toContain(String(incarnation));
    expect(stats?.incarnation).not.toBe(incarnation);
    const held = stats?.outgoing.filter((stream) => stream.held > 0) ?? [];
    expect(held.map((stream) => [stream.held, stream.stream.includes(String(stats?.incarnation))])).toEqual([[1, true]]);
  });

  test('at home it keeps its incarnation', async () => {
    await make();
    const first = await openNode({ home: 'machine-a/1' });
    const { incarnation } = first.stats() ?? {};
    await first.close();
    const second = await openNode({ home: 'machine-a/1' });
    expect(second.stats()?.incarnation).toBe(incarnation);
  });
});

describe('a node at work', () => {
  test('messages survive closing and opening; each opening is another epoch', async () => {
    await make();
    const first = await openNode();
    const sent = [await send(first), await send(first)];
    await first.close();
    const second = await openNode();
    expect(second.stats()?.epoch).toBe(2);
    const got: string[] = [];
    for (let i = 0; i < 2; i++) {
      const result = await second.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 });
      if (result.kind === 'received') got.push(String(result.received.message.identity.number));
    }
    expect([sent.length, got]).toEqual([2, ['1', '2']]);
  });

  test('a wait that is aborted answers with nothing, and the next message is not lost to it', async () => {
    await make();
    const node = await openNode();
    const abort = new AbortController();
    const waiting = node.call({ verb: 'receive', queue: 'bags', waitMs: 60_000, leaseMs: 1_000 }, abort.signal);
    abort.abort();
    expect(await waiting).toEqual({ kind: 'empty' });
    await send(node);
    expect((await node.call({ verb: 'receive', queue: 'bags', waitMs: 1_000, leaseMs: 1_000 })).kind).toBe('received');
  });

  test('a closed node refuses, and says that nothing was written', async () => {
    await make();
    const node = await openNode();
    await node.close();
    expect(await refusal(send(node))).toBe('NODE_STOPPED');
  });

  test('64 sends at once need far fewer than 64 writes', async () => {
    await make();
    const node = await openNode();
    const before = node.stats()?.ring.framesWritten ?? 0;
    await Promise.all(Array.from({ length: 64 }, () => send(node)));
    expect((node.stats()?.ring.framesWritten ?? 0) - before).toBeLessThan(16);
  });
});

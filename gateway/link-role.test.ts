/** A node that is to be reached at an address it cannot have yet. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { Node } from '../shared/node/node.ts';
import { connectLine } from '../shared/node/socket-line.ts';
import { runLink } from './link-role.ts';

const HOST = '127.0.0.1';

let folder: string;
const nodes: Node[] = [];
const stop = new AbortController();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-link-role-'));
});
afterEach(async () => {
  stop.abort();
  for (const node of nodes.splice(0)) await node.close();
  rmSync(folder, { recursive: true });
});

async function openNode(name: string, uplink: NodeConfig['uplink']): Promise<Node> {
  const ringPath = join(folder, `${name}.ring`);
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(name.length), volatile: 'allow' });
  const config: NodeConfig = {
    name,
    queues: [{ name: 'bags', bytesLimit: 100_000 }],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink,
    central: 'gateway',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
  const node = await Node.open({ config, ringPath, volatile: 'allow' });
  nodes.push(node);
  return node;
}

async function listening(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen({ host: HOST, port }, resolve));
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

test('a port that is taken is tried until it is free, said once, and then neighbours reach the node', async () => {
  const { server, port } = await listening(0);
  const gateway = await openNode('gateway', 'none');
  const device = await openNode('device-1', 'link');
  const logs: string[] = [];
  const role = {
    listen: { kind: 'tcp' as const, host: HOST, port },
    log: (level: string, text: string) => logs.push(`${level} ${text}`),
  };
  const running = runLink(gateway, role, stop.signal);
  // Long enough for several attempts: the first waits take 200 to 800 ms together.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(logs).toEqual([expect.stringMatching(/^warn tcp:.*EADDRINUSE/)]);
  await new Promise((resolve) => server.close(resolve));
  await vi.waitFor(() => expect(logs.at(-1)).toMatch(/^info listening on /), { timeout: 10_000 });

  void device.attach(await connectLine({ kind: 'tcp', host: HOST, port }), { role: 'dial', baud: undefined });
  await device.call({ verb: 'send', destination: 'gateway/bags', body: new Uint8Array([7]), properties: {} });
  const got = await gateway.call({ verb: 'receive', queue: 'bags', waitMs: 10_000, leaseMs: 1_000 });
  expect(got.kind).toBe('received');

  stop.abort();
  await running;
  const again = await listening(port);
  await new Promise((resolve) => again.server.close(resolve));
});

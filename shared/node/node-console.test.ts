/** What a neighbour says for people, through a whole node: to its console sink, or into its log, never as the node's own words. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toUtf8 } from '../bytes.ts';
import type { NodeConfig } from '../core/node-io.ts';
import { frameForLine } from '../link/cobs.ts';
import type { ConsoleLine } from '../link/console-text.ts';
import { encodePacket } from '../link/packets.ts';
import type { Line, LineListener } from '../ports.ts';
import { createRing } from './create-ring.ts';
import { Node, type NodeOptions } from './node.ts';

const CONFIG: NodeConfig = {
  name: 'gateway',
  queues: [],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
const BOOTS = toUtf8('\0U-Boot 2024.01\r\n\0');

let folder: string;
let node: Node | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-console-'));
});
afterEach(async () => {
  await node?.close();
  rmSync(folder, { recursive: true });
});

/** Opens a node, and lets a neighbour say an error and some stray text. */
async function hear(options: Partial<NodeOptions>): Promise<void> {
  const ringPath = join(folder, 'gateway.ring');
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(9), volatile: 'allow' });
  node = await Node.open({ config: CONFIG, ringPath, volatile: 'allow', ...options });
  let listener: LineListener | undefined;
  const line: Line = {
    write: () => 0,
    close: () => listener?.onClosed('closed'),
    listen: (given) => {
      listener = given;
    },
  };
  void node.attach(line, { role: 'accept', baud: 115_200 });
  listener?.onBytes(frameForLine(encodePacket({ kind: 'log', level: 3, text: toUtf8('Motor heiß\x1b[2J') }, 0)));
  listener?.onBytes(BOOTS);
}

test('goes to the sink, with its level', async () => {
  const heard: (ConsoleLine & { line: number })[] = [];
  const logs: string[] = [];
  await hear({ console: (line, said) => heard.push({ line, ...said }), log: (_level, text) => logs.push(text) });
  expect(heard).toMatchObject([
    { line: 1, from: 'packet', level: 'error', text: 'Motor heiß\\x1b[2J' },
    { line: 1, from: 'line', level: 'info', text: 'U-Boot 2024.01' },
  ]);
  expect(logs.join()).not.toContain('Motor');
});

test('goes into the log where there is no sink, marked as the words of another', async () => {
  const logs: string[] = [];
  await hear({ log: (level, text) => logs.push(`${level} ${text}`) });
  expect(logs).toContain('warn line 1 says (error): Motor heiß\\x1b[2J');
  expect(logs).toContain('info line 1, text: U-Boot 2024.01');
});

/**
 * Goal: a receiver in another language, written from docs/envelope.cddl, keeps custody: what a gateway let go of is in its store, each
 * once, whatever dies. Method: the built node sends over mosquitto to examples/foreign_receiver.py, which is killed with -9 again and
 * again, and so is the broker; then everything must be there once, and nothing at the gateway.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type Child, startCli, temporaryFolder } from './child.ts';
import { freePort } from './ingress-world.ts';

const RECEIVER = join(import.meta.dirname, '../examples/foreign_receiver.py');
const PYTHON = '/usr/bin/python3';
const KILLS = 4;
const WAIT_MS_MAX = 40_000;
const random = stream('foreign', 'kills');

let folder: { path: string; remove: () => void };
let gateway: Child | undefined;
let api: ApiClient | undefined;
let port = 0;
let broker: ChildProcess | undefined;
let receiver: ChildProcess | undefined;

beforeEach(async () => {
  folder = temporaryFolder('foreign');
  port = await freePort();
});
afterEach(async () => {
  api?.close();
  await gateway?.kill('SIGKILL');
  for (const child of [broker, receiver]) await killed(child);
  folder.remove();
});

function missing(): string | undefined {
  if (spawnSync(PYTHON, ['-c', 'import paho.mqtt.client']).status !== 0) return 'no paho for Python (Debian: python3-paho-mqtt)';
  return spawnSync('mosquitto', ['-h']).error === undefined ? undefined : 'mosquitto is not installed';
}

function startBroker(): void {
  writeFileSync(
    join(folder.path, 'mosquitto.conf'),
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n`,
  );
  broker = spawn('mosquitto', ['-c', join(folder.path, 'mosquitto.conf')], { stdio: 'ignore' });
}

function startReceiver(): void {
  receiver = spawn(PYTHON, [RECEIVER, join(folder.path, 'taken.db'), '127.0.0.1', `${port}`], { stdio: 'ignore' });
}

async function killed(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Bodies in the receiver's store, and how many it has of each. */
function taken(): string[] {
  const script =
    'import sqlite3,sys;[print(r[0].decode()) for r in sqlite3.connect(sys.argv[1]).execute("SELECT body FROM message ORDER BY stream, number")]';
  const { stdout } = spawnSync(PYTHON, ['-c', script, join(folder.path, 'taken.db')], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test(`${KILLS} kills of a receiver in Python, and of the broker: all is there once, and the gateway frees it`, async (context) => {
  const reason = missing();
  context.skip(reason !== undefined, reason);
  expect(readFileSync(RECEIVER, 'utf8').split('\n').length - 1).toBeLessThan(150);
  startBroker();
  startReceiver();
  const ring = '[ring]\nsize = "8 MiB"\nallowVolatile = true\n';
  writeFileSync(
    join(folder.path, 'edge.toml'),
    `name = "edge"\n${ring}[uplink]\nkind = "mqtt"\nbroker = "mqtt://127.0.0.1:${port}"\n`,
  );
  gateway = startCli(['node', '--config', 'edge.toml'], folder.path);
  await gateway.said(/pid \d+/);
  const client = new ApiClient({ socketPath: join(folder.path, 'edge.sock') });
  api = client;
  const sent: string[] = [];
  let isOver = false;
  const sending = (async () => {
    for (let i = 0; !isOver; i++) {
      const text = `message ${i}`;
      await client.call({
        verb: 'send',
        destination: 'central/bags',
        body: new TextEncoder().encode(text),
        properties: i % 7 === 0 ? { timeToBeReceivedMs: 1 } : { priority: i % 8 },
      });
      if (i % 7 !== 0) sent.push(text);
      await pause(2);
    }
  })();
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(500 + random.int(1000));
    if (kill % 2 === 1) {
      await killed(broker);
      await pause(200);
      startBroker();
    }
    await killed(receiver);
    startReceiver();
  }
  await pause(1000);
  isOver = true;
  await sending;
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  const held = async () => (await client.stats()).outgoing.reduce((sum, one) => sum + one.held, 0);
  while ((await held()) > 0 && performance.now() < deadlineMs) await pause(200);
  expect(await held()).toBe(0);
  const all = taken();
  expect(new Set(all).size).toBe(all.length);
  const wanted = new Set(sent);
  expect(all.filter((text) => wanted.has(text)).sort()).toEqual([...sent].sort());
}, 90_000);

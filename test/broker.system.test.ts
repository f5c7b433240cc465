/** The Broker contract against mosquitto, in both versions of MQTT. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { brokerContract } from './broker.contract.ts';
import { openRealWorld, type RunningBroker } from './broker-world.ts';

const PATH = `${process.env.PATH}:/usr/sbin`; // where Debian keeps it
const isThere = spawnSync('mosquitto', ['-h'], { env: { ...process.env, PATH } }).error === undefined;

if (isThere) {
  for (const protocol of [4, 5] as const)
    brokerContract(`mqtt.js and mosquitto, MQTT ${protocol}`, () => openRealWorld(protocol, startMosquitto));
} else {
  test('mosquitto', (context) => context.skip(true, 'mosquitto is not installed'));
}

async function startMosquitto(wanted: number): Promise<RunningBroker> {
  const port = wanted === 0 ? await freePort() : wanted;
  const folder = mkdtempSync(join(tmpdir(), 'ringmail-mosquitto-'));
  chmodSync(folder, 0o755); // started by root it reads its file as another user
  const config = join(folder, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 10000\n`);
  const child = spawn('mosquitto', ['-c', config], { stdio: 'ignore', env: { ...process.env, PATH } });
  await accepting(port);
  return {
    port,
    close: async () => {
      await killed(child);
      rmSync(folder, { recursive: true });
    },
  };
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

async function accepting(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('mosquitto does not start');
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** The Broker contract against mosquitto, in both versions of MQTT. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type IPublishPacket } from 'mqtt';
import { expect, test } from 'vitest';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import { brokerContract } from './broker.contract.ts';
import { openRealWorld, type RunningBroker } from './broker-world.ts';

const PATH = `${process.env.PATH}:/usr/sbin`; // where Debian keeps it
const isThere = spawnSync('mosquitto', ['-h'], { env: { ...process.env, PATH } }).error === undefined;

if (isThere) {
  for (const protocol of [4, 5] as const)
    brokerContract(`mqtt.js and mosquitto, MQTT ${protocol}`, () => openRealWorld(protocol, startMosquitto));
  test.each([4, 5] as const)('a publish with properties arrives over MQTT %i, with them where it has them', async (protocol) => {
    const broker = await startMosquitto(0);
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const subscriber = await connectAsync(url, { protocolVersion: protocol });
    const access = { broker: url, protocol, username: undefined, passwordFile: undefined };
    const port = connectBroker({ node: 'edge', access, log: () => {} });
    try {
      await subscriber.subscribeAsync('hall', { qos: 1 });
      const heard = new Promise<IPublishPacket>((resolve) =>
        subscriber.once('message', (_topic, _payload, packet) => resolve(packet)),
      );
      await new Promise<void>((resolve) => port.listen({ onUp: () => resolve(), onDown: () => {}, onMessage: () => {} }));
      const user = [
        ['a', '1'],
        ['a', '2'],
        ['b', '3'],
      ] as const;
      const properties = { contentType: 'text/plain', correlationId: 'c1', user };
      port.publish({ topic: 'hall', payload: Buffer.from('x'), qos: 1, retain: 'transient', properties });
      const packet = await heard;
      expect(packet.payload.toString()).toBe('x');
      const said = packet.properties;
      expect(said && { ...said, userProperties: { ...said.userProperties } }).toEqual(
        protocol === 4
          ? undefined
          : { contentType: 'text/plain', correlationData: Buffer.from('c1'), userProperties: { a: ['1', '2'], b: '3' } },
      );
    } finally {
      await port.close();
      await subscriber.endAsync(true);
      await broker.close();
    }
  });
  test('MQTT 5: that nobody is subscribed is said of custody; a status, and what a route publishes, may well have nobody', async () => {
    const broker = await startMosquitto(0);
    const access = {
      broker: `mqtt://127.0.0.1:${broker.port}`,
      protocol: 5,
      username: undefined,
      passwordFile: undefined,
    } as const;
    const port = connectBroker({ node: 'edge', access, log: () => {} });
    try {
      const said: string[] = [];
      await new Promise<void>((resolve) =>
        port.listen({ onUp: () => resolve(), onDown: () => {}, onMessage: () => {}, onRefused: (reason) => said.push(reason) }),
      );
      const publish = { payload: Buffer.from('x'), qos: 1 } as const;
      port.publish({ ...publish, topic: 'status', retain: 'retain' });
      await new Promise<void>((resolve) => port.publish({ ...publish, topic: 'route', retain: 'transient' }, () => resolve()));
      port.publish({ ...publish, topic: 'custody', retain: 'transient' });
      await expect.poll(() => said).toEqual(['publish to custody: No matching subscribers']);
    } finally {
      await port.close();
      await broker.close();
    }
  });
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

import { connect as dial } from 'node:net';
import { networkInterfaces } from 'node:os';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { PUBLISH_BYTES_MAX } from '../shared/limits.ts';
import { type RunningBroker, startBroker } from './embedded-broker.ts';

let broker: RunningBroker | undefined;
const clients: MqttClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.endAsync(true);
  await broker?.close();
  broker = undefined;
});

async function client(clientId: string, clean: boolean): Promise<MqttClient> {
  const made = await connectAsync(`mqtt://127.0.0.1:${broker?.port}`, { clientId, clean, reconnectPeriod: 0 });
  clients.push(made);
  return made;
}

function isReached(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial({ host, port }, () => resolve(true));
    socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
  });
}

test('listens on loopback and nowhere else, on a free port unless one is named', async (context) => {
  broker = await startBroker({ port: 0 });
  expect(broker.port).toBeGreaterThan(0);
  expect(await isReached('127.0.0.1', broker.port)).toBe(true);
  const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const other = others.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '';
  context.skip(other === '', 'this machine has no other address');
  expect(await isReached(other, broker.port)).toBe(false);
});

test('a port that is taken is an error, and leaves nothing behind', async () => {
  broker = await startBroker({ port: 0 });
  await expect(startBroker({ port: broker.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('keeps no backlog for who is away, whatever session it asks for', async () => {
  broker = await startBroker({ port: 0 });
  const first = await client('sleeper', false);
  await first.subscribeAsync('t', { qos: 1 });
  await first.endAsync(true);
  const other = await client('other', true);
  await other.publishAsync('t', 'while it slept', { qos: 1 });
  const heard: string[] = [];
  const again = await client('sleeper', false);
  again.on('message', (_topic, payload) => heard.push(payload.toString()));
  await again.subscribeAsync('u', { qos: 1 });
  await other.publishAsync('u', 'awake', { qos: 1 });
  while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(heard).toEqual(['awake']);
});

test('who publishes more than a node takes is cut off, and nobody hears of it, now or later', async () => {
  broker = await startBroker({ port: 0 });
  const listening = await client('listening', true);
  const heard: string[] = [];
  listening.on('message', (topic, payload) => heard.push(`${topic} ${payload.length}`));
  await listening.subscribeAsync('#', { qos: 1 });
  const other = await client('other', true);
  await other.publishAsync('fits', Buffer.alloc(PUBLISH_BYTES_MAX), { qos: 1, retain: true });
  const ended = new Promise((resolve) => other.once('close', () => resolve('ended')));
  other.on('error', () => {});
  other.publish('large', Buffer.alloc(PUBLISH_BYTES_MAX + 1), { qos: 1, retain: true });
  expect(await ended).toBe('ended');
  const later = await client('later', true);
  later.on('message', (topic, payload) => heard.push(`${topic} ${payload.length}`));
  await later.subscribeAsync('#', { qos: 1 });
  while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(heard).toEqual([`fits ${PUBLISH_BYTES_MAX}`, `fits ${PUBLISH_BYTES_MAX}`]);
});

test('closing ends every connection', async () => {
  broker = await startBroker({ port: 0 });
  const one = await client('one', true);
  const ended = new Promise((resolve) => one.once('close', () => resolve('ended')));
  await broker.close();
  expect(await ended).toBe('ended');
  const { port } = broker;
  broker = undefined;
  expect(await isReached('127.0.0.1', port)).toBe(false);
});

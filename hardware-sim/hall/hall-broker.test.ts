import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { foreignBroker, freePort, proxiedBroker } from './hall-broker.ts';

let server: Server;
beforeEach(async () => {
  server = createServer((socket) => socket.on('error', () => undefined).end('CONNACK'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

function said(url: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => undefined);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return new Promise((resolve) => socket.on('close', () => resolve(text)));
}

test('somebody else’s broker behind a proxy: away and back under the same URL', async () => {
  const broker = await proxiedBroker(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await broker.start();
  expect(await said(broker.url)).toBe('CONNACK');
  expect(await broker.kill()).toBe('broken');
  expect(await said(broker.url)).toBe('');
  await broker.start();
  expect(await said(broker.url)).toBe('CONNACK');
  await broker.stop();
});

test('straight to it: it is not ours to take away', async () => {
  const broker = foreignBroker('mqtts://broker.example:8883');
  expect([broker.url, await broker.kill()]).toEqual(['mqtts://broker.example:8883', 'was down']);
});

test('a port for a broker lies where no caller is given one', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThan(1023);
  expect(port).toBeLessThan(32_768);
});

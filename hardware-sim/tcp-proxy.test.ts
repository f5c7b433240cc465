import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { TcpProxy } from './tcp-proxy.ts';

let echo: Server;
let proxy: TcpProxy;
const dialled: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await TcpProxy.open({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
});
afterEach(async () => {
  for (const socket of dialled.splice(0)) socket.destroy();
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

function dial(): { socket: Socket; seen: string[] } {
  const socket = connect(proxy.port, '127.0.0.1');
  const seen: string[] = [];
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => seen.push(text));
  socket.on('error', () => undefined);
  socket.on('close', () => seen.push('closed'));
  dialled.push(socket);
  return { socket, seen };
}

test('passes bytes on, both ways', async () => {
  const { socket, seen } = dial();
  socket.write('a telegram');
  await vi.waitFor(() => expect(seen.join('')).toBe('a telegram'));
  expect(proxy.connectionCount).toBe(1);
});

test('cut: ends what it carries and what dials; restored: carries again under the same port', async () => {
  const before = dial();
  before.socket.write('1');
  await vi.waitFor(() => expect(before.seen).toEqual(['1']));
  proxy.cut();
  await vi.waitFor(() => expect(before.seen).toEqual(['1', 'closed']));
  const during = dial();
  await vi.waitFor(() => expect(during.seen).toEqual(['closed']));
  proxy.restore();
  const after = dial();
  after.socket.write('2');
  await vi.waitFor(() => expect(after.seen).toEqual(['2']));
});

test('a side that closes closes the other, and one that only stops writing still hears', async () => {
  const { socket, seen } = dial();
  socket.end('last words');
  await vi.waitFor(() => expect(seen.join('')).toBe('last wordsclosed'));
  await vi.waitFor(() => expect(proxy.connectionCount).toBe(0));
});

test('a target that is not there: the caller is hung up on', async () => {
  await new Promise((resolve) => {
    for (const socket of dialled) socket.destroy();
    echo.close(resolve);
  });
  const { seen } = dial();
  await vi.waitFor(() => expect(seen).toEqual(['closed']));
});

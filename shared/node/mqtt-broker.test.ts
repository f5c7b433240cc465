/** What the adapter does against brokers that misbehave: played by a few lines of TCP. What it shares with others: test/broker.test.ts. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker, Wanted } from '../ports.ts';
import { connectBroker } from './mqtt-broker.ts';

const CONNACK = Uint8Array.of(0x20, 2, 0, 0);

let server: Server;
let sockets: Socket[];
/** Bytes the broker got, all connections. */
let got: Buffer;
let answer: (socket: Socket, bytes: Buffer) => void;
let log: string[];
let heard: string[];
let broker: Broker;

beforeEach(async () => {
  sockets = [];
  got = Buffer.alloc(0);
  log = [];
  heard = [];
  answer = (socket, bytes) => {
    if (bytes[0] === 0x10) socket.write(CONNACK);
  };
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      answer(socket, bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await broker.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function dial(more: { passwordFile?: string; protocol?: 4 | 5; port?: number; begins?: Wanted } = {}): void {
  const { passwordFile, begins = 'connected', protocol = 4, port = (server.address() as AddressInfo).port } = more;
  const access = { broker: `mqtt://127.0.0.1:${port}`, protocol, username: passwordFile && 'me', passwordFile };
  broker = connectBroker({ node: 'gateway', access, begins, log: (level, text) => log.push(`${level} ${text}`) });
  broker.listen({
    onUp: () => heard.push('up'),
    onDown: (reason) => heard.push(`down: ${reason}`),
    onMessage: (topic) => heard.push(topic),
  });
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadline = performance.now() + 10_000; !holds() && performance.now() < deadline; ) await sleep(5);
  expect(holds(), what).toBe(true);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** PUBLISH packets with QoS 1 among what the broker got; all of them are shorter than 128 bytes. */
function publishes(): number {
  let count = 0;
  for (let at = 0; at < got.length; at += 2 + (got[at + 1] ?? 0)) if (got[at] === 0x32 || got[at] === 0x33) count += 1;
  return count;
}
const publish = (topic: string) => broker.publish({ topic, payload: Uint8Array.of(1), qos: 1, retain: 'transient' });

describe('bounds', () => {
  test('a broker that acknowledges nothing is given 64 publishes and no more', async () => {
    dial();
    await until(() => heard.length === 1, 'up');
    for (let i = 0; i < 5000; i++) publish(`t/${i}`);
    await sleep(200);
    expect(publishes()).toBe(64);
  });

  test('MQTT 5: no more than the broker says it receives at once', async () => {
    answer = (socket, bytes) => {
      if (bytes[0] === 0x10) socket.write(Uint8Array.of(0x20, 6, 0, 0, 3, 0x21, 0, 5)); // CONNACK with Receive Maximum 5
    };
    dial({ protocol: 5 });
    await until(() => heard.length === 1, 'up');
    for (let i = 0; i < 100; i++) publish(`t/${i}`);
    await sleep(200);
    expect(publishes()).toBe(5);
  });

  test('a packet larger than any of ours ends the connection long before it is whole', async () => {
    const chunk = Buffer.alloc(64 * 1024);
    let sent = 0;
    answer = (socket, bytes) => {
      if (bytes[0] !== 0x10 || sent > 0) return;
      socket.write(CONNACK);
      socket.write(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f)); // PUBLISH of 256 MB
      const more = () => {
        while (!socket.destroyed && sent < 64 * 1024 * 1024 && socket.write(chunk)) sent += chunk.length;
      };
      socket.on('drain', more);
      more();
    };
    dial();
    await until(() => heard.some((event) => event.startsWith('down')), 'down');
    expect(heard[1]).toBe('down: a packet larger than any of ours');
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  test('closing takes a second at the most, whatever the broker does', async () => {
    dial();
    await until(() => heard.length === 1, 'up');
    publish('never acknowledged');
    const before = performance.now();
    await broker.close();
    expect(performance.now() - before).toBeLessThan(3000);
    await until(() => sockets[0]?.readyState === 'closed' || sockets[0]?.readableEnded === true, 'the socket is gone');
  });
});

describe('trouble', () => {
  test('garbage instead of MQTT: down, and another attempt', async () => {
    answer = (socket) => socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    dial();
    await until(() => sockets.length >= 2, 'tried again');
    expect(heard).toEqual([]);
    expect(log.length).toBeGreaterThan(0);
  });

  test('refused at the door: said once, tried again', async () => {
    answer = (socket, bytes) => {
      if (bytes[0] === 0x10) socket.write(Uint8Array.of(0x20, 2, 0, 5)); // not authorised
    };
    dial();
    await until(() => sockets.length >= 3, 'tried again');
    expect(heard).toEqual([]);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(/not authorized/i);
  });

  test('nobody there: said once, tried again', async () => {
    dial({ port: 1 });
    await until(() => log.length > 0, 'said');
    await sleep(500);
    expect(log).toEqual(['warn broker mqtt://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1']);
  });

  test('a password file that is not there is trouble of the world, not the end', async () => {
    dial({ passwordFile: '/nowhere/at/all' });
    await until(() => log.length > 0, 'said');
    expect(log[0]).toMatch(/^warn .*password file.*ENOENT/);
    expect(sockets).toHaveLength(0);
  });

  test('a subscription that is refused makes the connection worthless', async () => {
    answer = (socket, bytes) => {
      if (bytes[0] === 0x10) socket.write(CONNACK);
      if (bytes[0] === 0x82) socket.write(Uint8Array.of(0x90, 3, bytes[2] ?? 0, bytes[3] ?? 0, 0x80)); // SUBACK: failure
    };
    dial();
    await until(() => heard.length === 1, 'up');
    broker.subscribe(['t']);
    expect(heard).toEqual(['up']);
    await until(() => heard.length >= 2, 'down');
    expect(heard[1]).toMatch(/^down: subscribe/);
  });
});

describe('wanted now and then', () => {
  /** Connections that are open. */
  const open = () => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length;

  test('connects when it is wanted, and not before; says goodbye when it is not, and stays away', async () => {
    answer = (socket, bytes) => {
      if (bytes[0] === 0x10) socket.write(CONNACK);
      if (bytes[0] === 0x33)
        socket.write(Uint8Array.of(0x40, 2, ...bytes.subarray(2 + 2 + 'ringmail/status/gateway'.length).subarray(0, 2)));
    };
    dial({ begins: 'apart' });
    await sleep(50);
    expect(sockets).toHaveLength(0);
    broker.want?.('connected');
    await until(() => heard.length === 1, 'up');
    got = Buffer.alloc(0);
    broker.want?.('apart');
    expect(heard).toEqual(['up']);
    await until(() => open() === 0, 'gone');
    expect(heard).toEqual(['up', 'down: not needed']);
    expect([got[0], got.includes('ringmail/status/gateway'), got.subarray(-2)]).toEqual([0x33, true, Buffer.of(0xe0, 0)]);
    await sleep(300);
    expect([sockets.length, log.filter((line) => line.startsWith('warn'))]).toEqual([1, []]);
  });

  test('who is wanted again while he says goodbye comes back when that is said', async () => {
    dial();
    await until(() => heard.length === 1, 'up');
    let togetherMax = 0;
    server.on('connection', () => {
      togetherMax = Math.max(togetherMax, open());
    });
    broker.want?.('apart');
    broker.want?.('connected');
    await until(() => heard.filter((word) => word === 'up').length === 2, 'up again');
    expect([heard, togetherMax]).toEqual([['up', 'down: not needed', 'up'], 1]);
  });

  test('not wanted while it tries: it stops trying', async () => {
    answer = (socket, bytes) => {
      if (bytes[0] === 0x10) socket.destroy();
    };
    dial();
    await until(() => sockets.length >= 2, 'tried');
    broker.want?.('apart');
    await until(() => open() === 0, 'gone');
    const tried = sockets.length;
    await sleep(700);
    expect([sockets.length, heard]).toEqual([tried, []]);
  });
});

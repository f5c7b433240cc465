/**
 * Running nodes among peers that break every rule: on the link, at the broker, at the local API. After each of them the node answers
 * as before, honest neighbours are served, its counters show what came, and its memory is what it was.
 *
 *   device ═ TCP ═▶ central ◀─ broker ─ gateway          hostile: TCP lines, MQTT clients, API connections
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RunningBroker, startBroker } from '../gateway/embedded-broker.ts';
import { stream } from '../hardware-sim/random.ts';
import { concatBytes, fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { PUBLISH_BYTES_MAX } from '../shared/limits.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type ApiServer, serveApi } from '../shared/node/api/server.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import { Node } from '../shared/node/node.ts';
import { connectLine, type LineListening, listenLines } from '../shared/node/socket-line.ts';
import type { Line } from '../shared/ports.ts';

const HOST = '127.0.0.1';
const PATIENCE = { timeout: 20_000, interval: 10 };
const HEAP_GROWTH_BYTES_MAX = 24 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const random = stream('hostile', 'bytes');

const bytes = (...parts: (number[] | string | Uint8Array)[]): Uint8Array =>
  concatBytes(parts.map((part) => (typeof part === 'string' ? toUtf8(part) : Uint8Array.from(part))));
const repeated = (byte: number, count: number): Uint8Array => new Uint8Array(count).fill(byte);

/** CBOR, and what claims to be: nested, endless, larger than any memory, and keys that are more than keys in JavaScript. */
const BOMBS: Record<string, Uint8Array> = {
  'nothing at all': new Uint8Array(0),
  'arrays in arrays': repeated(0x81, 100_000),
  'endless arrays in endless arrays': repeated(0x9f, 100_000),
  'maps in maps': repeated(0xa1, 100_000),
  'tags on tags': repeated(0xc1, 100_000),
  'a byte string of 2^64 - 1': bytes([0x5b], repeated(0xff, 8), 'x'),
  'a text of 2 GiB': bytes([0x7a, 0x7f, 0xff, 0xff, 0xff], 'x'),
  'an array of 2^53 items': bytes([0x9b, 0, 0x20, 0, 0, 0, 0, 0, 0], repeated(0, 100)),
  'a map of 4 Gi entries': bytes([0xba, 0xff, 0xff, 0xff, 0xff], repeated(0, 100)),
  'half a number': bytes([0x1b, 0, 0]),
  'a key __proto__': bytes([0xa1, 0x69], '__proto__', [0xa1, 0x68], 'polluted', [0xf5]),
  'keys constructor and prototype': bytes(
    [0xa1, 0x6b],
    'constructor',
    [0xa1, 0x69],
    'prototype',
    [0xa1, 0x68],
    'polluted',
    [0xf5],
  ),
  'a header of version 1 and __proto__': bytes([0xa2, 0, 1, 0x69], '__proto__', [0xa1, 0x68], 'polluted', [0xf5]),
  'a header of version 99': bytes([0xa1, 0, 0x18, 99]),
  'a header that counts 2^32 items': bytes([0xa2, 0, 1, 4, 0x1a, 0xff, 0xff, 0xff, 0xff]),
  ...Object.fromEntries([1, 7, 100, 4_096, 65_536].map((count) => [`${count} bytes of noise`, random.bytes(count)])),
};

let folder: string;
let broker: RunningBroker;
let central: Node;
let gateway: Node;
let device: Node;
let api: ApiServer;
let listener: LineListening;
let client: ApiClient;
let hostile: MqttClient;
let epochs: (number | undefined)[];
let heapBefore = 0;
let number = 0;
/** What honest nodes said: on the link, and at the broker. */
const overheard: { line: Uint8Array[]; broker: { topic: string; payload: Uint8Array }[] } = { line: [], broker: [] };

async function open(name: string, how: Partial<NodeConfig>, withBroker: 'broker' | 'alone'): Promise<Node> {
  const ringPath = join(folder, `${name}.ring`);
  await createRing(ringPath, { fileBytes: 4 * 1024 * 1024, fileId: random.bytes(16).slice(), volatile: 'allow' });
  const config: NodeConfig = {
    name,
    queues: [{ name: 'bags', bytesLimit: 500_000 }],
    unknownQueue: 'refuse',
    queueBytesLimit: 200_000,
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
    ...how,
  };
  const access = { broker: `mqtt://${HOST}:${broker.port}`, protocol: 4 as const, username: undefined, passwordFile: undefined };
  const connected = { connectBroker: () => connectBroker({ node: name, access, log: () => {} }) };
  return Node.open({ config, ringPath, volatile: 'allow', ...(withBroker === 'broker' && connected) });
}

/** A line that remembers what was written to it. */
function recorded(line: Line): Line {
  return {
    write: (written) => {
      overheard.line.push(written.slice());
      return line.write(written);
    },
    close: () => line.close(),
    listen: (to) => line.listen(to),
  };
}

/** An honest message over each way arrives at the central, whose application takes it. */
async function expectServed(): Promise<void> {
  number += 1;
  const texts = [`local ${number}`, `device ${number}`, `gateway ${number}`];
  await client.send('bags', toUtf8(texts[0] ?? ''));
  for (const [node, text] of [
    [device, texts[1]],
    [gateway, texts[2]],
  ] as const)
    await node.call({ verb: 'send', destination: 'central/bags', body: toUtf8(text ?? ''), properties: {} });
  const got: string[] = [];
  while (got.length < texts.length) {
    const received = await client.call({ verb: 'receive', queue: 'bags', waitMs: 20_000, leaseMs: 30_000 });
    if (received.kind !== 'received') throw new Error(`after 20 s only ${got.join(', ')}`);
    await client.call({ verb: 'ack', lease: received.received.lease });
    const text = fromUtf8(received.received.message.body) ?? '';
    if (texts.includes(text)) got.push(text);
  }
  expect(got.sort()).toEqual(texts.sort());
}

const counter = (node: Node, name: string): number => node.stats()?.counters[name] ?? 0;
const heapBytes = (): number => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-hostile-'));
  broker = await startBroker({ port: 0 });
  central = await open('central', { isCentral: 'yes' }, 'broker');
  gateway = await open('gateway', { uplink: 'mqtt', queues: [] }, 'broker');
  device = await open('device', { uplink: 'link', queues: [] }, 'alone');
  api = await serveApi(central, { socketPath: join(folder, 'api.sock') });
  client = new ApiClient({ socketPath: join(folder, 'api.sock') });
  listener = await listenLines({ kind: 'tcp', host: HOST, port: 0 }, (line) => {
    void central.attach(line, { role: 'accept', baud: undefined });
  });
  hostile = await connectAsync(`mqtt://${HOST}:${broker.port}`, { clientId: 'hostile', reconnectPeriod: 0 });
  hostile.on('message', (topic, payload) => overheard.broker.push({ topic, payload: new Uint8Array(payload) }));
  await hostile.subscribeAsync('ringmail/#', { qos: 1 });
  const line = await connectLine({ kind: 'tcp', host: HOST, port: listener.port ?? 0 });
  void device.attach(recorded(line), { role: 'dial', baud: undefined });
  for (let i = 0; i < 5; i++) await expectServed();
  await hostile.unsubscribeAsync('ringmail/#');
  epochs = [central, gateway, device].map((node) => node.stats()?.epoch);
  heapBefore = heapBytes();
});
afterEach(async () => {
  await expectServed();
  expect([central, gateway, device].map((node) => node.stats()?.epoch)).toEqual(epochs);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  // What is on its way to somebody may still be held: it must not stay.
  await vi.waitFor(() => expect(heapBytes() - heapBefore).toBeLessThan(HEAP_GROWTH_BYTES_MAX), PATIENCE);
});
afterAll(async () => {
  await hostile.endAsync(true);
  await listener.close();
  await api.close();
  for (const node of [device, gateway, central]) await node.close();
  await broker.close();
  rmSync(folder, { recursive: true });
});

function socketTo(target: { port: number } | { path: string }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = dial({ host: HOST, ...target } as never, () => resolve(socket));
    socket.on('error', reject).resume();
  });
}

/** Says this and hangs up. Resolves when both ends are gone. */
async function say(target: { port: number } | { path: string }, words: readonly Uint8Array[]): Promise<void> {
  const socket = await socketTo(target);
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const word of words) socket.write(word);
  socket.end();
  const timer = setTimeout(() => socket.destroy(), 500);
  await gone;
  clearTimeout(timer);
}

describe('on the link', () => {
  const link = (...words: Uint8Array[]): Promise<void> => say({ port: listener.port ?? 0 }, words);
  const runs = (): number =>
    ['runsCorrupt', 'runsMalformed', 'consoleRuns'].reduce((sum, name) => sum + counter(central, name), 0);

  test('noise, bombs and half frames, each as a run of its own', async () => {
    const before = runs();
    for (const bomb of Object.values(BOMBS)) await link(bytes([0], bomb, [0]));
    await vi.waitFor(() => expect(runs()).toBeGreaterThan(before + 10), PATIENCE);
  });

  test('a run that never ends', async () => {
    const before = counter(central, 'runsTooLong');
    const received = counter(central, 'bytesReceived');
    await link(...Array.from({ length: 128 }, () => repeated(0xee, 65_536)), bytes([0]));
    await vi.waitFor(() => expect(counter(central, 'bytesReceived')).toBeGreaterThan(received + 4_000_000), PATIENCE);
    await vi.waitFor(() => expect(counter(central, 'runsTooLong')).toBeGreaterThan(before), PATIENCE);
  });

  test('what an honest device said: cut anywhere, with any bit wrong, in any order, and all of it again', async () => {
    const said = overheard.line.slice(0, 20);
    expect(said.length).toBeGreaterThan(2);
    const before = runs();
    for (const words of said) {
      await link(words.subarray(0, words.length >> 1));
      const wrong = words.slice();
      const at = random.int(wrong.length);
      wrong[at] = (wrong[at] ?? 0) ^ (1 << random.int(8));
      await link(wrong);
    }
    await link(...[...said].reverse());
    await link(...said);
    expect(runs()).toBeGreaterThan(before);
  });

  test('many lines that say nothing', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => socketTo({ port: listener.port ?? 0 })));
    await expectServed();
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(() => expect(central.stats()?.links.length).toBeLessThan(10), PATIENCE);
  });
});

describe('at the broker', () => {
  const TOPICS = ['ringmail/queue/central/bags/0', 'ringmail/sync/gateway', 'ringmail/sync/stranger', 'ringmail/receipt/gateway'];
  const say1 = (topic: string, payload: Uint8Array, retain = false): Promise<unknown> =>
    hostile.publishAsync(topic, Buffer.from(payload), { qos: 1, retain });
  const heard = (): number =>
    counter(central, 'relayMalformed') + counter(central, 'relayUnknownVersion') + counter(central, 'relayTooLarge');

  test('noise and bombs on every topic', async () => {
    const [before, ignored] = [heard(), counter(gateway, 'uplinkIgnored')];
    for (const topic of TOPICS) for (const bomb of Object.values(BOMBS)) await say1(topic, bomb);
    await vi.waitFor(() => expect(heard()).toBeGreaterThan(before + 2 * Object.keys(BOMBS).length), PATIENCE);
    await vi.waitFor(() => expect(counter(gateway, 'uplinkIgnored')).toBeGreaterThan(ignored + 10), PATIENCE);
  });

  test('topics that are no topics of ours', async () => {
    for (const topic of [
      'queue/central/bags/99999',
      'queue/central/__proto__/0',
      'queue/central//0',
      'sync/__proto__',
      'sync/constructor',
      'status/central',
      'status/x',
    ])
      await say1(`ringmail/${topic}`, BOMBS['a key __proto__'] ?? new Uint8Array(0));
  });

  test('what honest nodes said: cut, with wrong bits, and all of it again', async () => {
    const said = overheard.broker.filter(({ topic }) => !topic.startsWith('ringmail/status/')).slice(0, 40);
    expect(said.some(({ topic }) => topic.startsWith('ringmail/queue/'))).toBe(true);
    const before = heard();
    for (const { topic, payload } of said) {
      await say1(topic, payload.subarray(0, payload.length >> 1));
      const wrong = payload.slice();
      const at = random.int(wrong.length);
      wrong[at] = (wrong[at] ?? 0) ^ (1 << random.int(8));
      await say1(topic, wrong);
      await say1(topic, payload);
    }
    await vi.waitFor(() => expect(heard()).toBeGreaterThan(before), PATIENCE);
  });

  test('publishes as large as a broker lets through', async () => {
    const large = random.bytes(PUBLISH_BYTES_MAX);
    for (const topic of TOPICS) for (let i = 0; i < 5; i++) await say1(topic, large);
  });

  test('one that waits, retained, for every subscriber that comes', async () => {
    for (const topic of TOPICS) await say1(topic, random.bytes(10_000), true);
    await expectServed();
    for (const topic of TOPICS) await say1(topic, new Uint8Array(0), true);
  });

  test('one that is larger than a node would believe of any broker goes to nobody, and waits for nobody', async () => {
    const other = await connectAsync(`mqtt://${HOST}:${broker.port}`, { clientId: 'hostile-2', reconnectPeriod: 0 });
    const ended = new Promise<void>((resolve) => other.once('close', () => resolve()));
    other.on('error', () => {}); // it is refused: that is what the test is about
    other.publish('ringmail/sync/stranger', Buffer.from(random.bytes(1_000_000)), { qos: 1, retain: true });
    await ended;
    await other.endAsync(true);
  });
});

describe('at the local API', () => {
  const path = (): string => join(folder, 'api.sock');
  const POST = 'POST /v1/send/bags HTTP/1.1\r\nHost: x\r\n';

  test.each<[string, () => Uint8Array]>([
    ['noise', () => random.bytes(65_536)],
    ['half a request', () => bytes(`${POST}Content-Len`)],
    ['half a body', () => bytes(`${POST}Content-Length: 100\r\n\r\nhalf`)],
    ['a length beyond all numbers', () => bytes(`${POST}Content-Length: 99999999999999999999\r\n\r\nx`)],
    ['two lengths', () => bytes(`${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`)],
    ['a chunk larger than memory', () => bytes(`${POST}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx`)],
    ['a line that never ends', () => repeated(0x41, 1_000_000)],
    ['headers that never end', () => bytes(POST, 'X: y\r\n'.repeat(100_000))],
    [
      '__proto__ everywhere',
      () =>
        bytes(
          'POST /v1/send/__proto__?__proto__=1&constructor=2 HTTP/1.1\r\nHost: x\r\n__proto__: 1\r\nContent-Length: 0\r\n\r\n',
        ),
    ],
    [
      'a header of the application named __proto__',
      () => bytes('POST /v1/send/bags?header:__proto__=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n'),
    ],
    ['a thousand requests at once', () => bytes('GET /v1/stats HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000))],
  ])('%s', async (_name, words) => {
    await say({ path: path() }, [words()]);
  });

  test('bombs as bodies are kept as they are', async () => {
    for (const whole of Object.values(BOMBS)) {
      const bomb = whole.subarray(0, 40_000);
      await client.send('bags', bomb, { contentType: 'application/cbor' });
      const got = await client.call({ verb: 'receive', queue: 'bags', waitMs: 5_000, leaseMs: 30_000 });
      if (got.kind !== 'received') throw new Error(got.kind);
      expect(Buffer.compare(got.received.message.body, bomb)).toBe(0);
      await client.call({ verb: 'ack', lease: got.received.lease });
    }
  });
});

/** What docs/mqtt-ingress.md promises, with a real client, with one that does not behave, and with a node that answers as it is told. */
import { createHash } from 'node:crypto';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import type { Node } from '../shared/node/node.ts';
import { openIngress, RealRing, type RunningIngress, ScriptedNode } from './ingress-world.ts';
import {
  CONNACK,
  connectPacket,
  DISCONNECT,
  idPacket,
  PUBACK,
  PUBCOMP,
  PUBREC,
  PUBREL,
  publishPacket,
  RawMqtt,
  SUBACK,
  subscribePacket,
} from './raw-mqtt.ts';

let ingress: RunningIngress | undefined;
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await ingress?.close();
  ingress = undefined;
});

async function open(
  node: Parameters<typeof openIngress>[0],
  options?: Parameters<typeof openIngress>[1],
): Promise<RunningIngress> {
  ingress = await openIngress(node, options);
  return ingress;
}

async function client(options: IClientOptions = {}): Promise<MqttClient> {
  const made = await connectAsync({ host: '127.0.0.1', port: ingress?.port ?? 0, reconnectPeriod: 0, ...options });
  made.on('error', () => {});
  closers.push(() => made.endAsync(true));
  return made;
}

/** Past CONNECT. */
async function raw(connecting: Parameters<typeof connectPacket>[0]): Promise<RawMqtt> {
  const made = new RawMqtt(ingress?.port ?? 0);
  closers.push(() => made.drop());
  made.send(connectPacket(connecting));
  expect(await made.next()).toMatchObject({ type: CONNACK });
  return made;
}

const ack = (type: number, packetId: number) => ({ type, rest: Buffer.of(packetId >> 8, packetId & 0xff) });

/** What waits for ever is a bug, and found out sooner than the runner would. */
const SOON = { timeout: 15_000 };

describe('a publish', SOON, () => {
  test('is answered with PUBACK when the node has it on its disk, and not before', async () => {
    const node = new ScriptedNode();
    await open(node);
    const waiting = await raw({ clientId: 'waiting' });
    waiting.send(publishPacket({ topic: 'slow/1', payload: 'a', qos: 1, packetId: 7 }));
    await vi.waitFor(() => expect(node.bodies()).toEqual(['a']));
    const other = await client();
    for (let i = 0; i < 5; i++) await other.publishAsync('fast/1', `${i}`, { qos: 1 });
    expect(waiting.arrived).toEqual([]);
    node.hurry();
    expect(await waiting.next()).toEqual(ack(PUBACK, 7));
    expect(node.taken[0]).toMatchObject({ answer: 'disk' });
  });

  test('with QoS 2 is answered with PUBREC when the node has it on its disk, and not before', async () => {
    const node = new ScriptedNode();
    await open(node);
    const waiting = await raw({ clientId: 'waiting', session: 'kept' });
    waiting.send(publishPacket({ topic: 'slow/1', payload: 'a', qos: 2, packetId: 8 }));
    await vi.waitFor(() => expect(node.bodies()).toEqual(['a']));
    const other = await client();
    await other.publishAsync('fast/1', 'b', { qos: 2 });
    expect(waiting.arrived).toEqual([]);
    node.hurry();
    expect(await waiting.next()).toEqual(ack(PUBREC, 8));
  });

  test('becomes a message by the first rule whose topic fits, with its topic and client in headers', async () => {
    const node = new ScriptedNode();
    await open(node);
    const one = await client({ clientId: 'probe-3' });
    await one.publishAsync('sensors/7/temperature', '21.5', { qos: 1, retain: true });
    await one.publishAsync('fast/x', Buffer.of(0, 255, 128), { qos: 1 });
    expect(node.taken).toEqual([
      {
        verb: 'send',
        destination: 'n/fast',
        body: new Uint8Array(Buffer.from('21.5')),
        properties: {
          priority: 5,
          contentType: 'application/json',
          label: 'warm',
          headers: new Map([
            ['mqtt-topic', 'sensors/7/temperature'],
            ['mqtt-client', 'probe-3'],
            ['mqtt-retained', '1'],
          ]),
        },
        answer: 'disk',
        waitMs: 30_000,
      },
      expect.objectContaining({
        body: new Uint8Array([0, 255, 128]),
        properties: {
          headers: new Map([
            ['mqtt-topic', 'fast/x'],
            ['mqtt-client', 'probe-3'],
          ]),
        },
      }),
    ]);
    expect(ingress?.counts()).toMatchObject({ clients: 1, accepted: 2 });
  });

  test('with QoS 0 is express; without room it is dropped and counted, and the connection stays', async () => {
    const node = new ScriptedNode();
    const { counts } = await open(node);
    const one = await client();
    await one.publishAsync('fast/1', 'a', { qos: 0 });
    await one.publishAsync('full/1', 'b', { qos: 0 });
    await one.publishAsync('unknown/1', 'c', { qos: 0 });
    await one.publishAsync('fast/2', 'd', { qos: 1 });
    expect(node.taken.map(({ delivery }) => delivery)).toEqual(['express', undefined]);
    expect(counts()).toMatchObject({ acceptedExpress: 1, droppedExpress: 1, refusedTopics: 1, accepted: 1 });
  });

  test('with QoS 0 straight before DISCONNECT is taken', async () => {
    const node = new ScriptedNode();
    await open(node);
    const one = await raw({ clientId: 'hasty' });
    const packets = ['a', 'b', 'c'].map((payload) => publishPacket({ topic: 'fast/1', payload, qos: 0 }));
    one.send(...packets, DISCONNECT);
    await vi.waitFor(() => expect(node.bodies()).toEqual(['a', 'b', 'c']));
  });

  test('under a topic that no rule fits ends the connection unanswered', async () => {
    const node = new ScriptedNode();
    const { counts, logs } = await open(node);
    const one = await raw({ clientId: 'lost' });
    one.send(publishPacket({ topic: 'nowhere', payload: 'a', qos: 1 }));
    expect(await one.next()).toBe('closed');
    expect(counts()).toMatchObject({ refusedTopics: 1, accepted: 0, clients: 0 });
    expect(logs.at(-1)).toMatch(/client "lost", topic "nowhere", QoS 1: ROUTE_NOT_FOUND/);
  });

  test('under a topic of the broker itself reaches nobody, not even other clients of the ingress', async () => {
    const node = new ScriptedNode();
    await open(node, { rules: [{ topic: '#', queue: 'n/fast', priority: undefined, contentType: undefined, label: undefined }] });
    const victim = await client({ clientId: 'victim' });
    const one = await client();
    await one.publishAsync('$SYS/other/new/clients', 'victim', { qos: 0 });
    await one.publishAsync('a', 'b', { qos: 1 });
    await victim.publishAsync('c', 'd', { qos: 1 });
    expect(node.bodies()).toEqual(['b', 'd']);
  });
});

describe('a full queue', SOON, () => {
  test('answers nothing, and PUBACK when there is room: the connection stands', async () => {
    const node = new ScriptedNode();
    await open(node);
    const one = await raw({ clientId: 'one' });
    one.send(publishPacket({ topic: 'full/1', payload: 'a', qos: 1, packetId: 3 }));
    await vi.waitFor(() => expect(node.refusals).toBeGreaterThan(1));
    expect(one.arrived).toEqual([]);
    node.isFull = false;
    expect(await one.next()).toEqual(ack(PUBACK, 3));
    expect(node.bodies()).toEqual(['a']);
  });

  test('lets nothing of its client pass what waits, and holds up nobody else', async () => {
    const node = new ScriptedNode();
    await open(node);
    const one = await raw({ clientId: 'one' });
    one.send(
      publishPacket({ topic: 'fast/1', payload: 'a', qos: 1, packetId: 1 }),
      publishPacket({ topic: 'full/1', payload: 'b', qos: 1, packetId: 2 }),
      publishPacket({ topic: 'fast/1', payload: 'c', qos: 1, packetId: 3 }),
    );
    expect(await one.next()).toEqual(ack(PUBACK, 1));
    const other = await client();
    await other.publishAsync('fast/2', 'other', { qos: 1 });
    expect(node.bodies()).toEqual(['a', 'other']);
    node.isFull = false;
    expect([await one.next(), await one.next()]).toEqual([ack(PUBACK, 2), ack(PUBACK, 3)]);
    expect(node.bodies()).toEqual(['a', 'other', 'b', 'c']);
  });

  test('ends the connection after holdMs, so that the client comes again; health says why', async () => {
    const node = new ScriptedNode();
    const { counts } = await open(node, { holdMs: 250 });
    const other = await client();
    const one = await raw({ clientId: 'one' });
    one.send(
      publishPacket({ topic: 'full/1', payload: 'b', qos: 1, packetId: 2 }),
      publishPacket({ topic: 'fast/1', payload: 'c', qos: 1, packetId: 3 }),
    );
    expect(await one.next()).toBe('closed');
    expect(node.ingress?.trouble()).toMatch(/QUEUE_FULL/);
    await other.publishAsync('fast/2', 'other', { qos: 1 });
    expect(counts()).toMatchObject({ clients: 1, accepted: 1 });
    expect(counts().refusedFull).toBeGreaterThan(0);
    node.isFull = false;
    const again = await raw({ clientId: 'one' });
    again.send(
      publishPacket({ topic: 'full/1', payload: 'b', qos: 1, packetId: 2, flags: 8 }),
      publishPacket({ topic: 'fast/1', payload: 'c', qos: 1, packetId: 3, flags: 8 }),
    );
    expect([await again.next(), await again.next()]).toEqual([ack(PUBACK, 2), ack(PUBACK, 3)]);
    expect(node.bodies()).toEqual(['other', 'b', 'c']);
  });

  test('of a real node: every message that was answered is there, in order, and no other', async () => {
    const ring = new RealRing();
    closers.push(() => ring.remove());
    const node = await ring.open();
    closers.push(() => node.close());
    await open(node, { holdMs: 400 });
    const one = await raw({ clientId: 'one' });
    let answered = 0;
    for (let i = 0; ; i++) {
      one.send(publishPacket({ topic: 'full/1', payload: `message ${i}`.padEnd(100), qos: 1, packetId: i + 1 }));
      if ((await one.next()) === 'closed') break;
      answered += 1;
    }
    expect(answered).toBeGreaterThan(0);
    expect(await drain(node, 'full')).toEqual(Array.from({ length: answered }, (_, i) => `message ${i}`));
    expect(node.stats()?.health).toMatchObject({ status: 'red', causes: [{ code: 'INGRESS_HELD' }] });
  });
});

test('a disk that does not answer within holdMs ends the connection', SOON, async () => {
  const node = new ScriptedNode();
  const { counts } = await open(node, { holdMs: 150 });
  const one = await raw({ clientId: 'one' });
  one.send(publishPacket({ topic: 'slow/1', payload: 'a', qos: 1 }));
  expect(await one.next()).toBe('closed');
  expect(counts()).toMatchObject({ refusedStore: 1, accepted: 0 });
  node.hurry();
});

describe('what is not for an ingress', () => {
  test('subscribing is refused with 0x80, and the connection stays', async () => {
    const node = new ScriptedNode();
    const { counts } = await open(node);
    const one = await raw({ clientId: 'listener' });
    one.send(subscribePacket('#'));
    expect(await one.next()).toEqual({ type: SUBACK, rest: Buffer.of(0, 9, 0x80) });
    const other = await client();
    await other.publishAsync('fast/1', 'a', { qos: 1 });
    one.send(publishPacket({ topic: 'fast/1', payload: 'b', qos: 1, packetId: 5 }));
    expect(await one.next()).toEqual(ack(PUBACK, 5));
    expect(counts()).toMatchObject({ refusedSubscriptions: 1 });
  });

  test('MQTT 5 is refused with CONNACK 1', async () => {
    const { counts } = await open(new ScriptedNode());
    const one = await raw({ clientId: 'modern', protocol: 5 }).catch(() => undefined);
    expect(await one?.next()).toBe('closed');
    expect(counts()).toMatchObject({ refusedProtocol: 1 });
  });

  test('a packet above packetLimit ends its connection at the header, and no other', async () => {
    const node = new ScriptedNode();
    const { counts } = await open(node, { packetBytesMax: 4096 });
    const other = await client();
    const one = await raw({ clientId: 'large' });
    one.send(publishPacket({ topic: 'fast/1', payload: 'x'.repeat(5000), qos: 1 }).subarray(0, 10));
    expect(await one.next()).toBe('closed');
    await other.publishAsync('fast/1', 'x'.repeat(4000), { qos: 1 });
    expect(counts()).toMatchObject({ refusedPackets: 1, accepted: 1 });
  });

  test('one client more than `clients` is closed at once, and may come when another has gone', async () => {
    const { counts } = await open(new ScriptedNode(), { clientCountMax: 2 });
    const first = await raw({ clientId: 'a' });
    await raw({ clientId: 'b' });
    const third = new RawMqtt(ingress?.port ?? 0);
    third.send(connectPacket({ clientId: 'c' }));
    expect(await third.next()).toBe('closed');
    expect(counts()).toMatchObject({ clients: 2, refusedClients: 1 });
    await first.drop();
    await vi.waitFor(() => expect(counts()).toMatchObject({ clients: 1 }));
    await raw({ clientId: 'c' });
  });

  test('a wrong password is CONNACK 4, a client without an id and with a session CONNACK 2', async () => {
    const sha256 = createHash('sha256').update('right').digest('hex');
    const node = new ScriptedNode();
    const { counts } = await open(node, { passwordText: `# people\nbelt:${sha256}\n` });
    await expect(client({ username: 'belt', password: 'wrong' })).rejects.toMatchObject({ code: 4 });
    await expect(client({ username: 'other', password: 'right' })).rejects.toMatchObject({ code: 4 });
    await expect(client()).rejects.toMatchObject({ code: 4 });
    const nameless = new RawMqtt(ingress?.port ?? 0);
    nameless.send(connectPacket({ clientId: '', session: 'kept' }));
    expect(await nameless.next()).toMatchObject({ type: CONNACK, rest: Buffer.of(0, 2) });
    const good = await client({ username: 'belt', password: 'right' });
    await good.publishAsync('fast/1', 'a', { qos: 1 });
    expect(counts()).toMatchObject({ refusedLogins: 4, accepted: 1 });
  });
});

describe('who publishes more than may be in flight', () => {
  const LIMIT = 16 * 1024;
  const message = (i: number): Buffer =>
    publishPacket({ topic: 'slow/1', payload: `${i}`.padEnd(1000), qos: 1, packetId: i + 1 });

  test('loses nothing and is answered in order', async () => {
    const COUNT = 1_000;
    const node = new ScriptedNode();
    await open(node, { inFlightBytesMax: LIMIT });
    const one = await raw({ clientId: 'flood' });
    one.send(...Array.from({ length: COUNT }, (_, i) => message(i)));
    const hurrying = setInterval(() => node.hurry(), 1);
    for (let i = 0; i < COUNT; i++) expect(await one.next()).toEqual(ack(PUBACK, i + 1));
    clearInterval(hurrying);
    expect(node.bodies().map(Number)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  });

  test('is not read further, whether it all comes at once or message by message', async () => {
    const node = new ScriptedNode();
    await open(node, { inFlightBytesMax: LIMIT });
    const one = await raw({ clientId: 'drip' });
    one.socket.setNoDelay(true);
    for (let i = 0; i < 400; i++) {
      one.send(message(i));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    // Enough for the loopback to bring what somebody reads.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const bytes = node.taken.reduce((sum, { body }) => sum + body.length, 0);
    expect(bytes).toBeGreaterThan(LIMIT / 2);
    expect(bytes).toBeLessThan(LIMIT + 2 * 64 * 1024);
    node.hurry();
  });
});

describe('a will', () => {
  const will = { topic: 'fast/will', payload: 'gone', qos: 1 as const };

  test('is a message when the connection ends without a word', async () => {
    const node = new ScriptedNode();
    const { counts } = await open(node);
    const one = await raw({ clientId: 'mortal', will });
    await one.drop();
    await vi.waitFor(() => expect(node.bodies()).toEqual(['gone']));
    expect(node.taken[0]?.properties.headers?.get('mqtt-will')).toBe('1');
    await vi.waitFor(() => expect(counts()).toMatchObject({ wills: 1 }));
  });

  test('is none after DISCONNECT, and none when the ingress itself ends', async () => {
    const node = new ScriptedNode();
    const { close } = await open(node);
    const polite = await raw({ clientId: 'polite', will });
    polite.send(DISCONNECT);
    expect(await polite.next()).toBe('closed');
    const there = await raw({ clientId: 'there', will });
    await close();
    expect(await there.next()).toBe('closed');
    expect(node.taken).toEqual([]);
  });

  test('waits for room as long as a publish does, then it is lost, and counted', async () => {
    const node = new ScriptedNode();
    const { counts, logs } = await open(node, { holdMs: 200 });
    const one = await raw({ clientId: 'mortal', will: { ...will, topic: 'full/will' } });
    await one.drop();
    await vi.waitFor(() => expect(counts()).toMatchObject({ lostWills: 1 }));
    expect(logs.at(-1)).toMatch(/its will: QUEUE_FULL/);
  });
});

describe('QoS 2', SOON, () => {
  async function realNode(): Promise<{ ring: RealRing; node: Node }> {
    const ring = new RealRing();
    closers.push(() => ring.remove());
    return { ring, node: await ring.open() };
  }

  const publish7 = (payload: string, flags = 0) => publishPacket({ topic: 'fast/1', payload, qos: 2, packetId: 7, flags });

  test('a repeat is answered and not stored again, on a new connection and after the node was away, until PUBREL; then the id is free', async () => {
    const { ring, node } = await realNode();
    await open(node);
    const first = await raw({ clientId: 'exact', session: 'kept' });
    first.send(publish7('once'), publish7('once', 8));
    expect([await first.next(), await first.next()]).toEqual([ack(PUBREC, 7), ack(PUBREC, 7)]);
    await first.drop();
    const second = await raw({ clientId: 'exact', session: 'kept' });
    second.send(publish7('once', 8));
    expect(await second.next()).toEqual(ack(PUBREC, 7));
    await ingress?.close();
    await node.close();

    const reopened = await ring.open();
    closers.push(() => reopened.close());
    await open(reopened);
    const third = new RawMqtt(ingress?.port ?? 0);
    closers.push(() => third.drop());
    third.send(connectPacket({ clientId: 'exact', session: 'kept' }));
    expect(await third.next()).toEqual({ type: CONNACK, rest: Buffer.of(1, 0) }); // session present
    third.send(publish7('once', 8));
    expect(await third.next()).toEqual(ack(PUBREC, 7));
    third.send(idPacket(PUBREL, 7));
    expect(await third.next()).toEqual(ack(PUBCOMP, 7));
    third.send(publish7('twice'));
    expect(await third.next()).toEqual(ack(PUBREC, 7));
    third.send(idPacket(PUBREL, 7), idPacket(PUBREL, 7));
    expect([await third.next(), await third.next()]).toEqual([ack(PUBCOMP, 7), ack(PUBCOMP, 7)]);
    expect(await drain(reopened, 'fast')).toEqual(['once', 'twice']);
    expect(ingress?.counts()).toMatchObject({ accepted: 1, repeats: 1 });
  });

  test('PUBCOMP comes when the disk has forgotten the id: it is free for another message, whatever becomes of the node', async () => {
    const { ring, node } = await realNode();
    await open(node);
    const first = await raw({ clientId: 'exact', session: 'kept' });
    first.send(publish7('a'), publishPacket({ topic: 'fast/1', payload: 'b', qos: 2, packetId: 8 }));
    expect([await first.next(), await first.next()]).toEqual([ack(PUBREC, 7), ack(PUBREC, 8)]);
    first.send(idPacket(PUBREL, 7));
    expect(await first.next()).toEqual(ack(PUBCOMP, 7));
    const copy = await ring.openCopy();
    closers.push(
      () => copy.close(),
      () => node.close(),
    );
    await ingress?.close();
    await open(copy);
    const second = await raw({ clientId: 'exact', session: 'kept' });
    second.send(publish7('another'), publishPacket({ topic: 'fast/1', payload: 'b', qos: 2, packetId: 8, flags: 8 }));
    expect([await second.next(), await second.next()]).toEqual([ack(PUBREC, 7), ack(PUBREC, 8)]);
    expect(await drain(copy, 'fast')).toEqual(['a', 'b', 'another']);
  });

  test('a clean session forgets, in the ring too', async () => {
    const { node } = await realNode();
    closers.push(() => node.close());
    await open(node);
    const first = await raw({ clientId: 'exact', session: 'kept' });
    first.send(publish7('a'));
    expect(await first.next()).toEqual(ack(PUBREC, 7));
    await first.drop();
    const clean = await raw({ clientId: 'exact', session: 'clean' });
    clean.send(publish7('b'));
    expect(await clean.next()).toEqual(ack(PUBREC, 7));
    await clean.drop();
    const kept = new RawMqtt(ingress?.port ?? 0);
    closers.push(() => kept.drop());
    kept.send(connectPacket({ clientId: 'exact', session: 'kept' }));
    expect(await kept.next()).toEqual({ type: CONNACK, rest: Buffer.of(0, 0) });
    kept.send(publish7('c'));
    expect(await kept.next()).toEqual(ack(PUBREC, 7));
    expect(await drain(node, 'fast')).toEqual(['a', 'b', 'c']);
  });

  test('a session in which nothing waits leaves nothing in the ring', async () => {
    const { node } = await realNode();
    closers.push(() => node.close());
    await open(node);
    const one = await client({ clientId: 'tidy', clean: false });
    for (let i = 0; i < 20; i++) await one.publishAsync('fast/1', `${i}`, { qos: 2 });
    await one.endAsync();
    const { positionNameOf } = await import('../gateway/packet-ids.ts');
    await vi.waitFor(async () => {
      expect(await node.call({ verb: 'position', name: positionNameOf('tidy') })).toEqual({ kind: 'position', value: undefined });
    });
    expect((await drain(node, 'fast')).length).toBe(20);
  });

  test('a message that found no room leaves no id behind: it is stored when it comes again', async () => {
    const { node } = await realNode();
    closers.push(() => node.close());
    await open(node, { holdMs: 200 });
    await node.call({ verb: 'send', destination: 'full', body: new Uint8Array(200), properties: {} });
    const large = publishPacket({ topic: 'full/1', payload: 'x'.repeat(200), qos: 2, packetId: 9 });
    const first = await raw({ clientId: 'exact', session: 'kept' });
    first.send(publish7('before'), large);
    expect(await first.next()).toEqual(ack(PUBREC, 7));
    expect(await first.next()).toBe('closed');
    const second = await raw({ clientId: 'exact', session: 'kept' });
    second.send(publishPacket({ topic: 'fast/1', payload: 'after', qos: 2, packetId: 9 }));
    expect(await second.next()).toEqual(ack(PUBREC, 9));
    expect(await drain(node, 'fast')).toEqual(['before', 'after']);
  });
});

test('packets that are wrong, out of turn or none harm nobody but who sent them, and hold nothing in the end', async () => {
  const node = new ScriptedNode();
  node.isFull = false;
  const { counts } = await open(node, { clientCountMax: 100, holdMs: 500 });
  const good = await client({ clientId: 'good' });
  const random = stream('ingress', 'hostile');
  const kinds = [
    ...[PUBACK, PUBREC, PUBREL, PUBCOMP, 0xb0, 0xa2].map((type) => idPacket(type, 3)),
    ...([0, 1, 2] as const).map((qos) => publishPacket({ topic: 'fast/1', payload: 'x', qos, packetId: 3 })),
    publishPacket({ topic: '', payload: 'x', qos: 1 }),
    publishPacket({ topic: 'fast/#', payload: 'x', qos: 1 }),
    publishPacket({ topic: 'fast/1', payload: 'x', qos: 1, packetId: 0 }),
    publishPacket({ topic: `fast/${'a/'.repeat(200)}`, payload: 'x', qos: 1 }),
    subscribePacket('a/#/b'),
    subscribePacket('$SYS/#'),
    Buffer.from([0xa2, 5, 0, 9, 0, 1, 0x61]),
    connectPacket({ clientId: 'again' }),
    Buffer.from([0xc0, 0]),
    DISCONNECT,
  ];
  for (let round = 0; round < 150; round++) {
    const one = new RawMqtt(ingress?.port ?? 0);
    const session = round % 3 === 0 ? ('kept' as const) : ('clean' as const);
    if (round % 7 !== 0) one.send(connectPacket({ clientId: `hostile-${round % 20}`, session }));
    for (let i = 0; i < 5; i++) {
      const bytes = Buffer.from(kinds[random.int(kinds.length)] ?? DISCONNECT);
      if (random.int(3) === 0 && bytes.length > 0) bytes[random.int(bytes.length)] = random.int(256);
      one.send(bytes);
    }
    one.socket.end();
    await one.next();
    if (round % 10 === 0) await good.publishAsync('fast/good', `${round}`, { qos: 1 });
    await one.drop();
  }
  await vi.waitFor(() => expect(counts()).toMatchObject({ clients: 1 }));
  const heard = node.taken.filter(({ properties }) => properties.headers?.get('mqtt-client') === 'good');
  expect(heard.length).toBe(15);
  expect(node.taken.filter(({ properties }) => properties.headers?.get('mqtt-topic')?.startsWith('$'))).toEqual([]);
});

test('a client that reconnects by itself loses nothing while the ingress is away', async () => {
  const node = new ScriptedNode();
  await open(node);
  const port = ingress?.port ?? 0;
  const one = await client({ clientId: 'steady', clean: false, reconnectPeriod: 20 });
  await one.publishAsync('fast/1', 'a', { qos: 1 });
  await ingress?.close();
  const publishing = one.publishAsync('fast/1', 'b', { qos: 1 });
  await open(node, { listen: { host: '127.0.0.1', port } });
  await publishing;
  expect(node.bodies()).toEqual(['a', 'b']);
});

/** Bodies in order, as text without the spaces at its end; all are received. */
async function drain(node: Node, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const got = await node.call({ verb: 'receive', queue, waitMs: 0, leaseMs: 10_000 });
    if (got.kind !== 'received') return bodies;
    bodies.push(Buffer.from(got.received.message.body).toString().trimEnd());
    await node.call({ verb: 'ack', lease: got.received.lease });
  }
}

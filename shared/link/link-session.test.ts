/** One side of a link against a script: what it says to each packet in each state, and that it survives whatever is said to it. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, Clock, LARGE_RING_BYTES, LinkNode, SIM_DATE_US } from '../../hardware-sim/link-world.ts';
import { stream } from '../../hardware-sim/random.ts';
import { crc32c } from '../crc32c.ts';
import type { Line, LineListener } from '../ports.ts';
import { frameForLine } from './cobs.ts';
import type { DataContent } from './data-packet.ts';
import { Deframer } from './deframer.ts';
import type { HelloPacket, ReceiveLimits, WelcomePacket } from './handshake-packets.ts';
import { KEPT_BYTES_MAX } from './kept-items.ts';
import { DATA_HEADER, FEATURE_BATCHES, FEATURE_COMPACT, FEATURE_FRAGMENTS } from './packet-layout.ts';
import {
  decodePacket,
  encodePacket,
  type Packet,
  type PlainPacket,
  type SealedPacket,
  type SealSide,
  type SessionSide,
  sealId,
  sessionId,
} from './packets.ts';
import { STAT_COUNTERS } from './stat-counters.ts';
import type { Tlv } from './tlv.ts';

const LIMITS: ReceiveLimits = { packetBytesMax: 1_024, window: 16, features: FEATURE_FRAGMENTS | FEATURE_BATCHES, ackDelayMs: 5 };
/** A message in two parts, the first of one byte. */
const partsOf = (payload: Uint8Array): DataContent[] => [
  { kind: 'first', total: payload.length, payload: payload.subarray(0, 1) },
  { kind: 'last', offset: 1, payload: payload.subarray(1) },
];
const PEER: SessionSide = { nonce: Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2), incarnation: 'b1b2b3b4b5b6b7b8' };
const NONE = new Uint8Array(0);

/** The other end of the line: hears packets, says what it is told to. */
class Script implements Line {
  sid: number | undefined;
  /** Which side of the session the node is, and which this end. */
  readonly node: SealSide;
  readonly side: SealSide;
  heard: Packet[] = [];
  closed = 0;
  readonly #deframer = new Deframer(65_535);

  constructor(node: SealSide) {
    this.node = node;
    this.side = node === 'dial' ? 'accept' : 'dial';
  }

  #listener: LineListener | undefined;

  write(bytes: Uint8Array): number {
    for (const event of this.#deframer.push(bytes)) {
      const packet = event.kind === 'frame' ? decodePacket(event.bytes, this.#idOf(this.sid, this.node)) : undefined;
      // What is left of DATA that was cut short for something urgent is no packet.
      if (event.kind === 'frame' && (event.bytes[0] ?? 0) < DATA_HEADER) expect(packet).toBeDefined();
      if (packet !== undefined) this.heard.push(packet);
    }
    return 0;
  }

  close(): void {
    this.closed += 1;
  }

  /** The line is gone. */
  end(): void {
    this.#listener?.onClosed('over');
  }

  listen(listener: LineListener): void {
    this.#listener = listener;
  }

  say(packet: PlainPacket | SealedPacket, sid = this.sid ?? 0): void {
    this.bytes(frameForLine(encodePacket(packet, this.#idOf(sid, this.side) ?? 0)));
  }

  #idOf(sid: number | undefined, side: SealSide): number | undefined {
    return sid === undefined ? undefined : sealId(sid, side);
  }

  bytes(bytes: Uint8Array): void {
    this.#listener?.onBytes(bytes);
  }

  of<K extends Packet['kind']>(kind: K): (Packet & { kind: K })[] {
    return this.heard.filter((packet): packet is Packet & { kind: K } => packet.kind === kind);
  }

  /** What it heard since the last time, as words. */
  words(): string[] {
    return this.heard.splice(0).map((packet) => {
      if (packet.kind === 'note') return packet.tlvs.length === 0 ? 'ping' : packet.tlvs.map(({ kind }) => kind).join('+');
      if (packet.kind === 'bye') return `bye ${packet.reason}`;
      if (packet.kind === 'welcome') return packet.verdict;
      return packet.kind;
    });
  }
}

const stats: (Tlv & { kind: 'stat' })[] = [];
let clock: Clock;
let node: LinkNode;
let line: Script;

interface BootOptions {
  readonly baud?: number;
  readonly ringBytes?: number;
  readonly wallUs?: ((nowMs: number) => number) | undefined;
}

function boot(role: 'dial' | 'accept', options: BootOptions = {}): void {
  clock = new Clock();
  const uplink = role === 'dial' ? 'link' : 'none';
  const { baud, ringBytes } = options;
  const queues = role === 'dial' ? [] : [{ name: 'bags', bytesLimit: 300_000 }];
  const wallUs = 'wallUs' in options ? { wallUs: options.wallUs } : {};
  const shared = { world: clock, random: stream(1, 'node'), name: 'node', ...(ringBytes && { ringBytes }), ...wallUs };
  node = new LinkNode({ ...shared, uplink, queues });
  node.open();
  clock.run(20, () => node.isServing);
  line = new Script(role);
  node.attach(line, role, baud);
}
const run = (ms: number): void => clock.run(clock.nowMs + ms);

function welcomeTo(hello: HelloPacket | undefined, change: Partial<WelcomePacket> = {}): WelcomePacket {
  const nonceEcho = hello?.nonce ?? NONE;
  const cursors = (hello?.tlvs ?? []).flatMap((tlv): Tlv[] =>
    tlv.kind === 'stream' ? [{ kind: 'cursor', handle: tlv.handle, cursor: 1, credit: 100_000 }] : [],
  );
  const fixed = {
    version: 1,
    verdict: 'welcome',
    epoch: { counter: 1, random: 2 },
    keepaliveS: 5,
    unixTimeUs: 0,
    node: 'peer',
  } as const;
  return {
    kind: 'welcome',
    ...fixed,
    nonceEcho,
    ...PEER,
    ticket: new Uint8Array(8).fill(3),
    limits: LIMITS,
    tlvs: cursors,
    ...change,
  };
}

/** Dials, is answered, and has a session. */
function joinDial(change: Partial<WelcomePacket> = {}): void {
  const [hello] = line.of('hello');
  if (hello === undefined) throw new Error('no HELLO');
  line.sid = sessionId(hello, PEER);
  line.say(welcomeTo(hello, change));
  run(50);
  expect(line.of('note').length).toBeGreaterThan(0);
}

function helloWith(change: Partial<HelloPacket> = {}): HelloPacket {
  const versions = { versionMax: 1, versionMin: 1, flags: 0 };
  const ticket = { ticket: new Uint8Array(8), ticketNonce: new Uint8Array(8) };
  const tlvs: Tlv[] = [{ kind: 'stream', handle: 0, priority: 3, lo: 1, next: 4, address: 'node/bags' }];
  return {
    kind: 'hello',
    ...versions,
    ...PEER,
    epoch: { counter: 1, random: 2 },
    ...ticket,
    limits: LIMITS,
    node: 'peer',
    tlvs,
    ...change,
  };
}

/** Is dialled, answers, and has a session that the other side confirmed. */
function joinAccept(change: Partial<HelloPacket> = {}): WelcomePacket {
  const hello = helloWith(change);
  line.say(hello);
  run(5);
  const welcome = line.of('welcome').at(-1);
  if (welcome === undefined) throw new Error('no WELCOME');
  line.sid = sessionId(hello, welcome);
  line.say({ kind: 'note', pn: 0, tlvs: [] });
  run(50);
  line.heard = [];
  return welcome;
}

/** HELLO of the side whose last offer was answered by `welcome`, and which offers anew. */
function laterHello({ ticket }: WelcomePacket): Partial<HelloPacket> {
  return { nonce: new Uint8Array(8).fill(5), ticket, ticketNonce: PEER.nonce };
}

/** An envelope of the other side's, as one of its messages. */
async function envelopes(count: number, bytes = 20): Promise<Uint8Array[]> {
  const { encodeEnvelope } = await import('../message/envelope.ts');
  return Array.from({ length: count }, (_, i) => {
    const identity = { origin: 'peer', incarnation: PEER.incarnation, destination: 'node/bags', priority: 3, number: i + 1 };
    return encodeEnvelope({ identity, epoch: { counter: 1, random: 2 }, priority: 3, body: bodyOf(i, bytes) });
  });
}
const ackOf = (largest: number) =>
  ({ kind: 'ack', largest, delayMs: 0, bitmap: NONE, isBusy: false, records: [] }) satisfies SealedPacket;
/** The first part of a message that no ring of this size can hold. */
const sayLarge = (pn: number, afterMs = 0): void => {
  run(afterMs);
  line.say(data(pn, 1, { kind: 'first', total: 500_000, payload: new Uint8Array(50) }));
};
const data = (pn: number, number: number, content: DataContent): SealedPacket => ({
  kind: 'data',
  handle: 0,
  pn,
  numberLow: number,
  acknowledge: 'later',
  content,
});

describe('a dialler', () => {
  beforeEach(() => boot('dial', { baud: 115_200 }));

  test.each<[string, () => PlainPacket, string[]]>([
    [
      'KNOCK while it calls: the same HELLO, a second after the last one',
      () => ({ kind: 'knock', versionMax: 1, versionMin: 1 }),
      ['hello'],
    ],
    ['a WELCOME for somebody else: nothing', () => welcomeTo(undefined, { nonceEcho: new Uint8Array(8) }), []],
    ['a WELCOME of another version: nothing', () => welcomeTo(line.of('hello')[0], { version: 2 }), []],
    ['its own HELLO, echoed: nothing', () => line.of('hello')[0] ?? helloWith(), []],
    ['LOG: nothing', () => ({ kind: 'log', level: 1, text: Uint8Array.of(104, 105) }), []],
    ['BYE for want of a version: it rests', () => ({ kind: 'bye', reason: 5, sid: 0 }), []],
    ['BYE of another session: nothing', () => ({ kind: 'bye', reason: 1, sid: 77 }), []],
  ])('hears %s', (_name, packet, said) => {
    run(100);
    const spoken = packet();
    line.heard = [];
    line.say(spoken);
    run(930);
    // What its own timer repeats between 750 and 1,250 ms is the same HELLO.
    const words = line.words().slice(0, 1);
    if (said.length > 0) expect(words).toEqual(said);
    else expect(words.every((word) => word === 'hello')).toBe(true);
    expect(node.link.describe()).not.toContain('open');
  });

  test('is answered: proves by a ping that it heard, and sends what waits', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(50);
    expect(line.words()).toEqual(['hello']);
    run(2_000);
    joinDial();
    expect(line.words()).toEqual(expect.arrayContaining(['ping', 'stream']));
    line.say({
      kind: 'ack',
      largest: 1,
      delayMs: 0,
      bitmap: NONE,
      isBusy: false,
      records: [{ handle: 0, cursor: 1, credit: 1_000 }],
    });
    run(20);
    expect(line.words()).toEqual(['data']);
  });

  test('sends no data before a cursor opened the stream, in an ACK or in a NOTE', () => {
    joinDial();
    node.send('peer/bags', bodyOf(1, 20));
    run(300);
    expect(line.of('data')).toEqual([]);
    line.say({ kind: 'note', pn: 0, tlvs: [{ kind: 'cursor', handle: 0, cursor: 1, credit: 1_000 }] });
    run(300);
    expect(line.of('data')).not.toEqual([]);
    expect(line.of('ack')).not.toEqual([]);
  });

  test('hears a WELCOME for somebody else: is still there for its own', () => {
    run(100);
    line.say(welcomeTo(line.of('hello')[0], { nonceEcho: new Uint8Array(8) }));
    run(20);
    joinDial();
    expect(node.link.describe()).toContain('open');
  });

  test('in a session, hears BYE of another one: goes on', () => {
    joinDial();
    line.heard = [];
    line.say({ kind: 'bye', reason: 1, sid: ((line.sid ?? 0) ^ 1) >>> 0 });
    run(3_000);
    expect(line.of('hello')).toEqual([]);
    expect(node.link.counters()).toMatchObject({ sessions: 1, ignored: 1 });
  });

  test('what the other side says it waited with an ACK is no part of the round trip', () => {
    joinDial();
    line.say({ kind: 'ack', largest: 0, delayMs: 40, bitmap: NONE, isBusy: false, records: [] });
    run(1);
    const [, ms] = /round trip (\d+) ms/.exec(node.link.describe()) ?? [];
    expect(Number(ms)).toBeLessThan(15);
  });

  test('an ACK of the session before means nothing in the next, whose packets count from 0', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    const records = (cursor: number) => [{ handle: 0, cursor, credit: 1_000 }];
    const ack = { kind: 'ack', delayMs: 0, bitmap: NONE, isBusy: false } as const;
    line.say({ ...ack, largest: 1, records: records(1) });
    run(1_200);
    expect(line.of('data').length).toBeGreaterThan(0);
    const former = line.sid;
    line.heard = [];
    line.say({ kind: 'knock', versionMax: 1, versionMin: 1 });
    run(5);
    joinDial();
    expect(line.of('note')[0]?.pn).toBe(0);
    line.say({ ...ack, largest: 2, records: records(2) }, former);
    run(50);
    expect(node.link.counters()).toMatchObject({ formerSession: 1, sessions: 2 });
    expect(node.parts.sender.freedCount).toBe(0);
    line.say({ ...ack, largest: 1, records: records(2) });
    expect(node.parts.sender.freedCount).toBe(1);
  });

  test('says a STREAM again after a second, when it arrived and no cursor came', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    const declarations = () => line.of('note').filter(({ tlvs }) => tlvs.some(({ kind }) => kind === 'stream'));
    expect(declarations()).toHaveLength(1);
    line.say({ kind: 'ack', largest: line.of('note').at(-1)?.pn ?? 0, delayMs: 0, bitmap: NONE, isBusy: false, records: [] });
    run(900);
    expect(declarations()).toHaveLength(1);
    run(200);
    expect(declarations()).toHaveLength(2);
  });

  test('is told FORK: says nothing more', () => {
    line.say(welcomeTo(line.of('hello')[0], { verdict: 'fork', ticket: new Uint8Array(8), tlvs: [] }));
    line.heard = [];
    run(60_000);
    expect(node.parts.sender.state).toBe('forked');
    expect(line.words()).toEqual([]);
  });

  test.each([
    ['does not say that it rebuilds them: no', FEATURE_FRAGMENTS | FEATURE_BATCHES, 'whole'],
    ['says so:', FEATURE_FRAGMENTS | FEATURE_BATCHES | FEATURE_COMPACT, 'compact'],
  ])('to a side that %s compact messages', (_what, features, kind) => {
    boot('dial', { baud: 115_200 });
    node.send('peer/bags', bodyOf(1, 20));
    run(50);
    joinDial({ limits: { ...LIMITS, features } });
    const records = [{ handle: 0, cursor: 1, credit: 1_000 }];
    line.say({ kind: 'ack', largest: 1, delayMs: 0, bitmap: NONE, isBusy: false, records });
    run(50);
    const [first] = line.of('data');
    expect(first?.content).toMatchObject({ kind });
  });

  test('is told a cursor beyond what it ever sent: a fork', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(50);
    line.heard = [];
    line.end();
    line = new Script('dial');
    node.attach(line, 'dial', 115_200);
    const [hello] = line.of('hello');
    expect(hello?.tlvs).toHaveLength(1);
    line.say(welcomeTo(hello, { tlvs: [{ kind: 'cursor', handle: 0, cursor: 7, credit: 1 }] }));
    run(50);
    expect(node.parts.sender.state).toBe('forked');
    expect(node.outgoingCount).toBe(1);
  });

  test('in a session, hears KNOCK: the other side has none, so it starts anew, at most once a second', () => {
    joinDial();
    run(2_000);
    line.heard = [];
    for (let i = 0; i < 20; i++) {
      line.say({ kind: 'knock', versionMax: 1, versionMin: 1 });
      run(50);
    }
    expect(line.of('hello').length).toBeGreaterThanOrEqual(1);
    expect(line.of('hello').length).toBeLessThanOrEqual(2);
  });

  test.each([
    [1, 2_000],
    [2, 11_000],
    [6, 11_000],
  ])('in a session, hears BYE %i: rests, then offers anew', (reason, msMax) => {
    joinDial();
    const before = line.of('hello').at(-1)?.nonce;
    line.heard = [];
    line.say({ kind: 'bye', reason, sid: line.sid ?? 0 });
    run(500);
    expect(line.of('hello')).toEqual([]);
    run(msMax);
    expect(line.of('hello').length).toBeGreaterThan(0);
    expect(line.of('hello')[0]?.nonce).not.toEqual(before);
  });

  test('in a session, hears nothing for three keepalives: pings, probes, then a new offer', () => {
    joinDial();
    line.say({ kind: 'ack', largest: 0, delayMs: 0, bitmap: NONE, isBusy: false, records: [] });
    line.heard = [];
    run(14_900);
    const words = line.words();
    expect(words.every((word) => word === 'ping' || word === 'time-request')).toBe(true);
    expect(words.length).toBeGreaterThan(3);
    run(200);
    expect(line.words()).toContain('hello');
  });

  test('hears that a message can never be taken: it is a dead letter here, and its gap goes out', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    line.say({
      kind: 'ack',
      largest: 1,
      delayMs: 0,
      bitmap: NONE,
      isBusy: false,
      records: [{ handle: 0, cursor: 1, credit: 1_000 }],
    });
    run(20);
    line.say({ kind: 'note', pn: 0, tlvs: [{ kind: 'reject', handle: 0, number: 1, reason: 10 }] });
    line.heard = [];
    run(4_000);
    expect(line.of('data')).toEqual([]);
    const gap = { kind: 'gap', handle: 0, from: 1, to: 1, class: 'REJECTED', node: 'node' };
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual(gap);
    expect(node.outgoingCount).toBe(0);
    expect(node.contents('$dead').map(({ body }) => body)).toEqual([bodyOf(1, 20)]);
    expect(node.logs.join()).toContain('peer/bags: number 1 is refused for good (TOO_LARGE)');
  });

  test.each<[string, { cursor: number; handle: number; number: number }]>([
    ['not sent yet', { cursor: 1, handle: 0, number: 2 }],
    ['of a handle nobody gave', { cursor: 1, handle: 5, number: 1 }],
    ['done with', { cursor: 2, handle: 0, number: 1 }],
  ])('hears a refusal of what is %s: ignored and counted', (_name, { cursor, handle, number }) => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    for (const at of [1, cursor]) {
      line.say({ ...ackOf(1), records: [{ handle: 0, cursor: at, credit: 1_000 }] });
      run(20);
    }
    const { ignored: ignoredBefore = 0 } = node.link.counters();
    const held = node.outgoingCount;
    line.say({ kind: 'note', pn: 0, tlvs: [{ kind: 'reject', handle, number, reason: 10 }] });
    run(100);
    expect(node.link.counters()).toMatchObject({ ignored: ignoredBefore + 1, refused: 0 });
    expect(node.outgoingCount).toBe(held);
    expect(node.contents('$dead')).toEqual([]);
  });

  test('hears a refusal of what waits for credit: it is not sent any more', () => {
    for (let i = 1; i <= 3; i++) node.send('peer/bags', bodyOf(i, 30));
    run(10);
    joinDial();
    line.say({ ...ackOf(1), records: [{ handle: 0, cursor: 1, credit: 150 }] });
    run(20);
    line.say({ kind: 'note', pn: 0, tlvs: [{ kind: 'reject', handle: 0, number: 2, reason: 10 }] });
    run(20);
    line.say({ ...ackOf(255), records: [{ handle: 0, cursor: 2, credit: 1_000 }] });
    run(100);
    expect(line.of('data').map(({ numberLow }) => numberLow)).toEqual(expect.arrayContaining([1, 3]));
    expect(line.of('data').map(({ numberLow }) => numberLow)).not.toContain(2);
    const gap = { kind: 'gap', handle: 0, from: 2, to: 2, class: 'REJECTED', node: 'node' };
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual(gap);
  });

  test('everything arrives there and no cursor moves: a new session, each time later', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    const atMs: number[] = [];
    const startMs = clock.nowMs;
    while (clock.nowMs < startMs + 150_000) {
      const hello = line.of('hello').at(-1);
      if (hello !== undefined && clock.nowMs > startMs) {
        atMs.push(clock.nowMs - startMs);
        line.sid = sessionId(hello, PEER);
        line.say(welcomeTo(hello));
      }
      const pns = line.heard.flatMap((packet) => ('pn' in packet ? [packet.pn] : []));
      line.heard = [];
      const records = [{ handle: 0, cursor: 1, credit: 1_000 }];
      if (pns.length > 0) line.say({ kind: 'ack', largest: pns.at(-1) ?? 0, delayMs: 0, bitmap: NONE, isBusy: false, records });
      run(100);
    }
    expect(atMs).toHaveLength(2);
    expect(atMs[0]).toBeGreaterThanOrEqual(30_000);
    expect(atMs[0]).toBeLessThan(31_000);
    expect((atMs[1] ?? 0) - (atMs[0] ?? 0)).toBeGreaterThanOrEqual(60_000);
    expect(node.outgoingCount).toBe(1);
  });

  test.each([[32_768], [100_000]])('a range of %i numbers goes alone, and nothing follows before its cursor came', (count) => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    node.step(() => {
      for (const out of node.parts.store.outgoing) {
        out.list.remove(out.list.head);
        Object.assign(out, { lo: count + 1, next: count + 1 });
      }
    });
    node.send('peer/bags', bodyOf(2, 20));
    run(1_500);
    joinDial();
    const ack = (cursor: number) => {
      const records = [{ handle: 0, cursor, credit: 1_000 }];
      line.say({ kind: 'ack', largest: 255, delayMs: 0, bitmap: NONE, isBusy: false, records });
      run(20);
    };
    ack(1);
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual({ kind: 'elsewhere', handle: 0, from: 1, to: count });
    expect(line.of('data')).toEqual([]);
    ack(count + 1);
    expect(line.of('data').map(({ numberLow }) => numberLow)).toEqual([(count + 1) % 65_536]);
  });

  test('ignores impossible words and counts them', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    joinDial();
    const ack = { kind: 'ack', delayMs: 0, bitmap: NONE, isBusy: false } as const;
    line.say({ ...ack, largest: 100, records: [] });
    line.say({ ...ack, largest: 255, records: [{ handle: 0, cursor: 2 ** 48 - 1, credit: 5 }] });
    line.say({ ...ack, largest: 255, records: [{ handle: 33, cursor: 1, credit: 5 }] });
    run(5);
    expect(node.link.counters()).toMatchObject({ strange: 1, impossible: 2 });
    expect(node.outgoingCount).toBe(1);
    expect(node.parts.sender.state).toBe('ready');
  });

  test('data from an acceptor that offered nothing is dropped; a question for the time is acknowledged and answered', () => {
    joinDial();
    line.heard = [];
    line.say(data(0, 1, { kind: 'whole', payload: Uint8Array.of(1) }));
    const askedAtUs = SIM_DATE_US + 1_000 * clock.nowMs;
    line.say({ kind: 'time-request', pn: 1, id: 1, t1Us: 5 });
    run(100);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 1, bitmap: new Uint8Array(8) });
    const [answer] = line.of('time-response');
    expect(answer).toMatchObject({ id: 1, t1Us: 5, t2Us: askedAtUs });
    expect(answer?.t3Us).toBeGreaterThanOrEqual(askedAtUs);
    expect(answer?.t3Us).toBeLessThan(askedAtUs + 20_000);
  });

  test.each([
    ['no clock', undefined],
    ['a clock that was never set', (nowMs: number) => 1_000 * nowMs],
  ])('with %s it says that it does not know the time', (_name, wallUs) => {
    boot('dial', { wallUs });
    joinDial();
    line.say({ kind: 'time-request', pn: 0, id: 9, t1Us: 5 });
    run(100);
    expect(line.of('time-response')).toMatchObject([{ id: 9, t1Us: 5, t2Us: 0, t3Us: 0 }]);
  });

  test('asked often, it answers the newest question, and never piles up answers', () => {
    joinDial();
    for (let i = 0; i < 200; i++) line.say({ kind: 'time-request', pn: i, id: i, t1Us: i });
    run(200);
    expect(line.of('time-response').length).toBeLessThan(5);
    expect(line.of('time-response').at(-1)).toMatchObject({ id: 199, t1Us: 199 });
  });

  test('asks for the time, and shows how far the clocks are apart once it is told', () => {
    joinDial({ unixTimeUs: 0 });
    run(1_200);
    expect(node.link.clock).toBeUndefined();
    const [question] = line.of('time-request');
    const { id = 0, t1Us = 0 } = question ?? {};
    const hisUs = SIM_DATE_US + 1_000 * clock.nowMs + 5_000_000;
    line.say({ kind: 'time-response', id, t1Us, t2Us: hisUs, t3Us: hisUs });
    run(1);
    const { offsetUs = 0, qualityUs = 0 } = node.link.clock ?? {};
    expect(Math.abs(offsetUs - 5_000_000)).toBeLessThanOrEqual(qualityUs);
    expect(qualityUs).toBeLessThan(200_000);
    expect(node.link.describe()).toMatch(/its clock is 5\d\d\d\.\d ms ahead of ours, \d+\.\d ms more or less$/);
  });

  test('an answer to a question it never asked is ignored and counted', () => {
    joinDial({ unixTimeUs: 0 });
    line.say({ kind: 'time-response', id: 0, t1Us: 0, t2Us: SIM_DATE_US, t3Us: SIM_DATE_US });
    run(1);
    expect(node.link.clock).toBeUndefined();
    expect(node.link.counters().ignored).toBe(1);
  });

  test('tells its counters after a minute, then every ten, and shows those of the other side', () => {
    joinDial();
    const hours = 2;
    let pn = 0;
    for (let i = 0; i < hours * 3_600; i++) {
      const pns = line.heard.flatMap((packet) => ('pn' in packet ? [packet.pn] : []));
      stats.push(...line.of('note').flatMap(({ tlvs }) => tlvs.filter((tlv) => tlv.kind === 'stat')));
      line.heard = [];
      if (pns.length > 0)
        line.say({ kind: 'ack', largest: pns.at(-1) ?? 0, delayMs: 0, bitmap: NONE, isBusy: false, records: [] });
      if (i === 100) line.say({ kind: 'note', pn: pn++, tlvs: [{ kind: 'stat', counters: [7, 6, 5, 4, 3, 2, 1, 99] }] });
      run(1_000);
    }
    expect(stats).toHaveLength(1 + 6 * hours - 1);
    expect(stats[0]?.counters).toHaveLength(STAT_COUNTERS.length);
    expect(stats[0]?.counters[0]).toBeGreaterThan(5);
    expect(stats[0]?.counters.slice(2)).toEqual([0, 0, 0, 0, 0]);
    expect(node.link.describe()).toContain('counted there: packetsSent 7, packetsReceived 6, runsCorrupt 5, runsMalformed 4');
    expect(node.link.counters()).toMatchObject({ sessions: 1 });
  });
});

describe('what the other side can take is kept to', () => {
  test('a window of one: one packet at a time, and it wants an answer at once', () => {
    boot('dial', { baud: 115_200 });
    joinDial({ limits: { ...LIMITS, window: 1 } });
    for (let i = 0; i < 5; i++) node.send('peer/bags', bodyOf(i, 200));
    let largest = 0;
    for (let i = 0; i < 40; i++) {
      expect(line.of('data').length + line.of('note').length).toBeLessThanOrEqual(largest + 1);
      line.say({
        kind: 'ack',
        largest,
        delayMs: 0,
        bitmap: NONE,
        isBusy: false,
        records: [{ handle: 0, cursor: 1, credit: 9_999 }],
      });
      run(40);
      largest += 1;
    }
    expect(line.of('data').length).toBeGreaterThan(4);
    expect(line.of('data').every(({ acknowledge }) => acknowledge === 'now')).toBe(true);
  });

  test('a window that is full: nothing urgent cuts in, and nothing of a session is said after its end', () => {
    boot('dial', { baud: 9_600, wallUs: undefined });
    run(200); // a HELLO takes that long
    joinDial({ limits: { ...LIMITS, window: 2 } });
    for (const priority of [1, 7]) node.send('peer/bags', bodyOf(priority, 10), priority);
    const records = [0, 1].map((handle) => ({ handle, cursor: 1, credit: 9_999 }));
    const ack = () => {
      const pns = line.heard.flatMap((packet) => ('pn' in packet ? [packet.pn] : []));
      line.say({ kind: 'ack', largest: pns.at(-1) ?? 255, delayMs: 0, bitmap: NONE, isBusy: false, records });
    };
    for (let i = 0; i < 6; i++) {
      run(100);
      ack();
    }
    line.heard = [];
    for (let i = 0; i < 4; i++) node.send('peer/bags', bodyOf(i, 300), 1);
    run(170); // one packet is through, the second under way
    expect(line.of('data')).toHaveLength(1);
    node.send('peer/bags', bodyOf(9, 10), 7);
    run(20);
    const { bytesSent = 0, packetsCut } = node.link.counters();
    expect(packetsCut).toBe(0);
    line.say({ kind: 'bye', reason: 1, sid: line.sid ?? 0 });
    run(500);
    expect(line.of('data')).toHaveLength(1);
    expect(node.link.counters().bytesSent).toBe(bytesSent);
  });

  test('no parts: a message in one packet as large as the other side takes; a larger one ends here, with its gap', () => {
    boot('dial', { baud: 115_200 });
    joinDial({ limits: { ...LIMITS, packetBytesMax: 600, features: FEATURE_BATCHES } });
    node.send('peer/bags', bodyOf(1, 400));
    node.send('peer/other', bodyOf(2, 700));
    run(200);
    line.say({
      kind: 'ack',
      largest: 1,
      delayMs: 0,
      bitmap: NONE,
      isBusy: false,
      records: [0, 1].map((handle) => ({ handle, cursor: 1, credit: 9_999 })),
    });
    run(500);
    expect(line.of('data').map(({ content }) => content.kind)).toEqual(['whole']);
    // Nobody says that it came: it goes out again, and not in parts.
    run(3_000);
    const again = line.of('data').slice(1);
    expect(again.length).toBeGreaterThan(0);
    expect(again.every(({ content, numberLow }) => content.kind === 'whole' && numberLow === 1)).toBe(true);
    const gap = { kind: 'gap', handle: 1, from: 1, to: 1, class: 'REJECTED', node: 'node' };
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual(gap);
    expect(node.contents('$dead').map(({ body }) => body.length)).toEqual([700]);
  });

  test('no batches: each message in a packet of its own', () => {
    boot('dial');
    joinDial({ limits: { ...LIMITS, features: FEATURE_FRAGMENTS } });
    for (let i = 0; i < 4; i++) node.send('peer/bags', bodyOf(i, 20));
    run(50);
    line.say({
      kind: 'ack',
      largest: 1,
      delayMs: 0,
      bitmap: NONE,
      isBusy: false,
      records: [{ handle: 0, cursor: 1, credit: 9_999 }],
    });
    run(50);
    expect(line.of('data').map(({ content }) => content.kind)).toEqual(['whole', 'whole', 'whole', 'whole']);
  });

  test('credit that shrank: what was lost waits until it is covered again, and then goes out alone', () => {
    boot('dial');
    joinDial({ limits: { ...LIMITS, features: FEATURE_FRAGMENTS } });
    for (let i = 0; i < 3; i++) node.send('peer/bags', bodyOf(i, 200));
    run(50);
    const numbersAfter = (largest: number, bitmap: Uint8Array, credit: number): number[] => {
      line.heard = [];
      line.say({ kind: 'ack', largest, delayMs: 0, bitmap, isBusy: false, records: [{ handle: 0, cursor: 1, credit }] });
      run(50);
      return line.of('data').map(({ numberLow }) => numberLow);
    };
    expect(numbersAfter(1, NONE, 9_999)).toEqual([1, 2, 3]);
    const allButTheOneBefore = Uint8Array.of(0b1110);
    expect(numbersAfter(4, allButTheOneBefore, 10)).toEqual([]);
    expect(numbersAfter(4, allButTheOneBefore, 9_999)).toEqual([2]);
  });

  test('credit: no more bytes than it covers, but one message always', () => {
    boot('dial');
    joinDial({ limits: { ...LIMITS, packetBytesMax: 16_384, window: 64 } });
    for (let i = 0; i < 10; i++) node.send('peer/bags', bodyOf(i, 1_000));
    run(50);
    const record = (cursor: number, credit: number) => {
      line.say({
        kind: 'ack',
        largest: 255,
        delayMs: 0,
        bitmap: NONE,
        isBusy: credit === 0,
        records: [{ handle: 0, cursor, credit }],
      });
      run(20);
      const numbers = line.of('data').flatMap(({ numberLow, content }) => {
        return content.kind === 'batch' ? content.payloads.map((_, i) => numberLow + i) : [numberLow];
      });
      return Math.max(0, ...numbers);
    };
    expect(record(1, 0)).toBe(0);
    expect(record(1, 10)).toBe(1);
    expect(record(1, 2_500)).toBe(2);
    expect(record(2, 2_500)).toBe(3);
    expect(record(4, 0)).toBe(3);
    expect(record(4, 100_000)).toBe(10);
  });
});

describe('an acceptor', () => {
  beforeEach(() => boot('accept', { baud: 115_200 }));

  test('knocks when its line opens, and when it hears what it cannot open, at most every two seconds', () => {
    expect(line.words()).toEqual(['knock']);
    for (let i = 0; i < 50; i++) {
      line.say({ kind: 'note', pn: i, tlvs: [] }, 12_345);
      run(100);
    }
    expect(line.words()).toEqual(['knock', 'knock']);
  });

  test.each<[string, () => PlainPacket, string[]]>([
    ['HELLO: WELCOME', () => helloWith(), ['welcome']],
    ['HELLO of a later version that still speaks ours: WELCOME', () => helloWith({ versionMax: 9 }), ['welcome']],
    ['HELLO of a version that does not: BYE 5', () => helloWith({ versionMax: 9, versionMin: 2 }), ['bye 5']],
    ['WELCOME: nothing', () => welcomeTo(undefined, { nonceEcho: new Uint8Array(8) }), []],
    ['KNOCK: nothing', () => ({ kind: 'knock', versionMax: 1, versionMin: 1 }), []],
    ['BYE: nothing', () => ({ kind: 'bye', reason: 1, sid: 0 }), []],
    ['LOG: nothing', () => ({ kind: 'log', level: 1, text: NONE }), []],
  ])('hears %s', (_name, packet, said) => {
    line.heard = [];
    line.say(packet());
    run(1_000);
    expect(line.words()).toEqual(said);
  });

  test('answers the same HELLO with the same WELCOME, byte for byte, also in the session it made', () => {
    joinAccept();
    const first = () => line.of('welcome')[0];
    line.say(helloWith());
    run(10);
    const welcome = first();
    line.heard = [];
    line.say(helloWith());
    run(10);
    expect(first()).toEqual(welcome);
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    run(50);
    expect(line.of('ack')).toHaveLength(1);
    expect(node.parts.receiver.forkCount).toBe(0);
  });

  test('in a session, hears BYE of another one: goes on', () => {
    joinAccept();
    line.say({ kind: 'bye', reason: 1, sid: ((line.sid ?? 0) ^ 1) >>> 0 });
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    run(50);
    expect(line.words()).toEqual(['ack']);
  });

  test('in a new session, counts the packets from 0', () => {
    const welcome = joinAccept();
    for (const pn of [1, 2, 3]) line.say({ kind: 'note', pn, tlvs: [] });
    run(50);
    const hello = helloWith(laterHello(welcome));
    line.heard = [];
    line.say(hello);
    run(5);
    const [later] = line.of('welcome');
    if (later === undefined) throw new Error('no WELCOME');
    line.sid = sessionId(hello, later);
    line.say({ kind: 'note', pn: 0, tlvs: [] });
    run(50);
    expect(line.of('ack')).toMatchObject([{ largest: 0, bitmap: NONE }]);
  });

  test('tells a new session what is on the disk, not what is on its way there', async () => {
    const welcome = joinAccept();
    const [one = NONE] = await envelopes(1);
    node.syncMs = () => 500;
    line.say(data(1, 1, { kind: 'whole', payload: one }));
    run(100);
    line.say(helloWith(laterHello(welcome)));
    run(5);
    expect(line.of('welcome')[0]?.tlvs).toMatchObject([{ kind: 'cursor', handle: 0, cursor: 1 }]);
    run(500);
    line.heard = [];
    line.say(helloWith({ ...laterHello(welcome), nonce: new Uint8Array(8).fill(6) }));
    run(5);
    expect(line.of('welcome')[0]?.tlvs).toMatchObject([{ kind: 'cursor', handle: 0, cursor: 2 }]);
  });

  test('acknowledges a ping at once, other packets a little later', () => {
    joinAccept({ tlvs: [] }); // no records are due either
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    expect(line.words()).toEqual(['ack']);
    run(50);
    line.say({ kind: 'note', pn: 2, tlvs: [{ kind: 'unknown', type: 30, value: NONE }] });
    expect(line.words()).toEqual([]);
    run(6);
    expect(line.words()).toEqual(['ack']);
  });

  test('tells of many streams in ACKs as large as the other side takes', () => {
    joinAccept({ limits: { ...LIMITS, packetBytesMax: 256 } });
    for (let pn = 1; pn <= 5; pn++) {
      const tlvs = Array.from({ length: 20 }, (_, i): Tlv => {
        const origin = { node: `n${20 * pn + i}`, incarnation: PEER.incarnation };
        return { kind: 'stream', handle: 20 * pn + i, priority: 3, lo: 1, next: 2, address: 'node/bags', origin };
      });
      line.say({ kind: 'note', pn, tlvs });
    }
    run(1_000);
    const acks = line.of('ack');
    expect(Math.max(...acks.map((ack) => encodePacket(ack, 0).length))).toBeLessThanOrEqual(256);
    expect(new Set(acks.flatMap(({ records }) => records.map(({ handle }) => handle))).size).toBe(100);
  });

  test('tells room as soon as it is there', () => {
    while (node.send('node/bags', bodyOf(1, 5_000)));
    run(50);
    const [cursor] = joinAccept().tlvs;
    expect(cursor?.kind === 'cursor' && cursor.credit < 10_000).toBe(true);
    run(2_000);
    expect(line.words()).toEqual([]);
    node.consume('bags', 40);
    run(100);
    const [ack] = line.of('ack');
    expect(ack?.records).toMatchObject([{ handle: 0, cursor: 1 }]);
    expect(ack?.records[0]?.credit).toBeGreaterThan(65_536);
  });

  test('a HELLO with an old ticket is answered FORK, and the session goes on', () => {
    joinAccept();
    line.say(helloWith({ nonce: new Uint8Array(8).fill(1), ticket: new Uint8Array(8).fill(5) }));
    run(20);
    expect(line.words()).toEqual(['fork']);
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    run(50);
    expect(line.words()).toEqual(['ack']);
  });

  test('says nothing sealed before the other side has', () => {
    line.heard = [];
    line.say(helloWith());
    run(10_000);
    expect(line.words()).toEqual(['welcome']);
  });

  test('tells the time in its WELCOME, if it knows it', () => {
    joinAccept();
    const welcome = (): WelcomePacket | undefined => {
      line.heard = [];
      line.say(helloWith({ nonce: new Uint8Array(8).fill(clock.nowMs) }));
      return line.of('welcome')[0];
    };
    boot('accept', { wallUs: (nowMs) => SIM_DATE_US + 1_000 * nowMs });
    expect(welcome()?.unixTimeUs).toBe(SIM_DATE_US + 1_000 * clock.nowMs);
    boot('accept', { wallUs: (nowMs) => 1_000 * nowMs });
    expect(welcome()?.unixTimeUs).toBe(0);
    boot('accept', { wallUs: undefined });
    expect(welcome()?.unixTimeUs).toBe(0);
  });

  test('forgets a session nobody confirmed', () => {
    line.say(helloWith());
    run(16_000);
    expect(node.link.describe()).toContain('waiting');
  });

  test('does not call a sleeper absent, nor wake it', () => {
    joinAccept({ flags: 4 });
    run(10 * 60_000);
    expect(line.words()).toEqual([]);
    expect(node.link.describe()).toContain('peer');
  });

  test.each<[string, Tlv[], string[]]>([
    ['a TLV of later: ignored', [{ kind: 'unknown', type: 30, value: NONE }], ['ack']],
    ['a critical TLV of later: BYE 5', [{ kind: 'unknown', type: 70, value: NONE }], ['bye 5']],
    [
      'another stream under the same handle: BYE 2',
      [{ kind: 'stream', handle: 0, priority: 3, lo: 1, next: 2, address: 'node/other' }],
      ['bye 2'],
    ],
    [
      'the same stream again: its cursor',
      [{ kind: 'stream', handle: 0, priority: 3, lo: 1, next: 2, address: 'node/bags' }],
      ['ack'],
    ],
    [
      'words that belong elsewhere: ignored',
      [
        { kind: 'down-answer', verdict: 'welcome', ticket: new Uint8Array(8) },
        { kind: 'stat', counters: [1] },
        { kind: 'cursor', handle: 0, cursor: 1, credit: 1 },
        { kind: 'reject', handle: 0, number: 1, reason: 1 },
      ],
      ['ack'],
    ],
    [
      'numbers beyond all numbers: BYE 2',
      [{ kind: 'gap', handle: 0, from: 1, to: 2 ** 48 - 1, class: 'RECEIVE_TIMEOUT', node: 'peer' }],
      ['bye 2'],
    ],
    ['a gap of a stream nobody declared: not taken', [{ kind: 'elsewhere', handle: 9, from: 1, to: 2 }], ['ack']],
  ])('in a session, hears %s', (_name, tlvs, said) => {
    joinAccept();
    line.say({ kind: 'note', pn: 1, tlvs });
    run(100);
    expect(line.words()).toEqual(said);
  });

  test('takes items in order, keeps early ones until their turn, and says of each what became of it', async () => {
    joinAccept();
    const [one = NONE, two = NONE, three = NONE] = await envelopes(3);
    line.say(data(1, 3, { kind: 'whole', payload: three }));
    line.say(data(2, 2, { kind: 'whole', payload: two }));
    run(50);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 2, bitmap: NONE });
    expect(node.count('bags')).toBe(0);
    line.say(data(3, 1, { kind: 'whole', payload: one }));
    run(50);
    expect(node.contents('bags').map(({ identity }) => identity.number)).toEqual([1, 2, 3]);
    expect(
      line
        .of('ack')
        .flatMap(({ records }) => records)
        .at(-1),
    ).toMatchObject({ handle: 0, cursor: 4 });
    line.say(data(4, 2, { kind: 'whole', payload: two }));
    run(50);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 4, bitmap: NONE });
    expect(node.count('bags')).toBe(3);
  });

  test('a gap that comes early is kept, and fills its place when its turn comes', async () => {
    joinAccept();
    const [one = NONE] = await envelopes(1);
    line.say({ kind: 'note', pn: 1, tlvs: [{ kind: 'gap', handle: 0, from: 3, to: 6, class: 'RECEIVE_TIMEOUT', node: 'peer' }] });
    line.say({ kind: 'note', pn: 2, tlvs: [{ kind: 'elsewhere', handle: 0, from: 2, to: 4 }] });
    line.say(data(3, 1, { kind: 'whole', payload: one }));
    run(100);
    expect(
      line
        .of('ack')
        .flatMap(({ records }) => records)
        .at(-1),
    ).toMatchObject({ cursor: 7 });
    expect(node.parts.store.accounts()).toMatchObject([{ class: 'RECEIVE_TIMEOUT', count: 2 }]);
    expect([...node.parts.store.ends.destinations.values()].flatMap(({ holes }) => holes)).toMatchObject([{ from: 2, to: 4 }]);
  });

  test('puts parts together, whatever their order and size', async () => {
    joinAccept();
    const [, , large = NONE] = await envelopes(3, 3_000);
    const [one = NONE, two = NONE] = await envelopes(2);
    const cut = (from: number, to: number) => large.subarray(from, to);
    line.say(data(1, 3, { kind: 'last', offset: 2_500, payload: cut(2_500, large.length) }));
    line.say(data(2, 3, { kind: 'first', total: large.length, payload: cut(0, 900) }));
    line.say(data(3, 3, { kind: 'middle', offset: 800, payload: cut(800, 1_700) }));
    line.say(data(4, 1, { kind: 'batch', payloads: [one, two] }));
    line.say(data(5, 3, { kind: 'middle', offset: 1_700, payload: cut(1_700, 2_500) }));
    run(100);
    expect(node.contents('bags').map(({ body }) => body.length)).toEqual([20, 20, 3_000]);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 5, bitmap: NONE });
  });

  test('parts that contradict each other: BYE 2', async () => {
    joinAccept();
    line.say(data(1, 1, { kind: 'first', total: 900, payload: new Uint8Array(500) }));
    line.say(data(2, 1, { kind: 'last', offset: 500, payload: new Uint8Array(100) }));
    run(50);
    expect(line.words()).toContain('bye 2');
  });

  test('refuses a message larger than its ring can hold, early or not, until its gap comes; no cursor moves for it', async () => {
    joinAccept();
    const [one = NONE, , , four = NONE] = await envelopes(4);
    const rejects = () => line.of('note').flatMap(({ tlvs }) => tlvs);
    const told = () =>
      line
        .of('ack')
        .flatMap(({ records }) => records)
        .at(-1);
    const gapOf = (number: number): Tlv => ({
      kind: 'gap',
      handle: 0,
      from: number,
      to: number,
      class: 'REJECTED',
      node: 'peer',
    });
    line.say(data(1, 3, { kind: 'middle', offset: 400_000, payload: new Uint8Array(500) }));
    line.say(data(2, 2, { kind: 'first', total: 500_000, payload: new Uint8Array(500) }));
    line.say(data(3, 4, { kind: 'whole', payload: four }));
    line.say(data(4, 1, { kind: 'whole', payload: one }));
    line.say(data(5, 2, { kind: 'middle', offset: 500, payload: new Uint8Array(500) }));
    run(50);
    expect(node.contents('bags').map(({ identity }) => identity.number)).toEqual([1]);
    expect(node.parts.store.accounts()).toEqual([]);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 5, bitmap: NONE });
    expect(told()).toMatchObject({ cursor: 2 });
    expect(rejects()).toEqual([
      { kind: 'reject', handle: 0, number: 3, reason: 10 },
      { kind: 'reject', handle: 0, number: 2, reason: 10 },
    ]);
    line.say({ kind: 'note', pn: 6, tlvs: [gapOf(2), gapOf(3)] });
    run(50);
    expect(node.contents('bags').map(({ identity }) => identity.number)).toEqual([1, 4]);
    expect(node.parts.store.accounts()).toMatchObject([{ class: 'REJECTED', count: 2 }]);
    expect(told()).toMatchObject({ cursor: 5 });
    line.heard = [];
    run(3_000);
    expect(rejects()).toEqual([]);
  });

  test.each<[string, () => void, number]>([
    ['a ping asks', () => line.say({ kind: 'note', pn: 2, tlvs: [] }), 50],
    ['its own NOTE is lost', () => line.say(ackOf(255)), 400],
    ['a second has passed', () => line.say(ackOf(0)), 1_050],
    ['the message comes again, a second later', () => sayLarge(2, 900), 1_050],
  ])('says REJECT again when %s', (_name, act, ms) => {
    joinAccept();
    sayLarge(1);
    run(10);
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toEqual([{ kind: 'reject', handle: 0, number: 1, reason: 10 }]);
    line.heard = [];
    act();
    run(ms);
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual({ kind: 'reject', handle: 0, number: 1, reason: 10 });
  });

  test('a gap above the cursor is kept although the stream found no room: a refused message waits for it', async () => {
    joinAccept();
    const full = (bytesLimit: number) => node.step(() => node.parts.intake.define('bags', bytesLimit));
    const [one = NONE, , three = NONE] = await envelopes(3, 600);
    full(800);
    node.send('node/bags', bodyOf(9, 300));
    run(20);
    line.say(data(1, 2, { kind: 'first', total: 500_000, payload: new Uint8Array(50) }));
    line.say(data(2, 1, { kind: 'whole', payload: one }));
    run(20);
    expect(line.of('ack').at(-1)?.records).toMatchObject([{ cursor: 1, credit: 0 }]);
    const gap: Tlv = { kind: 'gap', handle: 0, from: 2, to: 2, class: 'REJECTED', node: 'peer' };
    line.say({ kind: 'note', pn: 3, tlvs: [gap] });
    run(20);
    // Of what came only number 1, in packet 2, did not arrive.
    const { largest, bitmap } = line.of('ack').at(-1) ?? {};
    expect([largest, bitmap?.[0]]).toEqual([3, 0b110]);
    full(300_000);
    line.say(data(4, 1, { kind: 'whole', payload: one }));
    line.say(data(5, 3, { kind: 'whole', payload: three }));
    run(50);
    expect(node.contents('bags').map(({ identity }) => identity.number)).toEqual([1, 1, 3]);
  });

  test.each([
    ['whole', [{ kind: 'compact', check: 1, body: Uint8Array.of(2, 3, 4, 5) }]],
    ['in a mixed batch', [{ kind: 'mixed', messages: [{ form: 'compact', bytes: NONE }], check: 1 }]],
    ['in parts', partsOf(Uint8Array.of(0, 1, 2, 3, 4, 5))],
    ['in parts, cut off,', partsOf(Uint8Array.of(0, 1))],
  ] as [string, DataContent[]][])('a compact message %s whose check is wrong: BYE 2, counted, nothing taken', (_, contents) => {
    joinAccept();
    for (const [i, content] of contents.entries()) line.say(data(1 + i, 1, content));
    run(50);
    expect(line.words()).toContain('bye 2');
    expect(node.link.counters()).toMatchObject({ wrongChecks: 1 });
    expect(node.contents('bags')).toEqual([]);
  });

  test('in a packet for whole messages in full, what begins like parts of a compact one is no message, and goes to $dead', () => {
    joinAccept();
    line.say(data(1, 1, { kind: 'whole', payload: Uint8Array.of(0, 1, 2, 3, 4) }));
    run(50);
    expect(node.count('$dead')).toBe(1);
    expect(line.of('ack').at(-1)?.records).toMatchObject([{ handle: 0, cursor: 2 }]);
    expect(node.link.counters()).toMatchObject({ wrongChecks: 0 });
  });

  test('a sender that never answers REJECT may keep its memory, until others need it: BYE 1', () => {
    boot('accept', { ringBytes: LARGE_RING_BYTES });
    const tlvs = [0, 1, 2].map((handle): Tlv => {
      return { kind: 'stream', handle, priority: handle, lo: 1, next: 2, address: 'node/bags' };
    });
    joinAccept({ tlvs, limits: { ...LIMITS, packetBytesMax: 16_384, window: 64 } });
    let pn = 0;
    const early = (handle: number, from: number, count: number) => {
      for (let number = from; number < from + count; number++) {
        pn += 1;
        const payload = new Uint8Array(16_000).fill(7);
        line.say({ ...data(pn, number, { kind: 'whole', payload }), handle } as SealedPacket);
      }
    };
    pn += 1;
    sayLarge(pn);
    early(0, 2, 15);
    early(1, 2, 15);
    early(2, 2, 4);
    for (let ackPn = 0; clock.nowMs < 5_000; ) {
      run(50);
      for (const packet of line.heard.splice(0)) {
        if (packet.kind === 'bye') throw new Error('too early');
        if (packet.kind === 'note') line.say(ackOf(ackPn++));
      }
    }
    early(2, 2, 4);
    run(50);
    expect(line.words()).toContain('bye 1');
  });

  test('a sender that never answers REJECT hears it ever more rarely, and its cursor stands', () => {
    joinAccept();
    sayLarge(1);
    const saidAtMs: number[] = [];
    for (let pn = 0; clock.nowMs < 40_000; ) {
      run(10);
      const said = line.heard.splice(0).filter((packet) => packet.kind === 'note');
      for (const { tlvs } of said) {
        line.say(ackOf(pn));
        pn += 1;
        if (tlvs.length > 0) saidAtMs.push(Math.round(clock.nowMs / 100) / 10);
      }
    }
    const waits = saidAtMs.slice(1).map((atMs, i) => Math.round(atMs - (saidAtMs[i] ?? 0)));
    expect(waits).toEqual([1, 2, 4, 8, 8, 8, 8]);
    expect(node.contents('bags')).toEqual([]);
    line.say({ kind: 'note', pn: 2, tlvs: [] });
    run(50);
    expect(line.of('ack').flatMap(({ records }) => records)).toContainEqual(expect.objectContaining({ handle: 0, cursor: 1 }));
  });

  test('never keeps more than its bound, whatever parts and early messages come', () => {
    boot('accept', { ringBytes: LARGE_RING_BYTES });
    const tlvs = Array.from(
      { length: 20 },
      (_, handle): Tlv => ({ kind: 'stream', handle, priority: 3, lo: 1, next: 2, address: `node/bags` }),
    );
    joinAccept({ tlvs: tlvs.slice(0, 1), limits: { ...LIMITS, packetBytesMax: 16_384, window: 64 } });
    const streams = Array.from({ length: 20 }, (_, i): Tlv => {
      return {
        kind: 'stream',
        handle: i + 1,
        priority: i % 8,
        lo: 1,
        next: 2,
        address: 'node/bags',
        origin: { node: `n${i}`, incarnation: PEER.incarnation },
      };
    });
    line.say({ kind: 'note', pn: 1, tlvs: streams });
    const chance = stream(7, 'parts');
    const before = process.memoryUsage().arrayBuffers;
    let pn = 2;
    for (let i = 0; i < 3_000; i++) {
      const handle = chance.int(21);
      const payload = new Uint8Array(1 + chance.int(1_000)).fill(7);
      const number = 2 + chance.int(500);
      const content = chance.pick<DataContent>([
        { kind: 'whole', payload },
        { kind: 'first', total: 190_000, payload },
        { kind: 'middle', offset: 1 + chance.int(180_000), payload },
      ]);
      line.say({ kind: 'data', handle, pn: pn++ & 0xff, numberLow: number, acknowledge: 'later', content });
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * KEPT_BYTES_MAX);
    expect(node.link.counters().notKept).toBeGreaterThan(1_000);
    run(100);
    expect(line.words()).not.toContain('bye 2');
  });
});

describe('words on the line', () => {
  test('reach the log as one line, few of them, and do not disturb', () => {
    boot('accept', { baud: 115_200 });
    const text = (words: string) => new TextEncoder().encode(words);
    line.bytes(text('\r\nU-Boot 2024.01 \x1b[2J(Jan 01 2024)\r\nStarting kernel ...\r\n'));
    joinAccept();
    expect(node.logs.slice(0, 2)).toEqual(['U-Boot 2024.01 \\x1b[2J(Jan 01 2024)', 'Starting kernel ...']);
    for (let i = 0; i < 1_000; i++) line.bytes(text(`\0kernel message ${i}\0`));
    expect(node.logs.length).toBeLessThan(50);
    expect(node.link.counters().consoleRuns).toBe(1_001);
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    run(50);
    expect(line.words()).toEqual(['ack']);
  });
});

describe('LOG packets', () => {
  const text = (words: string) => new TextEncoder().encode(words);

  test('keep their level and their UTF-8, and no terminal obeys them', () => {
    boot('accept', { baud: 115_200 });
    const levels: [number, string][] = [
      [0, 'debug'],
      [1, 'info'],
      [2, 'warn'],
      [3, 'error'],
      [77, 'info'],
    ];
    for (const [level] of levels) line.say({ kind: 'log', level, text: text('Förderband 40 °C\x1b[2J') });
    const said = levels.map(([, level]) => ({ from: 'packet', level, text: 'Förderband 40 °C\\x1b[2J' }));
    expect(node.console).toMatchObject(said);
    line.bytes(text('\0stray text\0'));
    expect(node.console.at(-1)).toMatchObject({ from: 'line', level: 'info', text: 'stray text' });
  });

  test('a console that talks without end holds back no warning of the link', () => {
    boot('accept', { baud: 115_200 });
    for (let i = 0; i < 500; i++) line.say({ kind: 'log', level: 3, text: text(`error ${i}`) });
    for (let i = 0; i < 500; i++) line.bytes(text(`\0kernel message ${i}\0`));
    expect(node.console.length).toBeLessThan(50);
    joinAccept();
    line.say(helloWith({ nonce: new Uint8Array(8).fill(1), ticket: new Uint8Array(8).fill(5) }));
    run(20);
    expect(node.logs).toContain('peer shows a ticket it was never given: fork');
  });
});

describe('nothing that comes from a line throws, and nothing it brings piles up', () => {
  const bytes = fc.uint8Array({ maxLength: 400 });

  test.each([['dial'], ['accept']] as const)('random bytes (%s)', (role) => {
    boot(role);
    fc.assert(
      fc.property(bytes, fc.nat(3_000), (chunk, ms) => {
        line.bytes(chunk);
        run(ms);
      }),
      { numRuns: 300 },
    );
    expect(node.isServing).toBe(true);
  });

  test.each([
    ['dial', 115_200],
    ['dial', undefined],
    ['accept', 9_600],
    ['accept', undefined],
  ] as const)('sealed packets with anything in them, and real ones bent (%s, baud %s)', async (role, baud) => {
    boot(role, baud === undefined ? {} : { baud });
    const real: Uint8Array[] = [];
    const join = (): void => {
      line.end();
      line = new Script(role);
      node.attach(line, role, baud);
      run(3_000);
      if (role === 'dial') {
        const hello = line.of('hello').at(-1);
        if (hello === undefined) return;
        line.sid = sessionId(hello, PEER);
        line.say(welcomeTo(hello));
      } else {
        const hello = helloWith({ nonce: stream(real.length, String(clock.nowMs)).bytes(8), incarnation: 'c1c2c3c4c5c6c7c8' });
        line.say(hello);
        run(5);
        const welcome = line.of('welcome').at(-1);
        if (welcome?.verdict === 'welcome') line.sid = sessionId(hello, welcome);
      }
      run(20);
    };
    const sealed = (content: Uint8Array): Uint8Array => {
      const { length } = content;
      const packet = encodeRaw(content, sealId(line.sid ?? 0, line.side));
      expect(packet.length).toBe(length + 4);
      return frameForLine(packet);
    };
    const [message = NONE] = await envelopes(1);
    real.push(
      encodePacket(data(0, 1, { kind: 'whole', payload: message }), 0).slice(0, -4),
      encodePacket(data(1, 1, { kind: 'first', total: 900, payload: message }), 0).slice(0, -4),
      encodePacket(
        {
          kind: 'ack',
          largest: 3,
          delayMs: 0,
          bitmap: Uint8Array.of(3),
          isBusy: true,
          records: [{ handle: 0, cursor: 2, credit: 9 }],
        },
        0,
      ).slice(0, -4),
      encodePacket(
        { kind: 'note', pn: 2, tlvs: [{ kind: 'gap', handle: 0, from: 1, to: 9, class: 'PURGED', node: 'peer' }] },
        0,
      ).slice(0, -4),
      encodePacket({ kind: 'note', pn: 3, tlvs: helloWith().tlvs }, 0).slice(0, -4),
    );
    const bent = fc
      .tuple(fc.nat(real.length - 1), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(60))
      .map(([i, changes, cut]) => {
        const copy = (real[i] ?? NONE).slice();
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
        return cut < copy.length - 1 && cut > 50 ? copy.slice(0, cut - 49) : copy;
      });
    let sent = 0;
    fc.assert(
      fc.property(fc.oneof(bent, fc.uint8Array({ minLength: 1, maxLength: 300 })), fc.nat(400), (content, ms) => {
        if (sent++ % 25 === 0) join();
        if (sent % 7 === 0 && role === 'dial') node.send('peer/bags', bodyOf(sent, 30));
        line.bytes(sealed(content));
        run(ms);
      }),
      { numRuns: 600 },
    );
    expect(node.isServing).toBe(true);
  });
});

/** Header and body with a trailer that holds for this session. */
function encodeRaw(content: Uint8Array, sid: number): Uint8Array {
  const packet = new Uint8Array(content.length + 4);
  packet.set(content);
  const sidBytes = new Uint8Array(4);
  new DataView(sidBytes.buffer).setUint32(0, sid, true);
  new DataView(packet.buffer).setUint32(content.length, crc32c(content, crc32c(sidBytes)), true);
  return packet;
}

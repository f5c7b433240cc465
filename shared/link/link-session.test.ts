/** One side of a link against a script: what it says to each packet in each state, and that it survives whatever is said to it. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, Clock, LARGE_RING_BYTES, LinkNode } from '../../hardware-sim/link-world.ts';
import { stream } from '../../hardware-sim/random.ts';
import { crc32c } from '../crc32c.ts';
import type { Line, LineListener } from '../ports.ts';
import { frameForLine } from './cobs.ts';
import type { DataContent } from './data-packet.ts';
import { Deframer } from './deframer.ts';
import type { HelloPacket, ReceiveLimits, WelcomePacket } from './handshake-packets.ts';
import { KEPT_BYTES_MAX } from './kept-items.ts';
import { FEATURE_BATCHES, FEATURE_FRAGMENTS } from './packet-layout.ts';
import {
  decodePacket,
  encodePacket,
  type Packet,
  type PlainPacket,
  type SealedPacket,
  type SessionSide,
  sessionId,
} from './packets.ts';
import type { Tlv } from './tlv.ts';

const LIMITS: ReceiveLimits = { packetBytesMax: 1_024, window: 16, features: FEATURE_FRAGMENTS | FEATURE_BATCHES, ackDelayMs: 5 };
const PEER: SessionSide = { nonce: Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2), incarnation: 'b1b2b3b4b5b6b7b8' };
const NONE = new Uint8Array(0);

/** The other end of the line: hears packets, says what it is told to. */
class Script implements Line {
  sid: number | undefined;
  heard: Packet[] = [];
  closed = 0;
  readonly #deframer = new Deframer(65_535);
  #listener: LineListener | undefined;

  write(bytes: Uint8Array): number {
    for (const event of this.#deframer.push(bytes)) {
      const packet = event.kind === 'frame' ? decodePacket(event.bytes, this.sid) : undefined;
      expect(packet).toBeDefined();
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
    this.bytes(frameForLine(encodePacket(packet, sid)));
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

let clock: Clock;
let node: LinkNode;
let line: Script;

function boot(role: 'dial' | 'accept', options: { baud?: number; ringBytes?: number } = {}): void {
  clock = new Clock();
  const uplink = role === 'dial' ? 'link' : 'none';
  const { baud, ringBytes } = options;
  const queues = role === 'dial' ? [] : [{ name: 'bags', bytesLimit: 300_000 }];
  node = new LinkNode({ world: clock, random: stream(1, 'node'), name: 'node', uplink, queues, ...(ringBytes && { ringBytes }) });
  node.open();
  clock.run(20, () => node.isServing);
  line = new Script();
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
function joinAccept(change: Partial<HelloPacket> = {}): void {
  const hello = helloWith(change);
  line.say(hello);
  run(5);
  const welcome = line.of('welcome').at(-1);
  if (welcome === undefined) throw new Error('no WELCOME');
  line.sid = sessionId(hello, welcome);
  line.say({ kind: 'note', pn: 0, tlvs: [] });
  run(50);
  line.heard = [];
}

/** An envelope of the other side's, as one of its messages. */
async function envelopes(count: number, bytes = 20): Promise<Uint8Array[]> {
  const { encodeEnvelope } = await import('../message/envelope.ts');
  return Array.from({ length: count }, (_, i) => {
    const identity = { origin: 'peer', incarnation: PEER.incarnation, destination: 'node/bags', priority: 3, number: i + 1 };
    return encodeEnvelope({ identity, epoch: { counter: 1, random: 2 }, priority: 3, body: bodyOf(i, bytes) });
  });
}
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

  test('is told FORK: says nothing more', () => {
    line.say(welcomeTo(line.of('hello')[0], { verdict: 'fork', ticket: new Uint8Array(8), tlvs: [] }));
    line.heard = [];
    run(60_000);
    expect(node.parts.sender.state).toBe('forked');
    expect(line.words()).toEqual([]);
  });

  test('is told a cursor beyond what it ever sent: a fork', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(50);
    line.heard = [];
    line.end();
    line = new Script();
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
    expect(words.every((word) => word === 'ping')).toBe(true);
    expect(words.length).toBeGreaterThan(3);
    run(200);
    expect(line.words()).toContain('hello');
  });

  test('hears that a message can never be taken: holds that stream, keeps the message', () => {
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
    line.say({ kind: 'note', pn: 0, tlvs: [{ kind: 'reject', handle: 0, number: 1, reason: 4 }] });
    line.heard = [];
    run(4_000);
    expect(line.of('data')).toEqual([]);
    expect(node.outgoingCount).toBe(1);
    expect(node.logs.join()).toContain('peer/bags stands still: number 1 is refused for good (class 4)');
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

  test('a range of numbers too long for 16 bits goes alone, and nothing follows before its cursor came', () => {
    node.send('peer/bags', bodyOf(1, 20));
    run(10);
    node.step(() => {
      for (const out of node.parts.store.outgoing) {
        out.list.remove(out.list.head);
        Object.assign(out, { lo: 100_001, next: 100_001 });
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
    expect(line.of('note').flatMap(({ tlvs }) => tlvs)).toContainEqual({ kind: 'elsewhere', handle: 0, from: 1, to: 100_000 });
    expect(line.of('data')).toEqual([]);
    ack(100_001);
    expect(line.of('data').map(({ numberLow }) => numberLow)).toEqual([100_001 % 65_536]);
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

  test('data from an acceptor that offered nothing is dropped; a question for the time is acknowledged', () => {
    joinDial();
    line.heard = [];
    line.say(data(0, 1, { kind: 'whole', payload: Uint8Array.of(1) }));
    line.say({ kind: 'time-request', pn: 1, id: 1, t1Us: 5 });
    run(100);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 1, bitmap: new Uint8Array(8) });
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

  test('no parts: a message in one packet as large as the other side takes, or not at all', () => {
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
    expect(node.logs.join()).toContain('peer/other stands still: number 1 is too large');
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
      [{ kind: 'gap', handle: 0, from: 1, to: 2 ** 48 - 1, class: 'EXPIRED', node: 'peer' }],
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
    line.say({ kind: 'note', pn: 1, tlvs: [{ kind: 'gap', handle: 0, from: 3, to: 6, class: 'EXPIRED', node: 'peer' }] });
    line.say({ kind: 'note', pn: 2, tlvs: [{ kind: 'elsewhere', handle: 0, from: 2, to: 4 }] });
    line.say(data(3, 1, { kind: 'whole', payload: one }));
    run(100);
    expect(
      line
        .of('ack')
        .flatMap(({ records }) => records)
        .at(-1),
    ).toMatchObject({ cursor: 7 });
    expect(node.parts.store.accounts()).toMatchObject([
      { class: 'UNUSED', count: 3 },
      { class: 'EXPIRED', count: 2 },
    ]);
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

  test('a message larger than its ring can hold ends here at its first part, early or not, and is counted', async () => {
    joinAccept();
    const [one = NONE, , , four = NONE] = await envelopes(4);
    line.say(data(1, 3, { kind: 'middle', offset: 400_000, payload: new Uint8Array(500) }));
    line.say(data(2, 2, { kind: 'first', total: 500_000, payload: new Uint8Array(500) }));
    line.say(data(3, 4, { kind: 'whole', payload: four }));
    line.say(data(4, 1, { kind: 'whole', payload: one }));
    line.say(data(5, 2, { kind: 'middle', offset: 500, payload: new Uint8Array(500) }));
    run(50);
    expect(node.contents('bags').map(({ identity }) => identity.number)).toEqual([1, 4]);
    expect(node.parts.store.accounts()).toMatchObject([{ class: 'TOO_LARGE', count: 2 }]);
    expect(line.of('ack').at(-1)).toMatchObject({ largest: 5, bitmap: NONE });
    expect(
      line
        .of('ack')
        .flatMap(({ records }) => records)
        .at(-1),
    ).toMatchObject({ cursor: 5 });
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
    expect(node.logs.join('\n')).toContain('text on the line: ..U-Boot 2024.01 .[2J(Jan 01 2024)..Starting kernel');
    for (let i = 0; i < 1_000; i++) line.bytes(text(`\0kernel message ${i}\0`));
    expect(node.logs.length).toBeLessThan(20);
    expect(node.link.counters().consoleRuns).toBe(1_001);
    line.say({ kind: 'note', pn: 1, tlvs: [] });
    run(50);
    expect(line.words()).toEqual(['ack']);
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
      line = new Script();
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
      const packet = encodeRaw(content, line.sid ?? 0);
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

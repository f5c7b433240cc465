/**
 * Every state of a session × every input: what it says at once, and where it stands then. One row for each input, one column for each
 * state; an empty answer is "nothing". What timers say later is in link-session.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { bodyOf, Clock, LinkNode } from '../hardware-sim/link-world.ts';
import { stream } from '../hardware-sim/random.ts';
import { frameForLine } from '../shared/link/cobs.ts';
import { Deframer } from '../shared/link/deframer.ts';
import type { HelloPacket, WelcomePacket } from '../shared/link/handshake-packets.ts';
import { LinkSession } from '../shared/link/link-session.ts';
import {
  decodePacket,
  encodePacket,
  type Packet,
  type PlainPacket,
  type SealedPacket,
  sealId,
  sessionId,
} from '../shared/link/packets.ts';
import type { Tlv } from '../shared/link/tlv.ts';
import { encodeEnvelope } from '../shared/message/envelope.ts';
import type { Line, LineListener } from '../shared/ports.ts';

const NONE = new Uint8Array(0);
const PEER = { nonce: Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2), incarnation: 'b1b2b3b4b5b6b7b8' };
const LIMITS = { packetBytesMax: 1_024, window: 16, features: 3, ackDelayMs: 5 };
const KNOCK: PlainPacket = { kind: 'knock', versionMax: 1, versionMin: 1 };
/** "At once": within one acknowledgement delay and two packets' time, and before any timer. */
const AT_ONCE_MS = 15;

/** A side of a line with nobody but this test at the other end. */
class Bench implements Line {
  readonly clock = new Clock();
  readonly node: LinkNode;
  readonly role: 'dial' | 'accept';
  /** Of the session, as the other end computes it. */
  sid = 0;
  heard: Packet[] = [];
  hello: HelloPacket | undefined;
  readonly #deframer = new Deframer(65_535);
  #listener: LineListener | undefined;

  constructor(role: 'dial' | 'accept') {
    const queues = role === 'dial' ? [] : [{ name: 'bags', bytesLimit: 300_000 }];
    const uplink = role === 'dial' ? 'link' : 'none';
    this.role = role;
    this.node = new LinkNode({ world: this.clock, random: stream(1, 'states'), name: 'node', uplink, queues });
    this.node.open();
    this.clock.run(20, () => this.node.isServing);
    if (role === 'dial') this.node.send('peer/bags', bodyOf(1, 20));
    this.run(20);
  }

  attach(): void {
    this.node.attach(this, this.role, 115_200);
  }

  write(bytes: Uint8Array): number {
    for (const event of this.#deframer.push(bytes)) {
      const packet = event.kind === 'frame' ? decodePacket(event.bytes, sealId(this.sid, this.role)) : undefined;
      if (packet === undefined) throw new Error('said what nobody can read');
      this.heard.push(packet);
      if (packet.kind === 'hello') this.hello = packet;
    }
    return 0;
  }

  close(): void {}

  listen(listener: LineListener): void {
    this.#listener = listener;
  }

  say(packet: PlainPacket | SealedPacket, sid = this.sid): void {
    this.#listener?.onBytes(frameForLine(encodePacket(packet, sealId(sid, this.role === 'dial' ? 'accept' : 'dial'))));
  }

  /** Answers its HELLO, or one that it never said. */
  welcome(): void {
    if (this.hello !== undefined) this.sid = sessionId(this.hello, PEER);
    this.say(welcomeTo(this.hello));
  }

  bytes(bytes: Uint8Array): void {
    this.#listener?.onBytes(bytes);
  }

  drained(): void {
    this.#listener?.onDrained?.();
  }

  end(): void {
    this.#listener?.onClosed('over');
  }

  run(ms: number): void {
    this.clock.run(this.clock.nowMs + ms);
  }

  /** Answers everything that asks for it, until nothing does. */
  settle(): void {
    for (let i = 0; i < 130; i++) {
      this.run(10);
      const pns = this.heard.flatMap((packet) => ('pn' in packet ? [packet.pn] : []));
      this.heard = [];
      const records = this.role === 'dial' ? [{ handle: 0, cursor: 1, credit: 0 }] : [];
      if (pns.length > 0) this.say({ kind: 'ack', largest: Math.max(...pns), delayMs: 0, bitmap: NONE, isBusy: true, records });
    }
  }

  words(): string {
    return this.heard
      .splice(0)
      .map((packet) => {
        if (packet.kind === 'note') return packet.tlvs.length === 0 ? 'ping' : packet.tlvs.map(({ kind }) => kind).join('+');
        if (packet.kind === 'bye') return `bye ${packet.reason}`;
        return packet.kind === 'welcome' ? packet.verdict : packet.kind;
      })
      .join(' ');
  }

  /** By its own words; a link that is gone is `gone`. */
  get state(): string {
    return this.node.links[0]?.describe().match(/: ([a-z]+)/)?.[1] ?? 'gone';
  }

  get hasSession(): boolean {
    return this.node.links[0]?.describe().includes('outstanding') ?? false;
  }
}

function welcomeTo(hello: HelloPacket | undefined, change: Partial<WelcomePacket> = {}): WelcomePacket {
  const cursors: Tlv[] = [{ kind: 'cursor', handle: 0, cursor: 1, credit: 0 }];
  const own = { version: 1, verdict: 'welcome', epoch: { counter: 1, random: 2 }, keepaliveS: 5, unixTimeUs: 0 } as const;
  return {
    ...{ kind: 'welcome', ...own, ...PEER, nonceEcho: hello?.nonce ?? new Uint8Array(8), node: 'peer', limits: LIMITS },
    ...{ ticket: new Uint8Array(8).fill(3), tlvs: cursors },
    ...change,
  };
}

function helloOf(change: Partial<HelloPacket> = {}): HelloPacket {
  const zeros = { ticket: new Uint8Array(8), ticketNonce: new Uint8Array(8) };
  return {
    ...{ kind: 'hello', versionMax: 1, versionMin: 1, flags: 0, ...PEER, epoch: { counter: 1, random: 2 }, ...zeros },
    ...{ limits: LIMITS, node: 'peer', tlvs: [{ kind: 'stream', handle: 0, priority: 3, lo: 1, next: 4, address: 'node/bags' }] },
    ...change,
  };
}

type State =
  | 'calling'
  | 'ticketing'
  | 'open'
  | 'resting'
  | 'forked'
  | 'stopped, dial'
  | 'waiting'
  | 'offered'
  | 'confirmed'
  | 'stopped, accept';

/** How each state is reached. */
const STATES: Record<State, () => Bench> = {
  calling: () => {
    const bench = new Bench('dial');
    bench.attach();
    bench.run(50);
    return bench;
  },
  ticketing: () => {
    const bench = STATES.calling();
    bench.node.syncMs = () => 1e9;
    bench.welcome();
    bench.run(10);
    return bench;
  },
  open: () => {
    const bench = STATES.calling();
    bench.welcome();
    bench.settle();
    return bench;
  },
  resting: () => {
    const bench = STATES.open();
    bench.say({ kind: 'bye', reason: 2, sid: bench.sid });
    bench.run(10);
    return bench;
  },
  forked: () => {
    const bench = STATES.calling();
    bench.say(welcomeTo(bench.hello, { verdict: 'fork', ticket: new Uint8Array(8), tlvs: [] }));
    bench.run(10);
    return bench;
  },
  waiting: () => {
    const bench = new Bench('accept');
    bench.attach();
    bench.run(2_500);
    return bench;
  },
  offered: () => {
    const bench = STATES.waiting();
    bench.say(helloOf());
    bench.run(10);
    const welcome = bench.heard.filter((packet) => packet.kind === 'welcome').at(-1);
    bench.sid = welcome === undefined ? 0 : sessionId(helloOf(), welcome);
    return bench;
  },
  confirmed: () => {
    const bench = STATES.offered();
    bench.say({ kind: 'note', pn: 0, tlvs: [] });
    bench.settle();
    return bench;
  },
  'stopped, dial': () => stopped(STATES.open()),
  'stopped, accept': () => stopped(STATES.confirmed()),
};

function stopped(bench: Bench): Bench {
  bench.node.step(() => bench.node.link.stop(bench.clock.nowMs));
  return bench;
}

const IDENTITY = { origin: 'peer', incarnation: PEER.incarnation, destination: 'node/bags', priority: 3, number: 1 };
const MESSAGE = encodeEnvelope({ identity: IDENTITY, epoch: { counter: 1, random: 2 }, priority: 3, body: bodyOf(1, 20) });
const NOTE = (tlvs: readonly Tlv[]): SealedPacket => ({ kind: 'note', pn: 1, tlvs });
const ACK = { kind: 'ack', largest: 255, delayMs: 0, bitmap: NONE, isBusy: false } as const;

const INPUTS = {
  KNOCK: (b) => b.say(KNOCK),
  'HELLO, another': (b) => b.say(helloOf({ nonce: new Uint8Array(8).fill(1) })),
  'HELLO, the same': (b) => b.say(b.role === 'dial' ? (b.hello ?? helloOf()) : helloOf()),
  'HELLO, ticket unknown': (b) => b.say(helloOf({ nonce: new Uint8Array(8).fill(2), ticket: new Uint8Array(8).fill(7) })),
  'HELLO, version 2': (b) => b.say(helloOf({ nonce: new Uint8Array(8).fill(3), versionMax: 2, versionMin: 2 })),
  'WELCOME, awaited': (b) => b.welcome(),
  'WELCOME, another': (b) => b.say(welcomeTo(undefined)),
  'WELCOME, fork': (b) => b.say(welcomeTo(b.hello, { verdict: 'fork', ticket: new Uint8Array(8), tlvs: [] })),
  'BYE, its sid': (b) => b.say({ kind: 'bye', reason: 1, sid: b.sid }),
  'BYE, sid 0': (b) => b.say({ kind: 'bye', reason: 5, sid: 0 }),
  'BYE, another sid': (b) => b.say({ kind: 'bye', reason: 1, sid: 77 }),
  LOG: (b) => b.say({ kind: 'log', level: 1, text: Uint8Array.of(0x68, 0x69) }),
  DATA: (b) =>
    b.say({
      ...{ kind: 'data', handle: 0, pn: 1, numberLow: 1, acknowledge: 'now' },
      content: { kind: 'whole', payload: MESSAGE },
    }),
  'DATA, no stream': (b) =>
    b.say({
      ...{ kind: 'data', handle: 6, pn: 1, numberLow: 1, acknowledge: 'now' },
      content: { kind: 'whole', payload: MESSAGE },
    }),
  'ACK, credit': (b) => b.say({ ...ACK, records: [{ handle: 0, cursor: 1, credit: 9_999 }] }),
  'ACK, impossible': (b) => b.say({ ...ACK, largest: 100, records: [{ handle: 9, cursor: 2 ** 40, credit: 1 }] }),
  ping: (b) => b.say(NOTE([])),
  'NOTE STREAM': (b) => b.say(NOTE([{ kind: 'stream', handle: 1, priority: 2, lo: 1, next: 2, address: 'node/bags' }])),
  'NOTE STREAM, handle taken': (b) =>
    b.say(NOTE([{ kind: 'stream', handle: 0, priority: 2, lo: 1, next: 2, address: 'node/bags' }])),
  'NOTE CURSOR': (b) => b.say(NOTE([{ kind: 'cursor', handle: 0, cursor: 1, credit: 9_999 }])),
  'NOTE REJECT': (b) => b.say(NOTE([{ kind: 'reject', handle: 0, number: 99, reason: 5 }])),
  'NOTE GAP': (b) => b.say(NOTE([{ kind: 'gap', handle: 0, from: 1, to: 2, class: 'RECEIVE_TIMEOUT', node: 'peer' }])),
  'NOTE ELSEWHERE': (b) => b.say(NOTE([{ kind: 'elsewhere', handle: 0, from: 1, to: 2 }])),
  'NOTE STAT': (b) => b.say(NOTE([{ kind: 'stat', counters: [1, 2, 3] }])),
  'NOTE DOWN_OFFER': (b) =>
    b.say(NOTE([{ kind: 'down-offer', ticket: new Uint8Array(8), ticketNonce: new Uint8Array(8), own: 'whole' }])),
  'NOTE DOWN_ANSWER': (b) => b.say(NOTE([{ kind: 'down-answer', verdict: 'welcome', ticket: new Uint8Array(8) }])),
  'NOTE of later': (b) => b.say(NOTE([{ kind: 'unknown', type: 30, value: NONE }])),
  'NOTE of later, critical': (b) => b.say(NOTE([{ kind: 'unknown', type: 70, value: NONE }])),
  'TIME request': (b) => b.say({ kind: 'time-request', pn: 1, id: 1, t1Us: 5 }),
  'TIME response': (b) => b.say({ kind: 'time-response', id: 200, t1Us: 5, t2Us: 6, t3Us: 7 }),
  'ping, another session': (b) => b.say(NOTE([]), 12_345),
  noise: (b) => b.bytes(Uint8Array.of(0, 200, 1, 7, 0)),
  words: (b) => b.bytes(new TextEncoder().encode('\0login: \0')),
  drained: (b) => b.drained(),
  'the line is gone': (b) => b.end(),
  stop: (b) => b.node.step(() => b.node.links[0]?.stop(b.clock.nowMs)),
} satisfies Record<string, (bench: Bench) => void>;
type Input = keyof typeof INPUTS;

/** Counters of what was not answered, by the word of the tables. */
const COUNTED = {
  ignored: 'ignored',
  strange: 'strange',
  runsCorrupt: 'corrupt',
  formerSession: 'former',
  runsMalformed: 'malformed',
  consoleRuns: 'text',
};

function answerOf(state: State, input: Input): string {
  const bench = STATES[state]();
  bench.heard = [];
  const link = bench.node.link;
  const before = { state: bench.state, session: bench.hasSession, counters: link.counters() };
  INPUTS[input](bench);
  bench.run(AT_ONCE_MS);
  expect(bench.node.isServing).toBe(true);
  const parts = [bench.words()];
  if (bench.state !== before.state || bench.hasSession !== before.session)
    parts.push(`▶ ${bench.state}${bench.hasSession ? ', session' : ''}`);
  const counters = link.counters();
  const isUp = (name: string): boolean => (counters[name] ?? 0) > (before.counters[name] ?? 0);
  const answer = parts.filter((part) => part !== '').join(' ');
  return answer || (Object.entries(COUNTED).find(([name]) => isUp(name))?.[1] ?? '–');
}
/**
 * Read from left to right: the packets it says, then `▶` and its state by its own word when that is another one. What is not answered
 * is counted: ignored, strange, a checksum that fails (corrupt, or former: of the session before), malformed, or text for people.
 * `–` means nothing at all. An acceptor calls itself `offered` from its WELCOME on; confirmed is what this test calls it once it has
 * heard a packet of the session. After KNOCK a resting dialler rests a second at most.
 */
const DIALLER = `
  input                     │ calling              │ ticketing │ open              │ resting   │ forked    │ stopped, dial
  KNOCK                     │ –                    │ ignored   │ hello ▶ calling   │ –         │ ignored   │ –
  HELLO, another            │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  HELLO, the same           │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  HELLO, ticket unknown     │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  HELLO, version 2          │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  WELCOME, awaited          │ ping ▶ open, session │ ignored   │ ignored           │ ignored   │ ignored   │ –
  WELCOME, another          │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  WELCOME, fork             │ ▶ forked             │ ignored   │ ignored           │ ignored   │ ignored   │ –
  BYE, its sid              │ ▶ resting            │ ▶ resting │ ▶ resting         │ ignored   │ ignored   │ –
  BYE, sid 0                │ ▶ resting            │ ignored   │ ignored           │ ignored   │ ignored   │ –
  BYE, another sid          │ ignored              │ ignored   │ ignored           │ ignored   │ ignored   │ –
  LOG                       │ –                    │ –         │ –                 │ –         │ –         │ –
  DATA                      │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  DATA, no stream           │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  ACK, credit               │ corrupt              │ corrupt   │ data              │ former    │ corrupt   │ –
  ACK, impossible           │ corrupt              │ corrupt   │ strange           │ former    │ corrupt   │ –
  ping                      │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE STREAM               │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE STREAM, handle taken │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE CURSOR               │ corrupt              │ corrupt   │ ack data          │ former    │ corrupt   │ –
  NOTE REJECT               │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE GAP                  │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE ELSEWHERE            │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE STAT                 │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE DOWN_OFFER           │ corrupt              │ corrupt   │ ack down-answer   │ former    │ corrupt   │ –
  NOTE DOWN_ANSWER          │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE of later             │ corrupt              │ corrupt   │ ack               │ former    │ corrupt   │ –
  NOTE of later, critical   │ corrupt              │ corrupt   │ bye 5 ▶ resting   │ former    │ corrupt   │ –
  TIME request              │ corrupt              │ corrupt   │ ack time-response │ former    │ corrupt   │ –
  TIME response             │ corrupt              │ corrupt   │ ignored           │ former    │ corrupt   │ –
  ping, another session     │ corrupt              │ corrupt   │ corrupt           │ corrupt   │ corrupt   │ –
  noise                     │ malformed            │ malformed │ malformed         │ malformed │ malformed │ –
  words                     │ text                 │ text      │ text              │ text      │ text      │ –
  drained                   │ –                    │ –         │ –                 │ –         │ –         │ –
  the line is gone          │ ▶ gone               │ ▶ gone    │ ▶ gone            │ ▶ gone    │ ▶ gone    │ ▶ gone
  stop                      │ ▶ stopped            │ ▶ stopped │ bye 1 ▶ stopped   │ ▶ stopped │ ▶ stopped │ –
`;

const ACCEPTOR = `
  input                     │ waiting                    │ offered           │ confirmed         │ stopped, accept
  KNOCK                     │ ignored                    │ ignored           │ ignored           │ –
  HELLO, another            │ welcome ▶ offered, session │ welcome           │ fork              │ –
  HELLO, the same           │ welcome ▶ offered, session │ welcome           │ welcome           │ –
  HELLO, ticket unknown     │ welcome ▶ offered, session │ welcome           │ fork              │ –
  HELLO, version 2          │ bye 5                      │ bye 5             │ bye 5             │ –
  WELCOME, awaited          │ ignored                    │ ignored           │ ignored           │ –
  WELCOME, another          │ ignored                    │ ignored           │ ignored           │ –
  WELCOME, fork             │ ignored                    │ ignored           │ ignored           │ –
  BYE, its sid              │ ignored                    │ ▶ waiting         │ ▶ waiting         │ –
  BYE, sid 0                │ ignored                    │ ignored           │ ignored           │ –
  BYE, another sid          │ ignored                    │ ignored           │ ignored           │ –
  LOG                       │ –                          │ –                 │ –                 │ –
  DATA                      │ knock                      │ ack ack           │ ack ack           │ –
  DATA, no stream           │ knock                      │ ack               │ ack               │ –
  ACK, credit               │ knock                      │ ignored           │ ignored           │ –
  ACK, impossible           │ knock                      │ ignored           │ ignored           │ –
  ping                      │ knock                      │ ack               │ ack               │ –
  NOTE STREAM               │ knock                      │ ack               │ ack               │ –
  NOTE STREAM, handle taken │ knock                      │ bye 2 ▶ waiting   │ bye 2 ▶ waiting   │ –
  NOTE CURSOR               │ knock                      │ ack               │ ack               │ –
  NOTE REJECT               │ knock                      │ ack               │ ack               │ –
  NOTE GAP                  │ knock                      │ ack ack           │ ack               │ –
  NOTE ELSEWHERE            │ knock                      │ ack ack           │ ack               │ –
  NOTE STAT                 │ knock                      │ ack               │ ack               │ –
  NOTE DOWN_OFFER           │ knock                      │ ack               │ ack               │ –
  NOTE DOWN_ANSWER          │ knock                      │ ack               │ ack               │ –
  NOTE of later             │ knock                      │ ack               │ ack               │ –
  NOTE of later, critical   │ knock                      │ bye 5 ▶ waiting   │ bye 5 ▶ waiting   │ –
  TIME request              │ knock                      │ ack time-response │ time-response ack │ –
  TIME response             │ knock                      │ ignored           │ ignored           │ –
  ping, another session     │ knock                      │ corrupt           │ corrupt           │ –
  noise                     │ malformed                  │ malformed         │ malformed         │ –
  words                     │ text                       │ text              │ text              │ –
  drained                   │ –                          │ –                 │ –                 │ –
  the line is gone          │ ▶ gone                     │ ▶ gone            │ ▶ gone            │ ▶ gone
  stop                      │ ▶ stopped                  │ bye 1 ▶ stopped   │ bye 1 ▶ stopped   │ –
`;

function cellsOf(table: string): { states: string[]; rows: string[][] } {
  const [head = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.split('│').map((cell) => cell.trim()));
  return { states: head.slice(1), rows };
}

const TABLES = [cellsOf(DIALLER), cellsOf(ACCEPTOR)];

test('the tables have every state and every input', () => {
  expect(TABLES.flatMap(({ states }) => states).sort()).toEqual(Object.keys(STATES).sort());
  for (const { states, rows } of TABLES) {
    expect(rows.map(([input]) => input)).toEqual(Object.keys(INPUTS));
    expect(rows.every((row) => row.length === 1 + states.length && row.every((cell) => cell !== ''))).toBe(true);
  }
});

describe.each(TABLES.flatMap(({ states, rows }) => states.map((state, i) => ({ state: state as State, column: 1 + i, rows }))))(
  'in state $state',
  ({ state, column, rows }) => {
    test('each input has its answer', () => {
      const answers = rows.map(([input]) => `${input}: ${answerOf(state, input as Input)}`);
      expect(answers).toEqual(rows.map((row) => `${row[0]}: ${row[column]}`));
    });
  },
);

test('an acceptor that hears a critical TLV in a HELLO says BYE 5', () => {
  const bench = STATES.waiting();
  bench.heard = [];
  bench.say(helloOf({ tlvs: [...helloOf().tlvs, { kind: 'unknown', type: 70, value: NONE }] }));
  bench.run(AT_ONCE_MS);
  expect(bench.words()).toBe('bye 5');
});

test('a dialler that hears a critical TLV in a WELCOME says BYE 5, and rests', () => {
  const bench = STATES.calling();
  bench.heard = [];
  bench.say(welcomeTo(bench.hello, { tlvs: [{ kind: 'unknown', type: 70, value: NONE }] }));
  bench.run(AT_ONCE_MS);
  expect(bench.words()).toBe('bye 5');
});

test('an acceptor that hears of two streams under one handle in a HELLO says BYE 2', () => {
  const bench = STATES.waiting();
  bench.heard = [];
  const [stream] = helloOf().tlvs.filter((tlv) => tlv.kind === 'stream');
  bench.say(helloOf({ tlvs: stream === undefined ? [] : [stream, { ...stream, priority: 7 }] }));
  bench.run(AT_ONCE_MS);
  expect(bench.words()).toBe('bye 2');
});

describe.each([['dial'], ['accept']] as const)('a session whose line is gone, or not there yet (%s)', (role) => {
  test.each([['new'], ['closed']] as const)('%s: nothing that is called says anything or throws', (when) => {
    const bench = new Bench(role);
    const { clock, node } = bench;
    const { store, sender, receiver } = node.parts;
    const random = stream(2, 'states');
    const link = new LinkSession({ role, store, receiver, random, baud: 115_200, sender: role === 'dial' ? sender : undefined });
    if (when === 'closed') {
      link.opened(clock.nowMs);
      link.pump(clock.nowMs);
      link.takeOutputs();
      link.closed(clock.nowMs);
    }
    for (const packet of [KNOCK, helloOf(), welcomeTo(undefined)]) link.bytes(frameForLine(encodePacket(packet, 0)), clock.nowMs);
    link.unsent(0, clock.nowMs);
    link.pump(clock.nowMs + 60_000);
    link.stop(clock.nowMs + 60_000);
    link.closed(clock.nowMs + 60_000);
    link.pump(clock.nowMs + 60_000);
    expect([link.takeOutputs(), link.wakeAtMs]).toEqual([[], undefined]);
    expect(link.describe()).toContain('closed');
  });
});

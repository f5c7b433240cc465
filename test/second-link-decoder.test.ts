/**
 * Two decoders of the link: the product's, and one written from docs/link.md alone. They agree on the page's examples, on the agreement
 * vectors, on whole sessions as they were said and as a bad line delivered them, and on every way we know to bend a packet.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { concatBytes, fromHex, toHex } from '../shared/bytes.ts';
import { crc32c } from '../shared/crc32c.ts';
import { encodeCobs } from '../shared/link/cobs.ts';
import { Deframer } from '../shared/link/deframer.ts';
import { productVerdict, secondVerdict, type Verdict } from './link-fields.ts';
import { recordTraffic, type Traffic } from './link-traffic.ts';
import { SecondSplitter, secondUncobs } from './second-link-bytes.ts';
import {
  type Fields,
  secondCheck,
  secondDecodePacket,
  secondDecodeRun,
  secondEnvelope,
  secondSid,
} from './second-link-decoder.ts';

const bytesOf = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0);
const DIALLER = { nonce: '1011121314151617', incarnation: 'a1a2a3a4a5a6a7a8' };
const ACCEPTOR = { nonce: '2021222324252627', incarnation: 'b1b2b3b4b5b6b7b8' };
const SID = 0x73a7d20f;
const BAGS = { origin: 'belt-1', incarnation: DIALLER.incarnation, address: 'central/bags', priority: 3 };
const crcOf = (number: number, body: string): number =>
  secondEnvelope({ ...BAGS, epochCounter: 7, epochRandom: 0x01020304 }, number, body).crc;
const ZEROS = '0000000000000000';

const HELLO_HEAD = {
  ...{ type: 'HELLO', versionMax: 1, versionMin: 1, sleepy: false, volatile: false, noRandom: false, whole: false },
  ...DIALLER,
};
const WELCOME_HEAD = {
  ...{ type: 'WELCOME', version: 1, nonceEcho: DIALLER.nonce, ...ACCEPTOR, epochCounter: 300, epochRandom: 0x0a0b0c0d },
  ...{ packetBytesMax: 1024, window: 16, features: 3, ackDelayMs: 5, keepaliveS: 5, node: 'gateway-1' },
};
const SOUND = { ignored: 0, critical: false };

/** The words of docs/link.md, section 9, above each example. */
const EXAMPLES: Record<string, Fields> = {
  knock: { type: 'KNOCK', versionMax: 1, versionMin: 1 },
  hello: {
    ...{ ...HELLO_HEAD, epochCounter: 7, epochRandom: 0x01020304, ticket: ZEROS, ticketNonce: ZEROS },
    ...{ packetBytesMax: 256, window: 8, features: 3, ackDelayMs: 5, node: 'belt-1', ...SOUND },
    tlvs: [{ tlv: 'STREAM', handle: 0, priority: 3, lo: 1, next: 4, address: 'central/bags' }],
  },
  welcome: {
    ...{ ...WELCOME_HEAD, fork: false, ticket: 'c1c2c3c4c5c6c7c8', unixTimeUs: 1_767_225_600_000_000, ...SOUND },
    tlvs: [
      { tlv: 'CURSOR', handle: 0, cursor: 3, credit: 65_536 },
      { tlv: 'DOWN_OFFER', ticket: ZEROS, ticketNonce: ZEROS, whole: false },
      {
        ...{ tlv: 'STREAM', handle: 0, priority: 6, lo: 1, next: 1, address: 'belt-1/commands' },
        ...{ origin: 'central', incarnation: 'd1d2d3d4d5d6d7d8' },
      },
    ],
  },
  'welcome-fork': { ...WELCOME_HEAD, fork: true, ticket: ZEROS, unixTimeUs: 0, tlvs: [], ...SOUND },
  'down-answer': {
    ...{ type: 'NOTE', pn: 0, ...SOUND },
    tlvs: [
      { tlv: 'DOWN_ANSWER', fork: false, ticket: 'e1e2e3e4e5e6e7e8' },
      { tlv: 'CURSOR', handle: 0, cursor: 1, credit: 2_048 },
    ],
  },
  'data-whole': { type: 'DATA', atOnce: true, handle: 0, pn: 1, number: 3, content: 'whole', payload: '42534d' },
  'data-batch': {
    ...{ type: 'DATA', atOnce: false, handle: 300, pn: 2, number: 0xffff, content: 'batch' },
    messages: ['6f6e65', '', '74776f'],
  },
  'data-compact': {
    ...{ type: 'DATA', atOnce: false, handle: 0, pn: 8, number: 5, content: 'compact' },
    ...{ check: secondCheck([crcOf(5, '6869')]), body: '6869' },
  },
  'data-mixed': {
    ...{ type: 'DATA', atOnce: false, handle: 0, pn: 9, number: 6, content: 'mixed' },
    messages: [
      { compact: true, bytes: '61' },
      { compact: false, bytes: '8401' },
      { compact: true, bytes: '' },
    ],
    check: secondCheck([crcOf(6, '61'), crcOf(8, '')]),
  },
  'data-first': {
    ...{ type: 'DATA', atOnce: false, handle: 2, pn: 3, number: 4, content: 'first' },
    ...{ total: 300, payload: '00010203' },
  },
  'data-middle': { type: 'DATA', atOnce: false, handle: 2, pn: 4, number: 4, content: 'middle', offset: 4, payload: '0405' },
  'data-last': { type: 'DATA', atOnce: false, handle: 2, pn: 5, number: 4, content: 'last', offset: 298, payload: '0607' },
  ack: { type: 'ACK', busy: false, largest: 2, delayMs: 0, bitmap: '', records: [] },
  'ack-missing': {
    ...{ type: 'ACK', busy: true, largest: 9, delayMs: 12, bitmap: 'fd01' },
    records: [
      { handle: 0, cursor: 70_000, credit: 65_536 },
      { handle: 300, cursor: 1, credit: 0 },
    ],
  },
  ping: { type: 'NOTE', pn: 6, tlvs: [], ...SOUND },
  'note-items': {
    ...{ type: 'NOTE', pn: 7, ...SOUND },
    tlvs: [
      { tlv: 'GAP', handle: 0, from: 4, to: 70_002, class: 1, node: 'belt-1' },
      { tlv: 'ELSEWHERE', handle: 2, from: 5, to: 5 },
    ],
  },
  'note-reject': {
    ...{ type: 'NOTE', pn: 8, ...SOUND },
    tlvs: [
      { tlv: 'REJECT', handle: 0, number: 70_003, reason: 4 },
      { tlv: 'STAT', counters: [1_000, 998, 2, 0, 0] },
    ],
  },
  'time-request': { type: 'TIME request', pn: 8, id: 1, t1: 123_456_789 },
  'time-response': {
    ...{ type: 'TIME response', id: 1, t1: 123_456_789 },
    ...{ t2: 1_767_225_600_000_000, t3: 1_767_225_600_000_150 },
  },
  log: { type: 'LOG', level: 2, bytes: toHex(new TextEncoder().encode('belt motor 40 C')) },
  bye: { type: 'BYE', reason: 1, sid: SID },
};

interface Example {
  readonly name: string;
  readonly sids: readonly number[];
  readonly packet: Uint8Array;
  readonly line: Uint8Array;
}

function documentedExamples(): Example[] {
  const doc = readFileSync(join(import.meta.dirname, '../docs/link.md'), 'utf8');
  const block = /example (\S+)\nseal +(\S+)\npacket +([0-9a-f ]+)\nline +([0-9a-f]+)\n/g;
  return [...doc.matchAll(block)].map(([, name = '', seal = '', packet = '', line = '']) => {
    const sids = seal === 'none' ? [] : [Number.parseInt(seal, 16)];
    return { name, sids, packet: bytesOf(packet), line: bytesOf(line) };
  });
}

const documented = documentedExamples();

describe('the second decoder reads the examples of docs/link.md', () => {
  test('all of them, and their session', () => {
    expect(documented.map(({ name }) => name)).toEqual(Object.keys(EXAMPLES));
    expect(secondSid(DIALLER, ACCEPTOR)).toBe(SID);
  });

  test.each(documented)('$name', ({ name, sids, packet, line }) => {
    const expected = { kind: 'packet', packet: EXAMPLES[name] };
    expect(secondDecodePacket(packet, sids)).toEqual(expected);
    const splitter = new SecondSplitter(1_024);
    const runs = [...line].flatMap((byte) => splitter.push(Uint8Array.of(byte)));
    expect(runs.map((run) => secondDecodeRun(run, sids))).toEqual([expected]);
    expect(secondDecodePacket(packet, [SID ^ 1]).kind).toBe(sids.length === 0 ? 'packet' : 'checksum');
  });
});

/** One direction's bytes as packets, and the ids of the sessions that both directions make. */
class Ear {
  readonly packets: { readonly by: string; readonly bytes: Uint8Array }[] = [];
  readonly sids: number[] = [];
  /** That are not COBS. */
  brokenRuns = 0;
  readonly #hellos: Fields[] = [];
  readonly #splitters = new Map<string, SecondSplitter>();

  hear(by: string, chunk: Uint8Array): void {
    const splitter = this.#splitters.get(by) ?? new SecondSplitter(65_535);
    this.#splitters.set(by, splitter);
    for (const run of splitter.push(chunk)) {
      const bytes = secondUncobs(run);
      if (bytes === undefined) this.brokenRuns += 1;
      if (bytes === undefined) continue;
      this.packets.push({ by, bytes });
      const answer = secondDecodePacket(bytes, this.sids);
      if (answer.kind === 'packet') this.#learn(answer.packet);
    }
  }

  #learn(packet: Fields): void {
    if (packet.type === 'HELLO') this.#hellos.push(packet);
    if (packet.type !== 'WELCOME') return;
    const hello = this.#hellos.find(({ nonce }) => nonce === packet.nonceEcho);
    if (hello === undefined) return;
    const sid = secondSid(hello as typeof DIALLER, packet as typeof DIALLER);
    this.sids.push(sid, ~sid >>> 0);
  }
}

let traffic: { readonly session: Traffic; readonly said: Ear }[] | undefined;

function sessions(): NonNullable<typeof traffic> {
  traffic ??= recordTraffic().map((session) => {
    const said = new Ear();
    for (const { by, bytes } of session.said) said.hear(by, bytes);
    return { session, said };
  });
  return traffic;
}

const bothOf = (packet: Uint8Array, sids: readonly number[]): [Verdict, Verdict] => [
  secondVerdict(secondDecodePacket(packet, sids)),
  productVerdict(packet, sids),
];

/** Says the packet and what was expected of it only when the two disagree: a million matchers cost more than the decoding. */
function expectAgreement(packet: Uint8Array, sids: readonly number[]): Verdict {
  const [second, product] = bothOf(packet, sids);
  if (JSON.stringify(second) !== JSON.stringify(product)) expect(second, toHex(packet)).toEqual(product);
  return second;
}

describe('real sessions', () => {
  test('as they were said: every packet is read, and alike', () => {
    const kinds = new Map<string, number>();
    let cutShort = 0;
    for (const { session, said } of sessions()) {
      if (session.name === 'cut short') cutShort += said.brokenRuns;
      else expect(said.brokenRuns, session.name).toBe(0);
      for (const { bytes } of said.packets) {
        const verdict = expectAgreement(bytes, said.sids);
        // Where packets are cut short, what was said of one is none.
        if (session.name === 'cut short' && verdict.kind === 'refused' && (bytes[0] ?? 0) >= 0x80) cutShort += 1;
        else expect(verdict.kind, `${session.name}: ${toHex(bytes)}`).toBe('packet');
        for (const kind of verdict.kind === 'packet' ? kindsIn(verdict.packet) : []) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      }
    }
    expect(cutShort).toBeGreaterThan(0);
    expect([...kinds.keys()]).toEqual(
      expect.arrayContaining([
        ...[
          'KNOCK',
          'HELLO',
          'WELCOME',
          'WELCOME fork',
          'DATA whole',
          'DATA batch',
          'DATA first',
          'DATA middle',
          'DATA last',
          'DATA mixed',
          'DATA compact',
        ],
        ...['ACK', 'ACK bitmap', 'ACK records', 'ACK busy', 'NOTE ping', 'NOTE STREAM', 'NOTE GAP', 'NOTE ELSEWHERE', 'BYE'],
        ...['NOTE REJECT', 'NOTE STAT', 'TIME request', 'TIME response'],
      ]),
    );
  });

  test('as a bad line delivered them: the same packets, in the same order, and the same refusals', () => {
    const counts = { frames: 0, refused: 0 };
    for (const { session, said } of sessions()) {
      for (const by of ['device', 'gateway'] as const) {
        const packetBytesMax = 1_040;
        const deframer = new Deframer(packetBytesMax);
        const splitter = new SecondSplitter(packetBytesMax);
        for (const { bytes } of session.heard.filter((chunk) => chunk.by === by)) {
          const frames = deframer.push(bytes).flatMap((event) => (event.kind === 'frame' ? [toHex(event.bytes)] : []));
          const packets = splitter.push(bytes).flatMap((run) => secondUncobs(run) ?? []);
          expect(packets.map(toHex)).toEqual(frames);
          for (const packet of packets) if (expectAgreement(packet, said.sids).kind === 'refused') counts.refused += 1;
          counts.frames += frames.length;
        }
      }
    }
    expect(counts.frames).toBeGreaterThan(1_000);
    expect(counts.refused).toBeGreaterThan(30);
  });
});

/** The type, and what is in it. */
function kindsIn(packet: Fields): string[] {
  const type = String(packet.type);
  const kinds = [type];
  if (packet.content !== undefined) kinds.push(`${type} ${String(packet.content)}`);
  for (const flag of ['fork', 'busy', 'bitmap'] as const) if (packet[flag]) kinds.push(`${type} ${flag}`);
  if (Array.isArray(packet.records) && packet.records.length > 0) kinds.push(`${type} records`);
  if (Array.isArray(packet.tlvs) && packet.tlvs.length === 0 && packet.type === 'NOTE') kinds.push('NOTE ping');
  for (const tlv of Array.isArray(packet.tlvs) ? (packet.tlvs as Fields[]) : []) kinds.push(`${type} ${String(tlv.tlv)}`);
  return kinds;
}

/** Header and body with a trailer that holds: plain, or for this session. */
function withTrailer(content: Uint8Array, sid: number | undefined): Uint8Array {
  const little = (value: number) => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
  const crc = sid === undefined ? crc32c(content) : crc32c(content, crc32c(little(sid)));
  return concatBytes([content, little(crc)]);
}

const isPlainHeader = (header: number): boolean => [0x01, 0x02, 0x0a, 0x0b, 0x0c].includes(header);
/** Bytes that mean something somewhere: lengths, flags, TLV types, ends of varints, letters of names. */
const TELLING = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 0x0a, 0x0b, 0x10, 0x17, 0x1f, 0x20, 0x2f, 0x40, 0x41, 0x61, 0x62, 0x7f, 0x80, 0x81, 0xc2,
  0xff,
];

function bend(content: Uint8Array, other: Uint8Array, random: Prng): Uint8Array {
  const bent = content.slice();
  const place = () => random.int(Math.max(1, bent.length));
  const byte = () => (random.chance(0.5) ? (TELLING[random.int(TELLING.length)] ?? 0) : random.int(256));
  switch (random.int(6)) {
    case 0:
      return bent.subarray(0, 1 + place());
    case 1: {
      const at = place();
      return concatBytes([bent.subarray(0, at), Uint8Array.of(byte()), bent.subarray(at)]);
    }
    case 2: {
      const at = place();
      return concatBytes([bent.subarray(0, at), bent.subarray(at + 1 + random.int(3))]);
    }
    case 3:
      return concatBytes([bent.subarray(0, place()), other.subarray(random.int(Math.max(1, other.length)))]);
    case 4:
      for (let changes = 1 + random.int(3); changes > 0; changes--) bent[place()] = byte();
      return bent;
    default: {
      const at = place();
      bent[at] = (bent[at] ?? 0) ^ (1 << random.int(8));
      return bent;
    }
  }
}

/** TLVs of every type, with values made of telling bytes: near what is right far more often than chance. */
function randomTlvs(random: Prng): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let count = random.int(4); count > 0; count--) {
    const value = Uint8Array.from({ length: random.int(18) }, () => TELLING[random.int(TELLING.length)] ?? 0);
    const type = random.chance(0.8) ? random.int(15) : random.int(256);
    parts.push(Uint8Array.of(type, random.chance(0.9) ? value.length : random.int(256)), value);
  }
  return concatBytes(parts);
}

describe('bent packets: both decoders take them alike, or neither does', () => {
  const pool = (): Uint8Array[] => [
    ...documented.map(({ packet }) => packet.subarray(0, -4)),
    ...sessions().flatMap(({ said }) => said.packets.filter((_, i) => i % 5 === 0).map(({ bytes }) => bytes.subarray(0, -4))),
  ];

  test('cut off, spliced, changed and sealed anew', () => {
    const random = stream('second decoder', 'bent');
    const contents = pool();
    const counts = { packet: 0, unknown: 0, refused: 0 };
    for (let i = 0; i < 20_000; i++) {
      const [content, other] = [contents[random.int(contents.length)], contents[random.int(contents.length)]];
      if (content === undefined || other === undefined) continue;
      const bent = bend(content.subarray(0, 300), other, random);
      const seal = isPlainHeader(bent[0] ?? 0) === random.chance(0.97) ? undefined : SID;
      counts[expectAgreement(withTrailer(bent, seal), [SID]).kind] += 1;
    }
    expect(Math.min(counts.packet, counts.refused)).toBeGreaterThan(2_000);
    expect(counts.unknown).toBeGreaterThan(50);
  });

  test('TLVs of every type behind every packet that has some', () => {
    const random = stream('second decoder', 'tlvs');
    const heads = ['hello', 'welcome-fork', 'ping'].map((name) =>
      documented.find((one) => one.name === name)?.packet.subarray(0, -4),
    );
    const counts = { packet: 0, unknown: 0, refused: 0 };
    for (let i = 0; i < 20_000; i++) {
      const content = concatBytes([heads[i % 3] ?? new Uint8Array(0), randomTlvs(random)]);
      counts[expectAgreement(withTrailer(content, i % 3 === 2 ? SID : undefined), [SID]).kind] += 1;
    }
    expect(Math.min(counts.packet, counts.refused)).toBeGreaterThan(2_000);
  });

  test('any bytes behind any header', () => {
    const random = stream('second decoder', 'headers');
    for (let i = 0; i < 256 * 60; i++) {
      const body = Uint8Array.from({ length: random.int(12) }, () => TELLING[random.int(TELLING.length)] ?? 0);
      const content = concatBytes([Uint8Array.of(i & 0xff), body]);
      expectAgreement(withTrailer(content, undefined), [SID]);
      expectAgreement(withTrailer(content, SID), [SID]);
    }
  });

  test('damaged on the line: not one is taken', () => {
    const random = stream('second decoder', 'damaged');
    for (const { packet, sids } of documented) {
      const stuffed = encodeCobs(packet);
      for (let i = 0; i < 400; i++) {
        const run = bend(stuffed, stuffed, random);
        if (toHex(run) === toHex(stuffed) || run.includes(0)) continue;
        const bytes = secondUncobs(run);
        if (bytes === undefined || toHex(bytes) === toHex(packet)) continue;
        expect(expectAgreement(bytes, sids).kind).toBe('refused');
      }
    }
  });
});

describe('the same runs, the same words for people', () => {
  test.each([256, 1_024])('any bytes, packets of %i bytes', (packetBytesMax) => {
    const random = stream('second decoder', `runs ${packetBytesMax}`);
    const counts = { frames: 0, texts: 0, noise: 0 };
    for (let i = 0; i < 4_000; i++) {
      const run = randomRun(random, packetBytesMax);
      const deframer = new Deframer(packetBytesMax);
      const splitter = new SecondSplitter(packetBytesMax);
      const events = deframer.push(concatBytes([run, Uint8Array.of(0)]));
      const [second] = splitter.push(concatBytes([run, Uint8Array.of(0)]));
      if (second === undefined) {
        expect(splitter.tooLong, toHex(run)).toBe(1);
        expect(events.every(({ kind }) => kind !== 'frame')).toBe(true);
        continue;
      }
      const packet = secondUncobs(second);
      const [event] = events;
      expect(events).toHaveLength(1);
      if (packet !== undefined) {
        expect(event).toEqual({ kind: 'frame', bytes: packet });
        counts.frames += 1;
        continue;
      }
      const answer = secondDecodeRun(second, []);
      expect(event?.kind, toHex(run)).toBe('console' in answer && answer.console ? 'console' : 'discarded');
      counts[event?.kind === 'console' ? 'texts' : 'noise'] += 1;
    }
    expect(Math.min(counts.frames, counts.texts, counts.noise)).toBeGreaterThan(100);
  });
});

/** Without a zero: stuffed bytes, words with some noise in them, noise; sometimes just around the longest run there is. */
function randomRun(random: Prng, packetBytesMax: number): Uint8Array {
  const length = random.chance(0.2) ? packetBytesMax - 4 + random.int(12) : 1 + random.int(60);
  if (random.chance(0.3)) {
    const zeros = random.pick([0, 0.01, 0.3]);
    return encodeCobs(Uint8Array.from({ length }, () => (random.chance(zeros) ? 0 : 1 + random.int(255))));
  }
  const noise = random.pick([0, 0.08, 0.1, 0.12, 1]);
  return Uint8Array.from({ length }, () => (random.chance(noise) ? 1 + random.int(255) : 0x20 + random.int(95)));
}

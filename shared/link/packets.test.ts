import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex, toUtf8 } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import { ENDING_CLASSES } from '../message/classes.ts';
import { decodeCobs, frameForLine } from './cobs.ts';
import {
  BITMAP_BYTES_MAX,
  FEATURE_BATCHES,
  FEATURE_FRAGMENTS,
  HANDLE_MAX,
  HELLO_BYTES_MAX,
  HELLO_KNOCK,
  NUMBER_MAX,
  PACKET_BYTES_LIMIT,
  PACKET_BYTES_MIN,
  TLV_TYPE,
  WINDOW_MAX,
} from './packet-layout.ts';
import { decodePacket, encodePacket, type Packet, type PlainPacket, type SealedPacket, sessionId } from './packets.ts';
import type { Tlv } from './tlv.ts';

type Sendable = PlainPacket | SealedPacket;

const bytes = (hex: string) => fromHex(hex.replaceAll(' ', '')) ?? new Uint8Array(0);
const rising = (first: number, length: number) => Uint8Array.from({ length }, (_, i) => first + i);
const ZEROS = new Uint8Array(8);

const dialler = { nonce: rising(0x10, 8), incarnation: 'a1a2a3a4a5a6a7a8' };
const acceptor = { nonce: rising(0x20, 8), incarnation: 'b1b2b3b4b5b6b7b8' };
const SID = 0x73a7d20f;

const diallerLimits = { packetBytesMax: 256, window: 8, features: FEATURE_FRAGMENTS | FEATURE_BATCHES, ackDelayMs: 5 };
const acceptorLimits = { ...diallerLimits, packetBytesMax: 1024, window: 16 };
const welcome = {
  kind: 'welcome',
  version: 1,
  nonceEcho: dialler.nonce,
  ...acceptor,
  epoch: { counter: 300, random: 0x0a0b0c0d },
  limits: acceptorLimits,
  keepaliveS: 5,
  node: 'gateway-1',
} as const;

/** What the examples of docs/link.md, section 9, say in words. Their bytes were made by another implementation than this one. */
const EXAMPLES: Record<string, Sendable> = {
  knock: { kind: 'knock', versionMax: 1, versionMin: 1 },
  hello: {
    kind: 'hello',
    versionMax: 1,
    versionMin: 1,
    flags: 0,
    ...dialler,
    epoch: { counter: 7, random: 0x01020304 },
    ticket: ZEROS,
    ticketNonce: ZEROS,
    limits: diallerLimits,
    node: 'belt-1',
    tlvs: [{ kind: 'stream', handle: 0, priority: 3, lo: 1, next: 4, address: 'central/bags' }],
  },
  welcome: {
    ...welcome,
    verdict: 'welcome',
    ticket: rising(0xc1, 8),
    unixTimeUs: 1_767_225_600_000_000,
    tlvs: [
      { kind: 'cursor', handle: 0, cursor: 3, credit: 65_536 },
      { kind: 'down-offer', ticket: ZEROS, ticketNonce: ZEROS, own: 'in-part' },
      {
        kind: 'stream',
        handle: 0,
        priority: 6,
        lo: 1,
        next: 1,
        address: 'belt-1/commands',
        origin: { node: 'central', incarnation: 'd1d2d3d4d5d6d7d8' },
      },
    ],
  },
  'welcome-fork': { ...welcome, verdict: 'fork', ticket: ZEROS, unixTimeUs: 0, tlvs: [] },
  'down-answer': {
    kind: 'note',
    pn: 0,
    tlvs: [
      { kind: 'down-answer', verdict: 'welcome', ticket: rising(0xe1, 8) },
      { kind: 'cursor', handle: 0, cursor: 1, credit: 2_048 },
    ],
  },
  'data-whole': {
    kind: 'data',
    handle: 0,
    pn: 1,
    numberLow: 3,
    acknowledge: 'now',
    content: { kind: 'whole', payload: toUtf8('BSM') },
  },
  'data-batch': {
    kind: 'data',
    handle: 300,
    pn: 2,
    numberLow: 0xffff,
    acknowledge: 'later',
    content: { kind: 'batch', payloads: [toUtf8('one'), new Uint8Array(0), toUtf8('two')] },
  },
  'data-compact': {
    ...{ kind: 'data', handle: 0, pn: 8, numberLow: 5, acknowledge: 'later' },
    content: { kind: 'compact', check: 0xde86, body: toUtf8('hi') },
  },
  'data-mixed': {
    ...{ kind: 'data', handle: 0, pn: 9, numberLow: 6, acknowledge: 'later' },
    content: {
      kind: 'mixed',
      messages: [
        { form: 'compact', bytes: toUtf8('a') },
        { form: 'full', bytes: bytes('8401') },
        { form: 'compact', bytes: new Uint8Array(0) },
      ],
      check: 0x0859,
    },
  },
  'data-first': {
    kind: 'data',
    handle: 2,
    pn: 3,
    numberLow: 4,
    acknowledge: 'later',
    content: { kind: 'first', total: 300, payload: rising(0, 4) },
  },
  'data-middle': {
    kind: 'data',
    handle: 2,
    pn: 4,
    numberLow: 4,
    acknowledge: 'later',
    content: { kind: 'middle', offset: 4, payload: rising(4, 2) },
  },
  'data-last': {
    kind: 'data',
    handle: 2,
    pn: 5,
    numberLow: 4,
    acknowledge: 'later',
    content: { kind: 'last', offset: 298, payload: rising(6, 2) },
  },
  ack: { kind: 'ack', largest: 2, delayMs: 0, bitmap: new Uint8Array(0), isBusy: false, records: [] },
  'ack-missing': {
    kind: 'ack',
    largest: 9,
    delayMs: 12,
    bitmap: Uint8Array.of(0b1111_1101, 1),
    isBusy: true,
    records: [
      { handle: 0, cursor: 70_000, credit: 65_536 },
      { handle: 300, cursor: 1, credit: 0 },
    ],
  },
  ping: { kind: 'note', pn: 6, tlvs: [] },
  'note-items': {
    kind: 'note',
    pn: 7,
    tlvs: [
      { kind: 'gap', handle: 0, from: 4, to: 70_002, class: 'RECEIVE_TIMEOUT', node: 'belt-1' },
      { kind: 'elsewhere', handle: 2, from: 5, to: 5 },
    ],
  },
  'note-reject': {
    kind: 'note',
    pn: 8,
    tlvs: [
      { kind: 'reject', handle: 0, number: 70_003, reason: 4 },
      { kind: 'stat', counters: [1_000, 998, 2, 0, 0] },
    ],
  },
  'time-request': { kind: 'time-request', pn: 8, id: 1, t1Us: 123_456_789 },
  'time-response': {
    kind: 'time-response',
    id: 1,
    t1Us: 123_456_789,
    t2Us: 1_767_225_600_000_000,
    t3Us: 1_767_225_600_000_150,
  },
  log: { kind: 'log', level: 2, text: toUtf8('belt motor 40 C') },
  bye: { kind: 'bye', reason: 1, sid: SID },
};

interface DocExample {
  name: string;
  seal: string;
  packet: Uint8Array;
  line: Uint8Array;
}

function readDocExamples(): DocExample[] {
  const doc = readFileSync(join(import.meta.dirname, '../../docs/link.md'), 'utf8');
  const block = /```text\nexample (\S+)\nseal +(\S+)\npacket +([0-9a-f ]+)\nline +([0-9a-f]+)\n```/g;
  return [...doc.matchAll(block)].map(([, name = '', seal = '', packet = '', line = '']) => {
    return { name, seal, packet: bytes(packet), line: bytes(line) };
  });
}

const documented = readDocExamples();
const sealedExamples = documented.filter(({ seal }) => seal !== 'none');
const plainExamples = documented.filter(({ seal }) => seal === 'none');

describe('docs/link.md', () => {
  test('has an example for each of ours, and the other way round', () => {
    expect(documented.map(({ name }) => name)).toEqual(Object.keys(EXAMPLES));
    expect(new Set(Object.values(EXAMPLES).map(({ kind }) => kind)).size).toBe(10);
  });

  test('computes the same session id', () => {
    expect(sessionId(dialler, acceptor)).toBe(SID);
    expect(new Set(sealedExamples.map(({ seal }) => seal))).toEqual(new Set([SID.toString(16)]));
  });

  test.each(documented)('$name is encoded so', ({ name, packet, line }) => {
    const encoded = encodePacket(EXAMPLES[name] as Sendable, SID);
    expect(toHex(encoded)).toBe(toHex(packet));
    expect(toHex(frameForLine(encoded))).toBe(toHex(line));
  });

  test.each(documented)('$name is decoded so', ({ name, packet, line }) => {
    expect(decodePacket(packet, SID)).toEqual(EXAMPLES[name]);
    expect(decodeCobs(line.subarray(1, -1))).toEqual(packet);
  });
});

describe('a packet that was changed is none', () => {
  test.each(documented)('$name, any single bit', ({ packet }) => {
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const damaged = Uint8Array.from(packet);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodePacket(damaged, SID)).toBeUndefined();
      expect(decodePacket(damaged, undefined)).toBeUndefined();
    }
  });

  test.each(documented)('$name, any single bit on the line', ({ line }) => {
    const stuffed = line.subarray(1, -1);
    for (let bit = 0; bit < stuffed.length * 8; bit++) {
      const damaged = Uint8Array.from(stuffed);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const frame = decodeCobs(damaged);
      if (frame !== undefined) expect(decodePacket(frame, SID)).toBeUndefined();
    }
  });

  test.each(documented)('$name, any part of it, or more', ({ packet }) => {
    for (let length = 0; length < packet.length; length++) {
      expect(decodePacket(packet.subarray(0, length), SID)).toBeUndefined();
      expect(decodePacket(packet.subarray(packet.length - length), SID)).toBeUndefined();
    }
    expect(decodePacket(concatBytes([packet, Uint8Array.of(0)]), SID)).toBeUndefined();
    expect(decodePacket(concatBytes([Uint8Array.of(0), packet]), SID)).toBeUndefined();
  });

  test.each(documented)('$name, two of them as one', ({ packet }) => {
    expect(decodePacket(concatBytes([packet, packet]), SID)).toBeUndefined();
  });
});

describe('sessions', () => {
  test.each(sealedExamples)('$name of another one is none', ({ packet }) => {
    expect(decodePacket(packet, undefined)).toBeUndefined();
    for (let bit = 0; bit < 32; bit++) expect(decodePacket(packet, (SID ^ (1 << bit)) >>> 0)).toBeUndefined();
  });

  test.each(plainExamples)('$name belongs to none', ({ name, packet }) => {
    for (const sid of [undefined, 0, SID, 0xffff_ffff]) expect(decodePacket(packet, sid)).toEqual(EXAMPLES[name]);
  });

  test('a sealed type without the seal is none', () => {
    for (const { packet } of sealedExamples)
      expect(decodePacket(withTrailer(packet.subarray(0, -4), undefined), SID)).toBeUndefined();
  });

  test('a plain type with a seal is none', () => {
    for (const { packet } of plainExamples) expect(decodePacket(withTrailer(packet.subarray(0, -4), SID), SID)).toBeUndefined();
  });

  test('the id depends on every bit of both sides and on who dialled', () => {
    const ids = new Set([sessionId(dialler, acceptor), sessionId(acceptor, dialler)]);
    for (let bit = 0; bit < 64; bit++) {
      const nonce = Uint8Array.from(dialler.nonce);
      nonce[bit >> 3] = (nonce[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      ids.add(sessionId({ ...dialler, nonce }, acceptor)).add(sessionId(dialler, { ...acceptor, nonce }));
    }
    ids.add(sessionId({ ...dialler, incarnation: 'a1a2a3a4a5a6a7a9' }, acceptor));
    expect(ids.size).toBe(2 + 128 + 1);
  });
});

/** A packet of any content whose checksum holds. */
function withTrailer(content: Uint8Array, sid: number | undefined): Uint8Array {
  const trailer = new Uint8Array(4);
  const covered = sid === undefined ? content : concatBytes([u32(sid), content]);
  new DataView(trailer.buffer).setUint32(0, crc32c(covered), true);
  return concatBytes([content, trailer]);
}

function u32(value: number): Uint8Array {
  const field = new Uint8Array(4);
  new DataView(field.buffer).setUint32(0, value, true);
  return field;
}

const sealed = (hex: string) => decodePacket(withTrailer(bytes(hex), SID), SID);
const plain = (hex: string) => decodePacket(withTrailer(bytes(hex), undefined), SID);
const hexOf = (name: string) => toHex(documented.find((example) => example.name === name)?.packet.subarray(0, -4) ?? ZEROS);

describe('a body that is not what it must be makes no packet', () => {
  const hello = hexOf('hello');
  const welcomeHex = hexOf('welcome-fork');
  test.each<[string, Packet | undefined]>([
    ['HELLO of something else', plain(hello.replace('524d', '524e'))],
    ['HELLO with versions the wrong way round', plain(hello.replace('524d0101', '524d0102'))],
    ['HELLO of a name that is none', plain(hello.replace('0662656c742d31', '0642656c742d31'))],
    ['HELLO without a name', plain(`${hello.slice(0, 104)}00`)],
    ['HELLO that takes too small packets', plain(hello.replace('000108030005', 'ff0008030005'))],
    ['HELLO with no window', plain(hello.replace('000108030005', '000100030005'))],
    ['HELLO with a window of 65', plain(hello.replace('000108030005', '000141030005'))],
    ['HELLO with a TLV cut off', plain(hello.slice(0, -2))],
    ['HELLO with half a TLV head', plain(`${hello}40`)],
    ['HELLO to no node', plain(hello.replace('0c63656e7472616c2f62616773', '0c63656e7472616c5f62616773'))],
    ['HELLO to a queue of another spelling', plain(hello.replace('0c63656e7472616c2f62616773', '0c63656e7472616c2f62616753'))],
    ['HELLO with lo above next', plain(hello.replace('0111000301040c', '0111000305040c'))],
    ['HELLO with number 0', plain(hello.replace('0111000301040c', '0111000300040c'))],
    ['KNOCK with more behind', plain('01524d01010200')],
    ['WELCOME with a clock beyond 2^53', plain(welcomeHex.replace('050000000000000000', '050000000000002000'))],
    ['DATA cut off in its number', sealed('9801ff')],
    ['DATA with a handle for the short form', sealed('9f06010300')],
    ['DATA with a handle above 65,535', sealed('9f808004010300')],
    ['DATA with B alone', sealed('a0010300')],
    ['DATA, compact, without a check', sealed('a8010300')],
    ['DATA, compact, its check cut off', sealed('a801030001')],
    ['DATA, a mixed batch, its check cut off', sealed('b0010300036101')],
    ['DATA, an empty batch', sealed('b8010300')],
    ['DATA, a batch that ends too early', sealed('b801030002aa')],
    ['DATA, a first part that is all', sealed('900103000102')],
    ['DATA, an empty first part', sealed('9001030005')],
    ['DATA, an empty last part', sealed('8801030005')],
    ['DATA, a later part at 0', sealed('8001030000aa')],
    ['ACK without bitmap length', sealed('050100')],
    ['ACK with a bitmap of nine bytes', sealed(`05010009${'00'.repeat(9)}`)],
    ['ACK with a bitmap cut off', sealed('05010002aa')],
    ['ACK with records but no flag', sealed('05010000000105')],
    ['ACK with the flag but no records', sealed('15010000')],
    ['ACK with half a record', sealed('15010000000105 0001')],
    ['ACK with cursor 0', sealed('15010000000005')],
    ['NOTE without a number', sealed('06')],
    ['NOTE with a gap from high to low', sealed('0600080c 00 05 04 01 0662656c742d3100')],
    ['NOTE with a number beyond 48 bits', sealed(`06000b0a00 01 ${'80'.repeat(6)}4000`)],
    ['NOTE with a padded varint', sealed('06000b04 00 8100 05')],
    ['TIME with more behind', sealed('070801 0000000000000000 00')],
    ['TIME beyond 2^53', sealed('070801 0000000000002000')],
    ['BYE cut off', plain('0b01000000')],
    ['BYE with more behind', plain('0b010000000000')],
    ['LOG without a level', plain('0a')],
    ['nothing but a checksum', decodePacket(withTrailer(new Uint8Array(0), undefined), SID)],
  ])('%s', (_name, packet) => expect(packet).toBeUndefined());

  test('while its neighbours that may differ do', () => {
    expect(plain(hello)).toEqual(EXAMPLES.hello);
    expect(sealed('150100000001 05')).toMatchObject({ records: [{ handle: 0, cursor: 1, credit: 5 }] });
    expect(sealed('9f07010300')).toMatchObject({ handle: 7, content: { kind: 'whole', payload: new Uint8Array(0) } });
    expect(sealed('a80103000100')).toMatchObject({ content: { kind: 'compact', check: 1, body: new Uint8Array(0) } });
    expect(sealed('b801030000')).toMatchObject({ content: { kind: 'batch', payloads: [new Uint8Array(0)] } });
  });
});

describe('what a later version may send', () => {
  test.each([0x0, 0x3, 0x4, 0x8, 0x9, 0xc, 0xd, 0xe, 0xf])('type %i is unknown, sealed or not', (type) => {
    const hex = `${type.toString(16).padStart(2, '0')}aabb`;
    expect(plain(hex)).toEqual({ kind: 'unknown', type });
    expect(sealed(hex)).toEqual({ kind: 'unknown', type });
  });

  test.each(['11', '42', '25', '16', '27', '47', '1a', '2b'])('header %s has flags without a meaning: unknown', (header) => {
    expect(sealed(`${header}00`)).toEqual({ kind: 'unknown', type: Number.parseInt(header, 16) & 15 });
  });

  test('TLVs of other types are kept as they came', () => {
    const value = Uint8Array.of(1, 2);
    const unknown = (type: number) => ({ kind: 'unknown', type, value });
    expect(sealed('0600 0e020102 40020102 ff020102 03020102')).toEqual({
      kind: 'note',
      pn: 0,
      tlvs: [unknown(14), unknown(64), unknown(255), unknown(TLV_TYPE.sleep)],
    });
  });

  test('a gap of another class is kept as it came, not as another ending', () => {
    const packet = sealed('0600 0806 00 01 02 63 0161');
    expect(packet).toMatchObject({ tlvs: [{ kind: 'unknown', type: TLV_TYPE.gap }] });
  });

  test('fields behind the known ones, and flags beside them, are passed over', () => {
    expect(sealed('0600 0b05 00 01 02 aabb')).toMatchObject({ tlvs: [{ kind: 'elsewhere', handle: 0, from: 1, to: 2 }] });
    expect(sealed('0600 010b 00 7b 01 01 03612f62 aabbcc')).toMatchObject({
      tlvs: [{ kind: 'stream', priority: 3, address: 'a/b' }],
    });
    expect(plain(hexOf('welcome-fork').replace(/^020101/, '0201fe'))).toMatchObject({ verdict: 'welcome' });
  });
});

const number = fc.integer({ min: 1, max: NUMBER_MAX });
const range = fc.tuple(number, number).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const byte = fc.nat(255);
const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
const incarnation = eight.map(toHex);
const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,62}$/);
const address = fc.tuple(name, fc.oneof(name, fc.constantFrom('$dead', '$admin'))).map(([node, queue]) => `${node}/${queue}`);
const handle = fc.oneof(fc.nat(8), fc.nat(HANDLE_MAX));
const cursor = fc.record({ handle, cursor: number, credit: fc.maxSafeNat() });
const epoch = fc.record({ counter: fc.nat(0xffff_ffff), random: fc.nat(0xffff_ffff) });
const limits = fc.record({
  packetBytesMax: fc.integer({ min: PACKET_BYTES_MIN, max: PACKET_BYTES_LIMIT }),
  window: fc.integer({ min: 1, max: WINDOW_MAX }),
  features: fc.nat(0xffff),
  ackDelayMs: byte,
});
const verdict = fc.constantFrom('welcome' as const, 'fork' as const);
const payload = fc.uint8Array({ maxLength: 100 });
const part = fc.uint8Array({ minLength: 1, maxLength: 100 });

const tlv: fc.Arbitrary<Tlv> = fc.oneof(
  fc
    .record({
      handle,
      priority: fc.nat(7),
      range,
      address,
      origin: fc.option(fc.record({ node: name, incarnation }), { nil: undefined }),
    })
    .map(({ range, origin, ...rest }) => {
      const stream = { kind: 'stream' as const, ...rest, lo: range.from, next: range.to };
      return origin === undefined ? stream : { ...stream, origin };
    }),
  cursor.map((fields) => ({ kind: 'cursor' as const, ...fields })),
  fc.record({ kind: fc.constant('reject' as const), handle, number, reason: byte }),
  fc
    .record({ handle, range, class: fc.constantFrom(...ENDING_CLASSES), node: name })
    .map(({ range, ...rest }) => ({ kind: 'gap' as const, ...rest, ...range })),
  fc.record({ handle, range }).map(({ handle, range }) => ({ kind: 'elsewhere' as const, handle, ...range })),
  fc.record(
    {
      kind: fc.constant('down-offer' as const),
      ticket: eight,
      ticketNonce: eight,
      own: fc.constantFrom('whole' as const, 'in-part' as const),
      age: fc.constant('live' as const),
    },
    { requiredKeys: ['kind', 'ticket', 'ticketNonce', 'own'] },
  ),
  fc.record({ kind: fc.constant('down-answer' as const), verdict, ticket: eight }),
  fc.record({ kind: fc.constant('route' as const), epoch: fc.nat(0xffff_ffff) }),
  fc.record({ kind: fc.constant('stat' as const), counters: fc.array(fc.maxSafeNat(), { maxLength: 31 }) }),
  fc.record({
    kind: fc.constant('unknown' as const),
    type: fc.integer({ min: 14, max: 255 }),
    value: fc.uint8Array({ maxLength: 255 }),
  }),
);
const tlvs = fc.array(tlv, { maxLength: 5 });
const content = fc.oneof(
  fc.record({ kind: fc.constant('whole' as const), payload }),
  fc.record({ kind: fc.constant('batch' as const), payloads: fc.array(payload, { minLength: 1, maxLength: 6 }) }),
  fc
    .record({ payload: part, more: fc.integer({ min: 1, max: 1_000_000 }) })
    .map(({ payload, more }) => ({ kind: 'first' as const, total: payload.length + more, payload })),
  fc.record({
    kind: fc.constantFrom('middle' as const, 'last' as const),
    offset: fc.integer({ min: 1, max: 1_000_000 }),
    payload: part,
  }),
);
const packet: fc.Arbitrary<Sendable> = fc.oneof(
  fc.record({ kind: fc.constant('knock' as const), versionMax: fc.constant(9), versionMin: fc.nat(9) }),
  fc.record({
    kind: fc.constant('hello' as const),
    versionMax: fc.constant(9),
    versionMin: fc.nat(9),
    flags: byte.map((flags) => flags & ~HELLO_KNOCK),
    nonce: eight,
    incarnation,
    epoch,
    ticket: eight,
    ticketNonce: eight,
    limits,
    node: name,
    tlvs,
  }),
  fc.record({
    kind: fc.constant('welcome' as const),
    version: byte,
    verdict,
    nonceEcho: eight,
    nonce: eight,
    incarnation,
    epoch,
    ticket: eight,
    limits,
    keepaliveS: byte,
    unixTimeUs: fc.maxSafeNat(),
    node: name,
    tlvs,
  }),
  fc.record({
    kind: fc.constant('data' as const),
    handle,
    pn: byte,
    numberLow: fc.nat(0xffff),
    acknowledge: fc.constantFrom('now' as const, 'later' as const),
    content,
  }),
  fc.record({
    kind: fc.constant('ack' as const),
    largest: byte,
    delayMs: byte,
    bitmap: fc.uint8Array({ maxLength: BITMAP_BYTES_MAX }),
    isBusy: fc.boolean(),
    records: fc.array(cursor, { maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant('note' as const), pn: byte, tlvs }),
  fc.record({ kind: fc.constant('time-request' as const), pn: byte, id: byte, t1Us: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('time-response' as const),
    id: byte,
    t1Us: fc.maxSafeNat(),
    t2Us: fc.maxSafeNat(),
    t3Us: fc.maxSafeNat(),
  }),
  fc.record({ kind: fc.constant('log' as const), level: byte, text: payload }),
  fc.record({ kind: fc.constant('bye' as const), reason: byte, sid: fc.nat(0xffff_ffff) }),
);

test('every packet comes back as it was, through the line', () => {
  fc.assert(
    fc.property(packet, fc.nat(0xffff_ffff), (sent, sid) => {
      const line = frameForLine(encodePacket(sent, sid));
      const frame = decodeCobs(line.subarray(1, -1));
      expect(frame && decodePacket(frame, sid)).toEqual(sent);
    }),
    { numRuns: 2_000 },
  );
});

test('any bytes whose checksum holds give a packet that can be sent again, or none; never an error', () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(packet, fc.uint8Array({ maxLength: 6 }), fc.nat(), fc.boolean(), (sent, patch, at, isSealed) => {
      const body = encodePacket(sent, SID).slice(0, -4);
      body.set(patch.subarray(0, Math.max(0, body.length - (at % body.length))), at % body.length);
      const received = decodePacket(withTrailer(body, isSealed ? SID : undefined), SID);
      kinds.add(received?.kind ?? 'none');
      if (received === undefined || received.kind === 'unknown') return;
      expect(decodePacket(encodePacket(received, SID), SID)).toEqual(received);
    }),
    { numRuns: 3_000 },
  );
  expect(kinds).toContain('none');
  expect(kinds.size).toBeGreaterThan(8);
});

test('noise is none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.option(fc.nat(0xffff_ffff), { nil: undefined }), (noise, sid) => {
      expect(decodePacket(noise, sid)).toBeUndefined();
    }),
  );
});

describe('sizes', () => {
  const longest = 'n'.repeat(63);
  const address = `${longest}/${longest}`;
  const origin = { node: longest, incarnation: 'ffffffffffffffff' };
  const stream: Tlv = { kind: 'stream', handle: HANDLE_MAX, priority: 7, lo: NUMBER_MAX, next: NUMBER_MAX, address, origin };
  const gap: Tlv = { kind: 'gap', handle: HANDLE_MAX, from: NUMBER_MAX, to: NUMBER_MAX, class: 'POISON', node: longest };
  const bytesOf = (packet: Sendable) => encodePacket(packet, SID).length;

  test('the smallest receiver takes the answer, the declaration of any stream, and any gap', () => {
    const cursor: Tlv = { kind: 'cursor', handle: HANDLE_MAX, cursor: NUMBER_MAX, credit: 2 ** 32 };
    const answer: Sendable = {
      ...(EXAMPLES.welcome as typeof welcome & { verdict: 'welcome'; ticket: Uint8Array; unixTimeUs: number }),
      node: longest,
      tlvs: [cursor, { kind: 'down-offer', ticket: ZEROS, ticketNonce: ZEROS, own: 'whole' }],
    };
    expect(bytesOf(answer)).toBeLessThanOrEqual(PACKET_BYTES_MIN);
    for (const tlv of [stream, gap]) expect(bytesOf({ kind: 'note', pn: 0, tlvs: [tlv] })).toBeLessThanOrEqual(PACKET_BYTES_MIN);
  });

  test('a HELLO has room for four streams of the longest names', () => {
    const hello = EXAMPLES.hello as Extract<Sendable, { kind: 'hello' }>;
    expect(bytesOf({ ...hello, node: longest, tlvs: [stream, stream, stream, stream] })).toBeLessThanOrEqual(HELLO_BYTES_MAX);
  });

  test('a message costs ten bytes on the line, up to 246 of payload', () => {
    for (const length of [0, 1, 128, 245]) {
      const content = { kind: 'whole', payload: new Uint8Array(length).fill(1) } as const;
      const packet = encodePacket({ kind: 'data', handle: 0, pn: 1, numberLow: 2, acknowledge: 'later', content }, SID);
      expect(packet.length - length).toBe(8);
      expect(frameForLine(packet).length - 1 - length).toBe(10);
    }
  });

  test('a frame above the limit is none', () => {
    const content = new Uint8Array(PACKET_BYTES_LIMIT - 3);
    content[0] = 0x0a;
    expect(decodePacket(withTrailer(content, undefined), undefined)).toBeUndefined();
    expect(decodePacket(withTrailer(content.subarray(0, -1), undefined), undefined)).toMatchObject({ kind: 'log' });
  });
});

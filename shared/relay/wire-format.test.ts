/**
 * What crosses MQTT, byte by byte. The vectors are typed by hand after docs/envelope.cddl, their checksums come from a bitwise CRC
 * in another language; the docs show the same bytes. A second decoder, written here and knowing nothing of ours, reads what we write.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, NO_BYTES, toHex, toUtf8 } from '../bytes.ts';
import { crc32c } from '../crc32c.ts';
import type { Answer, Item, Offer } from '../custody/session.ts';
import { BATCH_ITEM_COUNT_MAX, PUBLISH_BYTES_MAX, SYNC_STREAM_COUNT_MAX } from '../limits.ts';
import { encodeCbor } from '../message/cbor.ts';
import { ENDING_CLASSES } from '../message/classes.ts';
import { decodeEnvelope, encodeEnvelope } from '../message/envelope.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Message } from '../message/message.ts';
import { decodePublish, encodeItem, encodePublish, PUBLISH_HEADER_BYTES_MAX, type PublishedItem } from './publish-layout.ts';
import { decodeReceipt, encodeAnswer, encodeHello, encodeProgress } from './receipt-layout.ts';
import { decodeStatus, encodeStatus, type Status } from './status-layout.ts';
import { decodeSync, encodeSync } from './sync-layout.ts';

const hex = (text: string) => fromHex(text.replace(/#.*$/gm, '').replaceAll(/\s/g, '')) ?? NO_BYTES;

const KEY: StreamKey = { origin: 'd1', incarnation: 'a0a1a2a3a4a5a6a7', destination: 'central/bags', priority: 3 };
const SENDER = '0102030405060708';
const RECEIVER = 'c0c1c2c3c4c5c6c7';
const NONCE = hex('1112131415161718');
const TICKET = hex('2122232425262728');
const OLD_TICKET = hex('3132333435363738');
const OLD_NONCE = hex('4142434445464748');

const STREAM = '626431 48a0a1a2a3a4a5a6a7 6c63656e7472616c2f62616773 03';
const ENVELOPE = `
  84 01
  58 3c a9 00 626431 01 48a0a1a2a3a4a5a6a7 02 6c63656e7472616c2f62616773 03 03 04 11 05 02 06 1adeadbeef 07 4568656c6c6f
        08 6a746578742f706c61696e
  1a 13e2f7d0
  a1 00 01`;
const MESSAGE_ITEM = `58 67 87 00 ${STREAM} 11 58 48 ${ENVELOPE}`;
const GAP_ITEM = `58 32 89 01 ${STREAM} 12 181e 6f524543454956455f54494d454f5554 626431`;
const ELSEWHERE_ITEM = `58 20 87 02 ${STREAM} 181f 1820`;
const PUBLISH = `
  a6 00 01 01 626777 02 48${SENDER} 03 481112131415161718 04 03 05 1a9525a2f1
  ${MESSAGE_ITEM} ${GAP_ITEM} ${ELSEWHERE_ITEM}`;
const SYNC = `
  aa 00 01 01 626777 02 48${SENDER} 03 481112131415161718 04 82 05 1adeadbeef 05 6763656e7472616c
     06 483132333435363738 07 484142434445464748 08 81 86 ${STREAM} 11 1821 09 02`;
const RECEIPT_HEAD = `00 01 01 6763656e7472616c 02 48${RECEIVER} 03 481112131415161718`;
const ANSWER = `a9 ${RECEIPT_HEAD} 04 00 05 00 06 82 01 02 07 482122232425262728 08 81 86 ${STREAM} 11 1a00040000`;
const PROGRESS = `a6 ${RECEIPT_HEAD} 04 01 08 81 87 ${STREAM} 12 00 f5`;
const HELLO = `a5 ${RECEIPT_HEAD} 04 02`;
const ONLINE = `a6 00 01 01 6763656e7472616c 04 f5 02 48${RECEIVER} 05 82 01 02 06 03`;
const OFFLINE = 'a3 00 01 01 6763656e7472616c 04 f4';
const COMMANDS = '6763656e7472616c 48c0c1c2c3c4c5c6c7 6b64312f636f6d6d616e6473 03';
const STOPS = '6763656e7472616c 48c0c1c2c3c4c5c6c7 6864322f73746f7073 07';
const DOWN_NONCE = '485152535455565758';
const DOWN_SYNC = `
  ab 00 01 01 6763656e7472616c 02 48${RECEIVER} 03 ${DOWN_NONCE} 04 82 01 02 05 626777
     06 480000000000000000 07 480000000000000000 08 82 86 ${COMMANDS} 01 04 86 ${STOPS} 01 02 09 01 0a f5`;
const DOWN_PUBLISH = `
  a6 00 01 01 6763656e7472616c 02 48${RECEIVER} 03 ${DOWN_NONCE} 04 02 05 1a5a9bed72
  58 33 89 01 ${COMMANDS} 01 02 68515f505552474544 6763656e7472616c
  58 1f 87 02 ${STOPS} 01 01`;
const DOWN_PROGRESS = `
  a6 00 01 01 626777 02 48${SENDER} 03 ${DOWN_NONCE} 04 01
     08 82 87 ${COMMANDS} 03 1a00040000 f4 87 ${STOPS} 02 1a00040000 f4`;

const MESSAGE: Message = {
  identity: { ...KEY, number: 17 },
  epoch: { counter: 2, random: 0xdeadbeef },
  priority: 3,
  body: toUtf8('hello'),
  contentType: 'text/plain',
};
const SPEAKER = { sender: 'gw', incarnation: SENDER, nonce: NONCE };
const ITEMS: readonly Item[] = [
  { kind: 'message', number: 17, envelope: hex(ENVELOPE) },
  { kind: 'gap', number: 18, to: 30, class: 'RECEIVE_TIMEOUT', node: 'd1' },
  { kind: 'elsewhere', number: 31, to: 32 },
];
const OFFER: Offer = {
  sender: 'gw',
  incarnation: SENDER,
  epoch: { counter: 5, random: 0xdeadbeef },
  nonce: NONCE,
  ticket: OLD_TICKET,
  ticketNonce: OLD_NONCE,
  streams: [{ stream: KEY, lo: 17, next: 33 }],
  own: 'in-part',
};
const RECEIVER_HEAD = { receiver: 'central', incarnation: RECEIVER, nonce: NONCE };
const EPOCH = { counter: 1, random: 2 };
const CURSORS = [{ stream: KEY, cursor: 17, credit: 262_144 }];
const WELCOME: Answer = { kind: 'welcome', ...RECEIVER_HEAD, epoch: EPOCH, ticket: TICKET, cursors: CURSORS };
const MOVED = [{ stream: KEY, cursor: 18, credit: 0, hasMissed: true }];
const STATUS: Status = { kind: 'online', node: 'central', incarnation: RECEIVER, epoch: EPOCH, hello: 3 };

/** The other direction, for gateway `gw`: of two devices below it. */
const FROM_CENTRAL = { origin: 'central', incarnation: RECEIVER } as const;
const COMMANDS_KEY: StreamKey = { ...FROM_CENTRAL, destination: 'd1/commands', priority: 3 };
const STOPS_KEY: StreamKey = { ...FROM_CENTRAL, destination: 'd2/stops', priority: 7 };
const DOWN_SPEAKER = { sender: 'central', incarnation: RECEIVER, nonce: hex(DOWN_NONCE.slice(2)) };
const DOWN_OFFER: Offer = {
  ...DOWN_SPEAKER,
  epoch: EPOCH,
  ticket: new Uint8Array(8),
  ticketNonce: new Uint8Array(8),
  streams: [
    { stream: COMMANDS_KEY, lo: 1, next: 4 },
    { stream: STOPS_KEY, lo: 1, next: 2 },
  ],
  own: 'whole',
};
const PURGED: Item = { kind: 'gap', number: 1, to: 2, class: 'Q_PURGED', node: 'central' };
const GONE: Item = { kind: 'elsewhere', number: 1, to: 1 };
const DOWN_HEAD = { receiver: 'gw', incarnation: SENDER, nonce: DOWN_SPEAKER.nonce };
const DOWN_MOVED = [
  { stream: COMMANDS_KEY, cursor: 3, credit: 262_144, hasMissed: false },
  { stream: STOPS_KEY, cursor: 2, credit: 262_144, hasMissed: false },
];

describe('golden vectors', () => {
  test.each<[string, Uint8Array, string]>([
    ['envelope', encodeEnvelope(MESSAGE, { count: 1, elapsedMs: 0 }), ENVELOPE],
    [
      'publish',
      encodePublish(
        SPEAKER,
        ITEMS.map((item) => encodeItem(KEY, item)),
      ),
      PUBLISH,
    ],
    ['sync', encodeSync({ receiver: 'central', attempt: 2, offer: OFFER }), SYNC],
    ['answer', encodeAnswer(WELCOME), ANSWER],
    ['progress', encodeProgress(RECEIVER_HEAD, MOVED), PROGRESS],
    ['hello', encodeHello(RECEIVER_HEAD), HELLO],
    ['online', encodeStatus(STATUS), ONLINE],
    ['offline', encodeStatus({ kind: 'offline', node: 'central' }), OFFLINE],
    ['sync down', encodeSync({ receiver: 'gw', attempt: 1, offer: DOWN_OFFER }), DOWN_SYNC],
    ['publish down', encodePublish(DOWN_SPEAKER, [encodeItem(COMMANDS_KEY, PURGED), encodeItem(STOPS_KEY, GONE)]), DOWN_PUBLISH],
    ['progress from below', encodeProgress(DOWN_HEAD, DOWN_MOVED), DOWN_PROGRESS],
  ])('%s is written as specified', (_name, written, vector) => {
    expect(toHex(written)).toBe(toHex(hex(vector)));
  });

  test('each is read as what it was', () => {
    expect(decodeEnvelope(hex(ENVELOPE))).toEqual({ message: MESSAGE, hop: { count: 1, elapsedMs: 0 } });
    const items = ITEMS.map((item) => ({ kind: 'item', stream: KEY, item }));
    expect(decodePublish(hex(PUBLISH))).toEqual({ kind: 'publish', header: SPEAKER, items });
    expect(decodeSync(hex(SYNC))).toEqual({ kind: 'sync', receiver: 'central', attempt: 2, offer: OFFER });
    const answered = CURSORS.map((cursor) => ({ ...cursor, hasMissed: false }));
    expect(decodeReceipt(hex(ANSWER))).toEqual({ kind: 'answer', answer: { ...WELCOME, cursors: answered } });
    expect(decodeReceipt(hex(PROGRESS))).toEqual({ kind: 'progress', ...RECEIVER_HEAD, cursors: MOVED });
    expect(decodeReceipt(hex(HELLO))).toEqual({ kind: 'hello', ...RECEIVER_HEAD });
    expect(decodeStatus(hex(ONLINE))).toEqual(STATUS);
    expect(decodeStatus(hex(OFFLINE))).toEqual({ kind: 'offline', node: 'central' });
    expect(decodeSync(hex(DOWN_SYNC))).toEqual({ kind: 'sync', receiver: 'gw', attempt: 1, offer: DOWN_OFFER });
    const down = [
      { kind: 'item', stream: COMMANDS_KEY, item: PURGED },
      { kind: 'item', stream: STOPS_KEY, item: GONE },
    ];
    expect(decodePublish(hex(DOWN_PUBLISH))).toEqual({ kind: 'publish', header: DOWN_SPEAKER, items: down });
    expect(decodeReceipt(hex(DOWN_PROGRESS))).toEqual({ kind: 'progress', ...DOWN_HEAD, cursors: DOWN_MOVED });
  });

  test('a fork is an answer with verdict 1', () => {
    const fork = hex(ANSWER);
    const at = toHex(fork).indexOf('04000500') / 2;
    fork[at + 3] = 1;
    expect(decodeReceipt(fork)).toMatchObject({ kind: 'answer', answer: { kind: 'fork' } });
  });

  test('the docs show these bytes', () => {
    const docs = readFileSync(join(import.meta.dirname, '../../docs/mqtt.md'), 'utf8');
    const shown = [...docs.matchAll(/```hex\n(.*?)```/gs)].map(([, block = '']) => toHex(hex(block)));
    expect(shown).toEqual(
      [ENVELOPE, PUBLISH, SYNC, ANSWER, PROGRESS, HELLO, ONLINE, OFFLINE, DOWN_SYNC, DOWN_PUBLISH, DOWN_PROGRESS].map((vector) =>
        toHex(hex(vector)),
      ),
    );
  });

  test('the schema knows every class, and the limits', () => {
    const cddl = readFileSync(join(import.meta.dirname, '../../docs/envelope.cddl'), 'utf8');
    const rule = /^class = (.*?)\n\n|^class = (.*)/ms.exec(cddl)?.[0] ?? '';
    expect([...rule.matchAll(/"([A-Z_]+)"/g)].map(([, name]) => name)).toEqual([...ENDING_CLASSES]);
    expect(cddl).toContain(`0..${BATCH_ITEM_COUNT_MAX}`);
    expect(cddl).toContain(`0*${SYNC_STREAM_COUNT_MAX}`);
  });
});

describe('a stranger reads what we write', () => {
  test('a publish', () => {
    const payload = encodePublish(
      SPEAKER,
      ITEMS.map((item) => encodeItem(KEY, item)),
    );
    const [header, ...framed] = readSequence(payload);
    const [message, gap, elsewhere] = framed.map((bytes) => readOne(bytes as Uint8Array));
    expect(header).toEqual(
      new Map<unknown, unknown>([
        [0, 1],
        [1, 'gw'],
        [2, hex(SENDER)],
        [3, NONCE],
        [4, 3],
        [5, 0x9525a2f1],
      ]),
    );
    const stream = ['d1', hex('a0a1a2a3a4a5a6a7'), 'central/bags', 3];
    expect(message).toEqual([0, ...stream, 17, hex(ENVELOPE)]);
    expect(gap).toEqual([1, ...stream, 18, 30, 'RECEIVE_TIMEOUT', 'd1']);
    expect(elsewhere).toEqual([2, ...stream, 31, 32]);
    const [version, immutable, crc, hop] = readOne((message as unknown[])[6] as Uint8Array) as [
      number,
      Uint8Array,
      number,
      unknown,
    ];
    expect([version, crc, hop]).toEqual([1, crc32c(immutable), new Map([[0, 1]])]);
    expect((readOne(immutable) as Map<number, unknown>).get(7)).toEqual(toUtf8('hello'));
  });

  test('whatever a message holds', () => {
    const text = fc.string({ maxLength: 40, unit: 'grapheme' });
    const message = fc.record(
      { label: text, correlationId: text, body: fc.uint8Array({ maxLength: 300 }) },
      { requiredKeys: ['body'] },
    );
    fc.assert(
      fc.property(message, (content) => {
        const [, immutable] = readOne(encodeEnvelope({ ...MESSAGE, ...content })) as [number, Uint8Array];
        const fields = readOne(immutable) as Map<number, unknown>;
        expect(toHex(fields.get(7) as Uint8Array)).toBe(toHex(content.body));
        expect([fields.get(9), fields.get(10)]).toEqual([content.label, content.correlationId]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('decoding is strict, bounded and never throws', () => {
  const decoders = { decodePublish, decodeSync, decodeReceipt, decodeStatus };
  const vectors = [PUBLISH, SYNC, ANSWER, PROGRESS, HELLO, ONLINE, OFFLINE].map(hex);

  test('every truncation is refused', () => {
    for (const whole of vectors) {
      for (let length = 0; length < whole.length; length++) {
        for (const decode of Object.values(decoders)) expect(decode(whole.subarray(0, length))).toBeUndefined();
      }
    }
  });

  test('trailing bytes are refused', () => {
    for (const whole of vectors) {
      for (const decode of Object.values(decoders)) expect(decode(concatBytes([whole, Uint8Array.of(0)]))).toBeUndefined();
    }
  });

  test('every single-bit error behind the header of a publish is noticed', () => {
    const whole = hex(PUBLISH);
    const headerBytes = whole.length - hex(`${MESSAGE_ITEM} ${GAP_ITEM} ${ELSEWHERE_ITEM}`).length;
    for (let bit = 8 * headerBytes; bit < 8 * whole.length; bit++) {
      const flipped = whole.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodePublish(flipped)).toBeUndefined();
    }
  });

  test('any bytes at all', () => {
    const someBytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...vectors).chain(mutated));
    fc.assert(
      fc.property(someBytes, (bytes) => {
        for (const decode of Object.values(decoders)) decode(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  test.each<[string, string]>([
    ['a name with a dot', SYNC.replace('626777', '622e77')],
    ['an incarnation of seven bytes', SYNC.replace(`48${SENDER}`, '4701020304050607')],
    ['a priority of 8', SYNC.replace('67730311', '67730811').replace(STREAM, STREAM.replace(/03$/, '08'))],
    ['an address without a node', SYNC.replace('6c63656e7472616c2f62616773', '6462616773')],
    ['lo beyond next', SYNC.replace('11 1821', '1822 1821')],
    ['lo of 0', SYNC.replace('11 1821', '00 1821')],
    ['a negative epoch', SYNC.replace('1adeadbeef 05', '20 05')],
  ])('a sync with %s is none', (_name, vector) => {
    expect(toHex(hex(vector))).not.toBe(toHex(hex(SYNC)));
    expect(decodeSync(hex(vector))).toBeUndefined();
  });

  test('another version is told from garbage', () => {
    for (const [decode, vector] of [
      [decodeSync, SYNC],
      [decodeReceipt, HELLO],
      [decodeStatus, OFFLINE],
    ] as const) {
      const newer = hex(vector);
      newer[2] = 2;
      expect(decode(newer)).toBe('unknown-version');
    }
    const newer = hex(PUBLISH);
    newer[2] = 2;
    expect(decodePublish(newer)).toEqual({ kind: 'unknown-version' });
  });

  test('keys of a newer minor form are passed over', () => {
    const online = hex(`a7 ${ONLINE.slice(2)} 1863 6161`);
    expect(decodeStatus(online)).toEqual(STATUS);
  });

  test('more items, bytes or streams than allowed are refused', () => {
    const item = encodeItem(KEY, { kind: 'elsewhere', number: 1, to: 1 });
    const many = (count: number) =>
      encodePublish(
        SPEAKER,
        Array.from({ length: count }, () => item),
      );
    expect(decodePublish(many(BATCH_ITEM_COUNT_MAX))?.kind).toBe('publish');
    expect(decodePublish(many(BATCH_ITEM_COUNT_MAX + 1))).toBeUndefined();
    const large: Item = { kind: 'message', number: 1, envelope: new Uint8Array(PUBLISH_BYTES_MAX) };
    expect(decodePublish(encodePublish(SPEAKER, [encodeItem(KEY, large)]))).toBeUndefined();
    const cursors = Array.from({ length: SYNC_STREAM_COUNT_MAX + 1 }, () => MOVED[0] as (typeof MOVED)[0]);
    expect(decodeReceipt(encodeProgress(RECEIVER_HEAD, cursors))).toBeUndefined();
  });

  test('a header is never longer than what batches keep for it', () => {
    const longest = encodePublish({ ...SPEAKER, sender: 'n'.repeat(63) }, []);
    const whole = { count: 3, crc: 5 }; // bytes by which a large count and a large checksum are longer
    expect(longest.length + whole.count + whole.crc).toBeLessThanOrEqual(PUBLISH_HEADER_BYTES_MAX);
  });

  test('a sync of too many streams names those that have something to say, the urgent ones first', () => {
    const streams = Array.from({ length: SYNC_STREAM_COUNT_MAX + 50 }, (_, at) => ({
      stream: { ...KEY, destination: `central/q${at}`, priority: at % 8 },
      lo: at < 40 ? 5 : 6,
      next: 6,
    }));
    const decoded = decodeSync(encodeSync({ receiver: 'central', attempt: 1, offer: { ...OFFER, streams } }));
    const named = typeof decoded === 'object' ? decoded.offer.streams : [];
    expect(named).toHaveLength(SYNC_STREAM_COUNT_MAX);
    expect(named.slice(0, 40).map(({ lo }) => lo)).toEqual(Array.from({ length: 40 }, () => 5));
    expect(named.slice(0, 5).map(({ stream }) => stream.priority)).toEqual([7, 7, 7, 7, 7]);
  });
});

describe('whether a sync lists all streams that begin at its sender', () => {
  const own = { ...KEY, origin: OFFER.sender, incarnation: OFFER.incarnation };
  const kept = (offer: Offer): Offer | undefined => {
    const decoded = decodeSync(encodeSync({ receiver: 'central', attempt: 1, offer }));
    return typeof decoded === 'object' ? decoded.offer : undefined;
  };
  /** The bytes with key 10 appended, and one field more in the map. */
  const withKey10 = (value: string) => hex(`${SYNC.trim().replace(/^aa/, 'ab')} 0a ${value}`);
  const streams = (count: number, key: typeof KEY, lo: number) =>
    Array.from({ length: count }, (_, at) => ({ stream: { ...key, destination: `central/q${at}` }, lo, next: 6 }));

  test('is key 10, true, and nothing when it does not', () => {
    expect(toHex(encodeSync({ receiver: 'central', attempt: 2, offer: { ...OFFER, own: 'whole' } }))).toBe(
      toHex(withKey10('f5')),
    );
    expect(decodeSync(withKey10('f5'))).toMatchObject({ offer: { ...OFFER, own: 'whole' } });
    expect(decodeSync(withKey10('f4'))).toMatchObject({ offer: { ...OFFER, own: 'in-part' } });
    expect(decodeSync(withKey10('01'))).toMatchObject({ offer: { own: 'in-part' } });
    expect(decodeSync(hex(SYNC))).toMatchObject({ offer: { own: 'in-part' } });
  });

  test('comes back as it was said', () => {
    const offer: Offer = { ...OFFER, streams: [...streams(2, own, 1), ...streams(2, KEY, 1)] };
    expect(kept({ ...offer, own: 'whole' })).toEqual({ ...offer, own: 'whole' });
    expect(kept({ ...offer, own: 'in-part' })).toEqual({ ...offer, own: 'in-part' });
  });

  test('of too many streams those that begin here stay, drained or not, and it is whole still', () => {
    const foreign = streams(SYNC_STREAM_COUNT_MAX, KEY, 5);
    const offered = kept({ ...OFFER, own: 'whole', streams: [...foreign, ...streams(40, own, 6)] });
    expect(offered?.own).toBe('whole');
    expect(offered?.streams).toHaveLength(SYNC_STREAM_COUNT_MAX);
    expect(offered?.streams.filter(({ stream }) => stream.origin === own.origin)).toHaveLength(40);
  });

  test('an older incarnation of the sender is not what begins here', () => {
    const old = streams(SYNC_STREAM_COUNT_MAX, { ...own, incarnation: 'ff'.repeat(8) }, 5);
    const offered = kept({ ...OFFER, own: 'whole', streams: [...old, ...streams(1, own, 6)] });
    expect([offered?.own, offered?.streams[0]?.stream]).toEqual(['whole', { ...own, destination: 'central/q0' }]);
  });

  test('with more of them than it may list it says that it is not whole', () => {
    const offered = kept({ ...OFFER, own: 'whole', streams: streams(SYNC_STREAM_COUNT_MAX + 1, own, 1) });
    expect([offered?.own, offered?.streams.length]).toEqual(['in-part', SYNC_STREAM_COUNT_MAX]);
    expect(kept({ ...OFFER, own: 'whole', streams: streams(SYNC_STREAM_COUNT_MAX, own, 1) })?.own).toBe('whole');
  });
});

describe('items that do not decode keep what can be read of them', () => {
  const only = (framed: Uint8Array): PublishedItem | undefined => {
    const decoded = decodePublish(encodePublish(SPEAKER, [framed]));
    return decoded?.kind === 'publish' ? decoded.items[0] : undefined;
  };
  const frame = (text: string) => encodeCbor(hex(text));

  test.each<[string, string, object]>([
    ['an envelope cut short', `87 00 ${STREAM} 11 58 48 00 01`, { stream: KEY, number: 17 }],
    ['an unknown kind', `87 07 ${STREAM} 11 40`, { stream: KEY, number: 17 }],
    ['an unknown class', `89 01 ${STREAM} 11 12 6141 626431`, { stream: KEY, number: 17 }],
    ['a gap that ends before it begins', `89 01 ${STREAM} 11 10 67455850495245 44 626431`, { stream: KEY, number: 17 }],
    ['a message with something behind it', `88 00 ${STREAM} 11 40 00`, { stream: KEY, number: 17 }],
    ['a number of 0', `87 00 ${STREAM} 00 40`, { stream: KEY }],
    ['a bad stream', `87 00 612e 48a0a1a2a3a4a5a6a7 6c63656e7472616c2f62616773 03 11 40`, { number: 17 }],
    ['nothing at all', '', {}],
    ['no array', '19ffff', {}],
  ])('%s', (_name, text, readable) => {
    expect(only(frame(text))).toEqual({ kind: 'bad', ...readable, bytes: hex(text) });
  });

  test('an item that is no byte string breaks the frame: nothing of the publish is taken', () => {
    expect(decodePublish(encodePublish(SPEAKER, [hex('8100')]))).toBeUndefined();
  });
});

function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)).map(([at, value]) => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  });
}

function readOne(bytes: Uint8Array): unknown {
  const values = readSequence(bytes);
  expect(values).toHaveLength(1);
  return values[0];
}

/** A CBOR reader in thirty lines, after RFC 8949 and nothing else. */
function readSequence(bytes: Uint8Array): unknown[] {
  let at = 0;
  const take = (count: number) => {
    if (at + count > bytes.length) throw new Error('short');
    at += count;
    return Buffer.from(bytes.slice(at - count, at));
  };
  const read = (): unknown => {
    const initial = take(1).readUInt8();
    const [major, info] = [initial >> 5, initial & 31];
    if (major === 7) return info === 20 ? false : info === 21 ? true : info === 27 ? take(8).readDoubleBE() : undefined;
    const argument = info < 24 ? info : Number(BigInt(`0x${take(1 << (info - 24)).toString('hex')}`));
    switch (major) {
      case 0:
        return argument;
      case 1:
        return -1 - argument;
      case 2:
        return new Uint8Array(take(argument));
      case 3:
        return take(argument).toString('utf8');
      case 4:
        return Array.from({ length: argument }, read);
      case 5:
        return new Map(Array.from({ length: argument }, () => [read(), read()]));
      default:
        throw new Error('tags are not used here');
    }
  };
  const values: unknown[] = [];
  while (at < bytes.length) values.push(read());
  return values;
}

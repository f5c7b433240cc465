import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../shared/bytes.ts';
import { readRp1745 } from './rp1745.ts';
import {
  AckAssembler,
  type AckEvent,
  encodeAck,
  encodeTelegram,
  NOISE_BYTES_MAX,
  nextSequence,
  SEQUENCE_MAX,
  TELEGRAM_BYTES_MAX,
  TelegramAssembler,
  type TelegramEvent,
  telegramProblem,
  xorOf,
} from './stx-etx.ts';

const VECTORS = join(import.meta.dirname, '../../../shared/data/stx-etx-xor.txt');

function bytes(...parts: (string | number | Uint8Array)[]): Uint8Array {
  return concatBytes(
    parts.map((part) =>
      typeof part === 'string' ? new TextEncoder().encode(part) : typeof part === 'number' ? Uint8Array.of(part) : part,
    ),
  );
}

/** Events with telegrams as text, so that a failure can be read. */
function shown(events: readonly TelegramEvent[]): unknown[] {
  return events.map((event) =>
    event.kind === 'telegram' ? [event.sequence, String.fromCharCode(...event.bytes)] : [event.reason, event.bytes],
  );
}

function assemble(...chunks: Uint8Array[]): unknown[] {
  const assembler = new TelegramAssembler();
  const events = chunks.flatMap((chunk) => assembler.push(chunk));
  return shown([...events, ...assembler.end()]);
}

const BSM = bytes('BSM\r\n.V/1TZRH\r\n.F/SR101/18APR/JFK/F\r\n.N/0085123456003\r\nENDBSM');

describe('check byte', () => {
  /** ICS Electronics 2363 manual, p. 112: start, address, message, ETX, XOR of all before. */
  test.each(['02342A636C730363', '0634300301', '153433320323', '02342A6573723F0344', '02342A69646E3F0343'])('%s', (hex) => {
    const whole = fromHex(hex)!;
    expect(xorOf(whole.subarray(0, -1))).toBe(whole.at(-1));
  });

  test.skipIf(!existsSync(VECTORS))(`all published ones (skipped where ${VECTORS} is absent)`, () => {
    const lines = readFileSync(VECTORS, 'latin1').split('\n');
    const vectors = lines.filter((line) => /^[0-9A-F]+\t/.test(line)).map((line) => fromHex(line.split('\t')[0]!)!);
    expect(vectors.length).toBeGreaterThanOrEqual(7);
    for (const whole of vectors) expect(xorOf(whole.subarray(0, -1))).toBe(whole.at(-1));
  });
});

test('a telegram on the line, byte by byte', () => {
  // 02 ^ 30 ^ 30 ^ 34 ^ 32 ^ 41 ^ 42 ^ 03 = 04
  expect(toHex(encodeTelegram(42, bytes('AB')))).toBe('02303034324142' + '03' + '04');
  expect(toHex(encodeAck(9999))).toBe('0639393939');
});

test('sequences go round without 0', () => {
  expect([1, 9998, SEQUENCE_MAX].map(nextSequence)).toEqual([2, 9999, 1]);
});

test.each<[string, Uint8Array, unknown[]]>([
  ['one telegram', encodeTelegram(7, bytes('A')), [[7, 'A']]],
  [
    'two in a row',
    bytes(encodeTelegram(7, bytes('A')), encodeTelegram(8, bytes('B'))),
    [
      [7, 'A'],
      [8, 'B'],
    ],
  ],
  [
    'after garbage',
    bytes('\0\xff?', encodeTelegram(7, bytes('A'))),
    [
      ['framing', 4],
      [7, 'A'],
    ],
  ],
  [
    'garbage after',
    bytes(encodeTelegram(7, bytes('A')), 'zz'),
    [
      [7, 'A'],
      ['framing', 2],
    ],
  ],
  [
    'after half a one',
    bytes(0x02, '0007BS', encodeTelegram(7, bytes('A'))),
    [
      ['framing', 7],
      [7, 'A'],
    ],
  ],
  ['half a one', bytes(0x02, '0007BS'), [['framing', 7]]],
  ['all but the check byte', encodeTelegram(7, bytes('A')).slice(0, -1), [['framing', 7]]],
  ['a wrong check byte', bytes(0x02, '0007A', 0x03, 0x55), [['checksum', 8]]],
  [
    'a lost check byte costs nothing more',
    bytes(0x02, '0007A', 0x03, encodeTelegram(7, bytes('A'))),
    [
      ['checksum', 7],
      [7, 'A'],
    ],
  ],
  ['sequence 0000', framed('0000A'), [['sequence', 8]]],
  ['a sequence that is not digits', framed('00x1A'), [['sequence', 8]]],
  ['an empty telegram', framed('0001'), [['framing', 7]]],
  ['nothing between STX and ETX', framed(''), [['framing', 3]]],
  ['ETX alone', Uint8Array.of(0x03), [['framing', 1]]],
])('%s', (_name, line, expected) => expect(assemble(line)).toEqual(expected));

function framed(content: string): Uint8Array {
  const body = bytes(0x02, content, 0x03);
  return bytes(body, xorOf(body));
}

test('any byte may be the check byte, STX and ETX too', () => {
  const seen = new Set<number>();
  for (let byte = 0; byte < 256; byte++) {
    if (byte === 0x02 || byte === 0x03) continue;
    const line = encodeTelegram(1234, Uint8Array.of(byte));
    seen.add(line.at(-1)!);
    expect(assemble(line, line)).toEqual([
      [1234, String.fromCharCode(byte)],
      [1234, String.fromCharCode(byte)],
    ]);
  }
  expect(seen.has(0x02) && seen.has(0x03)).toBe(true);
});

test('takes the longest telegram and discards a longer one, keeping nothing of it', () => {
  const longest = new Uint8Array(TELEGRAM_BYTES_MAX).fill(0x41);
  expect(assemble(encodeTelegram(1, longest))).toHaveLength(1);
  const lost = bytes(0x02, '0001', longest, 'AB', encodeTelegram(2, bytes('B')));
  expect(assemble(lost)).toEqual([
    ['too-long', 1 + 4 + TELEGRAM_BYTES_MAX + 1],
    ['framing', 1],
    [2, 'B'],
  ]);
});

test('noise is reported while it lasts', () => {
  const assembler = new TelegramAssembler();
  const events = assembler.push(new Uint8Array(3 * NOISE_BYTES_MAX - 1).fill(0xaa));
  expect(shown(events)).toEqual([
    ['framing', NOISE_BYTES_MAX],
    ['framing', NOISE_BYTES_MAX],
  ]);
  expect(shown(assembler.end())).toEqual([['framing', NOISE_BYTES_MAX - 1]]);
});

test('a telegram keeps its bytes when the next one arrives', () => {
  const assembler = new TelegramAssembler();
  const [first] = assembler.push(encodeTelegram(1, bytes('AAAA')));
  assembler.push(encodeTelegram(2, bytes('BBBB')));
  expect(first).toMatchObject({ bytes: bytes('AAAA') });
});

test('is ready for a new line after the end of one', () => {
  const assembler = new TelegramAssembler();
  assembler.push(bytes(0x02, '0001half'));
  assembler.end();
  expect(shown(assembler.push(bytes('rest', 0x03)))).toEqual([]);
  expect(shown(assembler.push(encodeTelegram(2, bytes('B'))))).toEqual([
    ['framing', 5],
    [2, 'B'],
  ]);
});

describe('whatever the line does', () => {
  const lineArbitrary = fc
    .array(
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc.constantFrom(encodeTelegram(1, BSM), encodeTelegram(2, bytes('x')), Uint8Array.of(2), Uint8Array.of(3)),
        fc.tuple(fc.constant(encodeTelegram(3, BSM)), fc.nat(60)).map(([line, length]) => line.slice(0, length)),
      ),
      { maxLength: 8 },
    )
    .map((parts) => bytes(...parts));

  test('events do not depend on the chunks', () => {
    fc.assert(
      fc.property(lineArbitrary, fc.array(fc.nat(200), { maxLength: 10 }), (line, cuts) => {
        const at = [...cuts.map((cut) => Math.min(cut, line.length)), 0, line.length].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, i) => line.slice(at[i], end));
        expect(assemble(...chunks)).toEqual(assemble(line));
        expect(assemble(...Array.from(line, (byte) => Uint8Array.of(byte)))).toEqual(assemble(line));
      }),
    );
  });

  test('every byte is in exactly one telegram or discard', () => {
    fc.assert(
      fc.property(lineArbitrary, (line) => {
        const assembler = new TelegramAssembler();
        const events = [...assembler.push(line), ...assembler.end()];
        const bytesOf = (event: TelegramEvent) => (event.kind === 'telegram' ? event.bytes.length + 7 : event.bytes);
        expect(events.reduce((sum, event) => sum + bytesOf(event), 0)).toBe(line.length);
      }),
    );
  });

  test('two chunks, cut everywhere', () => {
    const line = bytes('noise', encodeTelegram(9, BSM), 0x02, '00', encodeTelegram(10, BSM));
    for (let cut = 0; cut <= line.length; cut++) expect(assemble(line.slice(0, cut), line.slice(cut))).toEqual(assemble(line));
  });
});

describe('single-bit errors', () => {
  const line = encodeTelegram(1234, BSM);
  const cases = Array.from({ length: line.length * 8 }, (_, bit) => bit);
  const damaged = (bit: number) => {
    const copy = line.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    return copy;
  };

  test('none is ever a telegram, and the next telling is always found within two', () => {
    for (const bit of cases) {
      const assembler = new TelegramAssembler();
      expect(assembler.push(damaged(bit)).filter((event) => event.kind === 'telegram')).toEqual([]);
      const repeats = [...assembler.push(line), ...assembler.push(line)].filter((event) => event.kind === 'telegram');
      expect(repeats.length).toBeGreaterThanOrEqual(1);
      for (const event of repeats) expect(event).toMatchObject({ sequence: 1234, bytes: BSM });
    }
  });

  test('one that moves the check byte can get through, but never as a valid telegram', () => {
    // C is ETX with one more bit. The byte behind it is then taken for the check byte; here it is made to fit.
    let got = 0;
    for (let filler = 0x20; filler < 0x7f; filler++) {
      const upToC = bytes('BSM\r\n.V/1TZRH\r\n.N/0085123456003\r\n.R/AB', filler);
      const fits = xorOf(bytes(0x02, '0001', upToC, 0x03));
      if (fits < 0x20 || fits > 0x7e) continue;
      const line = encodeTelegram(1, bytes(upToC, 'C', fits, '\r\nENDBSM'));
      line[1 + 4 + upToC.length]! ^= 0x40;
      for (const event of new TelegramAssembler().push(line)) {
        if (event.kind !== 'telegram') continue;
        got += 1;
        expect(readRp1745(event.bytes).ok).toBe(false);
      }
    }
    expect(got).toBeGreaterThan(0);
  });
});

test('what the check byte cannot see: two equal bytes lost', () => {
  const line = encodeTelegram(1, bytes('ASBSC'));
  expect(assemble(line.filter((byte) => byte !== 0x53))).toEqual([[1, 'ABC']]);
});

test.each<[string, Uint8Array, ReturnType<typeof telegramProblem>]>([
  ['nothing', new Uint8Array(0), 'empty'],
  ['too much', new Uint8Array(TELEGRAM_BYTES_MAX + 1), 'too-long'],
  ['an STX', Uint8Array.of(0x41, 0x02), 'control-byte'],
  ['an ETX', Uint8Array.of(0x03), 'control-byte'],
  ['a good one', BSM, undefined],
])('%s as a telegram', (_name, telegram, problem) => {
  expect(telegramProblem(telegram)).toBe(problem);
  if (problem !== undefined) expect(() => encodeTelegram(1, telegram)).toThrow(problem);
});

describe('acknowledgements', () => {
  const read = (...chunks: Uint8Array[]): unknown[] => {
    const assembler = new AckAssembler();
    const events: AckEvent[] = [...chunks.flatMap((chunk) => assembler.push(chunk)), ...assembler.end()];
    return events.map((event) => (event.kind === 'ack' ? event.sequence : [event.reason, event.bytes]));
  };

  test.each<[string, Uint8Array, unknown[]]>([
    ['one', encodeAck(1), [1]],
    ['two', bytes(encodeAck(1), encodeAck(9999)), [1, 9999]],
    ['out of noise', bytes('0001\0\xff', encodeAck(12), '3456'), [['framing', 7], 12, ['framing', 4]]],
    ['begun twice', bytes(0x06, '00', encodeAck(12)), [['framing', 3], 12]],
    ['broken off', bytes(0x06, '00x', encodeAck(12)), [['framing', 4], 12]],
    ['half of one', bytes(0x06, '001'), [['framing', 4]]],
    ['of 0000', bytes(0x06, '0000'), [['sequence', 5]]],
  ])('%s', (_name, line, expected) => {
    expect(read(line)).toEqual(expected);
    expect(read(...Array.from(line, (byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('noise is reported while it lasts', () => {
    expect(new AckAssembler().push(new Uint8Array(NOISE_BYTES_MAX))).toHaveLength(1);
  });

  test('events do not depend on the chunks', () => {
    const noisy = fc.array(
      fc.oneof(fc.uint8Array({ maxLength: 5 }), fc.constantFrom(encodeAck(1), encodeAck(77), bytes(6, '00'))),
    );
    fc.assert(
      fc.property(noisy, (parts) => {
        const line = bytes(...parts);
        expect(read(...parts)).toEqual(read(line));
        expect(read(...Array.from(line, (byte) => Uint8Array.of(byte)))).toEqual(read(line));
      }),
    );
  });
});

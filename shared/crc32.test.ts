import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as nibbles from './crc-nibbles.ts';
import { crc32 } from './crc32.ts';
import { crc32c } from './crc32c.ts';

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const rising = Uint8Array.from({ length: 32 }, (_, i) => i);

/** One bit at a time, from the polynomial as standards print it: shares nothing with tables and slices. */
function bitwiseCrc(polynomial: number, bytes: Uint8Array): number {
  const reverse = (value: number, bits: number) => {
    let reversed = 0;
    for (let i = 0; i < bits; i++) reversed = (reversed << 1) | ((value >>> i) & 1);
    return reversed >>> 0;
  };
  let register = 0xffff_ffff;
  for (const byte of bytes) {
    register ^= reverse(byte, 8) << 24;
    for (let bit = 0; bit < 8; bit++)
      register = register < 0 || register >>> 31 === 1 ? (register << 1) ^ polynomial : register << 1;
  }
  return reverse(~register, 32);
}

test('CRC-32 of the check string', () => expect(crc32(ascii('123456789'))).toBe(0xcbf43926));

/** RFC 3720 prints the four bytes as they go onto the wire, lowest first. A read command of iSCSI is the fifth pattern. */
const RFC_3720: readonly { name: string; bytes: Uint8Array; crc: number; wire: string }[] = [
  { name: '32x00', bytes: new Uint8Array(32), crc: 0x8a9136aa, wire: 'aa36918a' },
  { name: '32xFF', bytes: new Uint8Array(32).fill(0xff), crc: 0x62a8ab43, wire: '43aba862' },
  { name: '00..1F', bytes: rising, crc: 0x46dd794e, wire: '4e79dd46' },
  { name: '1F..00', bytes: rising.slice().reverse(), crc: 0x113fdb5c, wire: '5cdb3f11' },
  {
    name: 'an iSCSI SCSI Read (10) command',
    bytes: Uint8Array.from(
      '01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000'.match(/../g) ?? [],
      (pair) => Number.parseInt(pair, 16),
    ),
    crc: 0xd9963a56,
    wire: '563a96d9',
  },
];

/** As RFC 3720 prints it. */
function wireOf(crc: number): string {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, crc, true);
  return bytes.getUint32(0).toString(16).padStart(8, '0');
}

describe('CRC-32C', () => {
  test('of the check string', () => expect(crc32c(ascii('123456789'))).toBe(0xe3069283));

  test('of nothing', () => expect(crc32c(new Uint8Array(0))).toBe(0));

  test.each(RFC_3720)('of $name [RFC 3720 B.4]', ({ bytes, crc, wire }) => {
    expect(crc32c(bytes)).toBe(crc);
    expect(wireOf(crc)).toBe(wire);
  });

  test('of a message and its own CRC is the residue of the polynomial', () => {
    const message = ascii('123456789');
    const whole = new Uint8Array(message.length + 4);
    whole.set(message);
    new DataView(whole.buffer).setUint32(message.length, crc32c(message), true);
    expect(crc32c(whole)).toBe(0x48674bc7);
  });
});

/** As the small build makes it. */
function small(polynomial: number): (bytes: Uint8Array, seed?: number) => number {
  const table = nibbles.tablesOf(polynomial);
  return (bytes, seed = 0) => ~nibbles.update(table, bytes, ~seed) >>> 0;
}

describe.each([
  { name: 'CRC-32', crc: crc32, polynomial: 0x04c11db7 },
  { name: 'CRC-32C', crc: crc32c, polynomial: 0x1edc6f41 },
  { name: 'CRC-32 of the small build', crc: small(0xedb88320), polynomial: 0x04c11db7 },
  { name: 'CRC-32C of the small build', crc: small(0x82f63b78), polynomial: 0x1edc6f41 },
])('$name', ({ crc, polynomial }) => {
  test('agrees with one bit at a time, at every length and alignment', () => {
    const source = Uint8Array.from({ length: 80 }, (_, i) => (i * 151 + 7) & 0xff);
    for (let start = 0; start < 9; start++) {
      for (let end = start; end <= source.length; end++) {
        const bytes = source.subarray(start, end);
        expect(crc(bytes)).toBe(bitwiseCrc(polynomial, bytes));
      }
    }
  });

  test('in two parts is the CRC of the whole', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (first, second) => {
        expect(crc(second, crc(first))).toBe(crc(Uint8Array.from([...first, ...second])));
      }),
    );
  });

  test('changes with every single bit', () => {
    const bytes = Uint8Array.from(rising);
    const whole = crc(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(crc(bytes)).not.toBe(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    }
  });
});

test('nothing more leaves the seed as it is', () => {
  expect(crc32(new Uint8Array(0), 0x1234)).toBe(0x1234);
  expect(crc32c(new Uint8Array(0), 0x1234)).toBe(0x1234);
});

// Not for nothing at all: there zlib may answer 0 whatever the seed.
test.skipIf(typeof zlibCrc32 !== 'function')('CRC-32 chains as zlib does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.integer({ min: 0, max: 0xffff_ffff }), (bytes, seed) => {
      expect(crc32(bytes, seed)).toBe(zlibCrc32(bytes, seed));
    }),
  );
});

const CATALOGUE = join(import.meta.dirname, '../../shared/data/crc-check.txt');
const missing = existsSync(CATALOGUE) ? undefined : 'no ../shared/data/crc-check.txt beside the repository';
const catalogue = missing === undefined ? readFileSync(CATALOGUE, 'utf8').split('\n') : [];
const suite = `the catalogue beside the repository${missing === undefined ? '' : ` (skipped: ${missing})`}`;

describe.skipIf(missing !== undefined)(suite, () => {
  test('has our check values', () => {
    const checks = new Map(
      catalogue
        .filter((line) => line.includes('check='))
        .map((line) => [line.split(/[ \t]/)[0], Number(line.match(/check=(0x[0-9A-F]+)/)?.[1])]),
    );
    expect(checks.get('CRC-32/ISO-HDLC')).toBe(crc32(ascii('123456789')));
    expect([...checks.keys()].filter((name) => name?.includes('ISCSI'))).toEqual(['CRC-32/ISCSI']);
    expect(checks.get('CRC-32/ISCSI')).toBe(crc32c(ascii('123456789')));
  });

  test('has the RFC 3720 patterns as they are typed here, value by value', () => {
    const rows = catalogue
      .map((line) => line.split('\t'))
      .filter((row) => row[0] === 'CRC-32C' && row[3]?.startsWith('wire_le='));
    const typed = RFC_3720.slice(0, 4).map(({ name, crc, wire }) => [name, crc, `wire_le=${wire}`]);
    expect(rows.map(([, name, crc, wire]) => [name, Number(crc), wire])).toEqual(typed);
  });
});

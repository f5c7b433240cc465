import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InvariantViolation } from './assert.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { toHex } from './bytes.ts';

const field = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ kind: fc.constant('u48' as const), value: fc.integer({ min: 0, max: 0xffff_ffff_ffff }) }),
  fc.record({ kind: fc.constant('u64' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
);

test('little-endian, in the width of the field', () => {
  const written = new ByteWriter(100).u8(1).u16(0x0203).u32(0x04050607).u48(0x08090a0b0c0d).u64(0x0e0f1011121314).finish();
  expect(toHex(written)).toBe('01' + '0302' + '07060504' + '0d0c0b0a0908' + '14131211100f0e00');
});

test('what is written is read back, field by field, to the last byte', () => {
  fc.assert(
    fc.property(fc.array(field), fc.uint8Array(), (fields, tail) => {
      const writer = new ByteWriter(10_000);
      for (const { kind, value } of fields) writer[kind](value);
      const written = writer.bytes(tail).finish();
      expect(written.length).toBe(writer.length);
      const reader = new ByteReader(written);
      for (const { kind, value } of fields) expect(reader[kind]()).toBe(value);
      expect(reader.remaining).toBe(tail.length);
      expect(reader.bytes(tail.length)).toEqual(tail);
      expect(reader.remaining).toBe(0);
    }),
  );
});

describe('a reader', () => {
  test.each(['u8', 'u16', 'u32', 'u48', 'u64', 'varint'] as const)('gives no %s at the end, nor anything after that', (kind) => {
    const reader = new ByteReader(new Uint8Array([0x80]), kind === 'u8' ? 1 : 0);
    expect(reader[kind]()).toBeUndefined();
    expect(reader.u8()).toBeUndefined();
    expect(reader.rest()).toEqual(new Uint8Array(0));
  });

  test('gives no bytes beyond the end', () => {
    const reader = new ByteReader(new Uint8Array([1, 2, 3]), 1);
    expect(reader.bytes(3)).toBeUndefined();
    expect(reader.u8()).toBeUndefined();
  });

  test('stays within the part it is given', () => {
    const reader = new ByteReader(new Uint8Array([1, 2, 3, 4]), 1, 3);
    expect(reader.u16()).toBe(0x0302);
    expect(reader.u8()).toBeUndefined();
    expect(new ByteReader(new Uint8Array([1, 2]), 5).rest()).toEqual(new Uint8Array(0));
    expect(new ByteReader(new Uint8Array([1, 2]), 0, 9).u32()).toBeUndefined();
  });

  test('gives no u64 a double cannot hold', () => {
    expect(new ByteReader(Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0)).u64()).toBeUndefined();
    expect(new ByteReader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0)).u64()).toBe(2 ** 53 - 1);
  });

  test('gives views, the rest as well', () => {
    const source = new Uint8Array([1, 2, 3]);
    const reader = new ByteReader(source);
    const first = reader.bytes(1);
    source[0] = 9;
    expect(first).toEqual(Uint8Array.of(9));
    expect(reader.rest()).toEqual(Uint8Array.of(2, 3));
    expect(reader.offset).toBe(3);
  });
});

describe('a writer', () => {
  test('never holds more than its limit', () => {
    const writer = new ByteWriter(200).bytes(new Uint8Array(198));
    expect(writer.fits(2)).toBe(true);
    expect(writer.fits(3)).toBe(false);
    writer.u16(1);
    expect(() => writer.u8(0)).toThrow(InvariantViolation);
    expect(writer.finish().length).toBe(200);
  });

  test.each<[string, (writer: ByteWriter) => unknown]>([
    ['a u8 of 256', (writer) => writer.u8(256)],
    ['a negative u16', (writer) => writer.u16(-1)],
    ['a u32 with a fraction', (writer) => writer.u32(0.5)],
    ['a u48 of 2^48', (writer) => writer.u48(2 ** 48)],
    ['a u64 of 2^53', (writer) => writer.u64(2 ** 53)],
    ['a varint of 2^53', (writer) => writer.varint(2 ** 53)],
    ['a varint that is not a number', (writer) => writer.varint(Number.NaN)],
  ])('refuses %s', (_name, write) => expect(() => write(new ByteWriter(100))).toThrow(InvariantViolation));

  test('gives an array of its own', () => {
    const writer = new ByteWriter(10).u8(1);
    const first = writer.finish();
    writer.u8(2);
    expect(first).toEqual(Uint8Array.of(1));
    expect(writer.finish()).toEqual(Uint8Array.of(1, 2));
  });
});

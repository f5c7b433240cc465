import { expect, test } from 'vitest';
import { PacketLengths } from './packet-lengths.ts';

/** A packet whose rest has so many bytes, each of them the worst there is for who has lost his place. */
function packet(rest: number, filler = 0xff): Uint8Array {
  const head = [0x30];
  for (let left = rest; ; left = Math.floor(left / 128)) {
    head.push(left < 128 ? left : 0x80 + (left % 128));
    if (left < 128) break;
  }
  return Uint8Array.from([...head, ...new Uint8Array(rest).fill(filler)]);
}

const bytesOf = (...packets: Uint8Array[]) => Uint8Array.from(packets.flatMap((one) => [...one]));

test.each([0, 1, 127, 128, 998])(
  'a packet with a rest of %i bytes fits, whole or byte by byte, and so does the one after it',
  (rest) => {
    const bytes = bytesOf(packet(rest), packet(rest), packet(0));
    expect(new PacketLengths(1001).push(bytes)).toBe('fits');
    const lengths = new PacketLengths(1001);
    for (const byte of bytes) expect(lengths.push(Uint8Array.of(byte))).toBe('fits');
  },
);

test('one that is a byte too long is told by its header alone', () => {
  const lengths = new PacketLengths(1001);
  expect(lengths.push(bytesOf(packet(500), packet(999).subarray(0, 2)))).toBe('fits');
  expect(lengths.push(packet(999).subarray(2, 3))).toBe('too-long');
});

test('the header counts', () => {
  expect(new PacketLengths(102).push(packet(100))).toBe('fits');
  expect(new PacketLengths(101).push(packet(100))).toBe('too-long');
});

test('a length of five bytes is none [MQTT-2.2.3]', () => {
  expect(new PacketLengths(1000).push(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0))).toBe('malformed');
  expect(new PacketLengths(1000).push(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0))).toBe('fits');
});

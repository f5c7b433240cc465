import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toUtf8 } from '../bytes.ts';
import { cobsBytesMax, frameForLine } from './cobs.ts';
import { Deframer, type LineEvent, looksLikeText } from './deframer.ts';

const PACKET_BYTES_MAX = 300;
const RUN_BYTES_MAX = cobsBytesMax(PACKET_BYTES_MAX);

const frame = (...bytes: number[]): LineEvent => ({ kind: 'frame', bytes: Uint8Array.from(bytes) });
const discarded = (bytes: number, reason: 'malformed' | 'too-long'): LineEvent => ({ kind: 'discarded', bytes, reason });
const consoleText = (text: string): LineEvent => ({ kind: 'console', text: toUtf8(text) });

function deframe(bytes: Uint8Array, chunkBytes = bytes.length): LineEvent[] {
  const deframer = new Deframer(PACKET_BYTES_MAX);
  const events: LineEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) events.push(...deframer.push(bytes.subarray(at, at + chunkBytes)));
  return [...events, ...deframer.end()];
}

const good = frameForLine(Uint8Array.of(1, 0, 2));
/** 00 04 01 05 02 00: one block, which a cut leaves incomplete. */
const oneBlock = frameForLine(Uint8Array.of(1, 5, 2));

describe('reads', () => {
  test.each<[string, readonly Uint8Array[], readonly LineEvent[]]>([
    ['a frame', [good], [frame(1, 0, 2)]],
    ['frames in a row', [good, good], [frame(1, 0, 2), frame(1, 0, 2)]],
    ['frames that share a delimiter', [good, good.subarray(1)], [frame(1, 0, 2), frame(1, 0, 2)]],
    ['past delimiters', [new Uint8Array(9), good, new Uint8Array(9)], [frame(1, 0, 2)]],
    ['past noise', [Uint8Array.of(0xff, 0x80, 0x81), good], [discarded(3, 'malformed'), frame(1, 0, 2)]],
    ['past the first half of a frame', [oneBlock.subarray(0, 3), good], [discarded(2, 'malformed'), frame(1, 0, 2)]],
    ['past the second half of a frame', [oneBlock.subarray(2), good], [discarded(3, 'malformed'), frame(1, 0, 2)]],
    [
      'past boot messages',
      [toUtf8('ets Jun  8 2016 00:22:57\r\n'), good],
      [consoleText('ets Jun  8 2016 00:22:57\r\n'), frame(1, 0, 2)],
    ],
    ['nothing of what the close cuts off', [good, good.subarray(0, 4)], [frame(1, 0, 2), discarded(3, 'malformed')]],
    ['text the close cuts off', [toUtf8('login: ')], [consoleText('login: ')]],
    ['an empty packet, for the decoder to refuse', [frameForLine(new Uint8Array(0))], [frame()]],
    [
      'the largest packet',
      [frameForLine(new Uint8Array(PACKET_BYTES_MAX).fill(0x80))],
      [frame(...new Uint8Array(PACKET_BYTES_MAX).fill(0x80))],
    ],
    [
      'no packet above the largest',
      [frameForLine(new Uint8Array(PACKET_BYTES_MAX + 1).fill(0x80)), good],
      [discarded(RUN_BYTES_MAX, 'too-long'), discarded(1, 'too-long'), frame(1, 0, 2)],
    ],
    // 301 bytes in one byte less than the longest run: blocks that end in zeros cost nothing.
    [
      'no packet above the largest that stuffs well',
      [frameForLine(new Uint8Array(PACKET_BYTES_MAX + 1))],
      [discarded(PACKET_BYTES_MAX + 2, 'too-long')],
    ],
    [
      'noise without end, piece by piece',
      [new Uint8Array(RUN_BYTES_MAX * 2 + 5).fill(0xf0), good],
      [discarded(RUN_BYTES_MAX, 'too-long'), discarded(RUN_BYTES_MAX, 'too-long'), discarded(5, 'too-long'), frame(1, 0, 2)],
    ],
    [
      'text without end, piece by piece',
      [toUtf8('x'.repeat(RUN_BYTES_MAX + 1)), good],
      [consoleText('x'.repeat(RUN_BYTES_MAX)), consoleText('x'), frame(1, 0, 2)],
    ],
    [
      'a run exactly as long as the buffer',
      [new Uint8Array(RUN_BYTES_MAX).fill(0xf0), good],
      [discarded(RUN_BYTES_MAX, 'malformed'), frame(1, 0, 2)],
    ],
  ])('%s', (_name, parts, events) => {
    const bytes = concatBytes(parts);
    expect(deframe(bytes)).toEqual(events);
    for (const chunkBytes of [1, 2, 3, 7]) expect(deframe(bytes, chunkBytes)).toEqual(events);
  });
});

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map(frameForLine),
  fc.uint8Array({ maxLength: 700 }),
  fc.string({ maxLength: 700 }).map(toUtf8),
  fc.constant(new Uint8Array(3)),
);

test('byte by byte, or in any chunks, is as whole', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }).map(concatBytes), fc.integer({ min: 1, max: 50 }), (bytes, chunkBytes) => {
      const whole = deframe(bytes);
      expect(deframe(bytes, 1)).toEqual(whole);
      expect(deframe(bytes, chunkBytes)).toEqual(whole);
    }),
  );
});

test('every byte that is no delimiter is in one event', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }).map(concatBytes), (bytes) => {
      let reported = 0;
      for (const event of deframe(bytes)) {
        if (event.kind === 'frame') reported += frameForLine(event.bytes).length - 2;
        else reported += event.kind === 'console' ? event.text.length : event.bytes;
      }
      // A run may be longer than its canonical form by the empty block that is allowed behind a full one.
      const total = bytes.filter((byte) => byte !== 0).length;
      expect(total - reported).toBeGreaterThanOrEqual(0);
      expect(total - reported).toBeLessThanOrEqual(1);
    }),
  );
});

test('after any noise and a zero the next frame is found', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (noise) => {
      expect(deframe(concatBytes([noise, good])).at(-1)).toEqual(frame(1, 0, 2));
    }),
  );
});

test('events do not share memory with the chunk, the buffer or one another', () => {
  const deframer = new Deframer(PACKET_BYTES_MAX);
  const chunk = concatBytes([good, toUtf8('some text'), good]);
  const [first, text] = deframer.push(chunk);
  chunk.fill(0xee);
  deframer.push(concatBytes([toUtf8('other words, longer'), frameForLine(Uint8Array.of(7, 7, 7))]));
  expect(first).toEqual(frame(1, 0, 2));
  expect(text).toEqual(consoleText('some text'));
});

test.each([
  ['', false],
  ['plain', true],
  ['tab\tCR\r LF\n', true],
  ['nine of ten\x01', true],
  ['123456789\x7f', true],
  ['12345678\x7f', false],
  ['\x1b[0m', false],
  ['grün', false],
])('%j looks like text: %s', (text, expected) => expect(looksLikeText(toUtf8(text))).toBe(expected));

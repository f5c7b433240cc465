import { describe, expect, test } from 'vitest';
import { crc32 } from '../../shared/crc32.ts';
import { BeltAdapter, type BeltOutput, decodePosition, encodePosition, POSITION_BYTES, QUEUE_COUNT_MAX } from './belt.ts';
import { encodeAck, encodeTelegram } from './stx-etx.ts';

function bsm(plate: number): Uint8Array {
  return new TextEncoder().encode(`BSM\r\n.V/1LZRH\r\n.N/${String(plate).padStart(10, '0')}001\r\nENDBSM`);
}

/** Plays inputs to an adapter and shows outputs as words; a telegram is known by its plate. */
class Play {
  readonly adapter: BeltAdapter;
  position: Uint8Array | undefined;
  readonly #positions = new Map<number, Uint8Array>();

  constructor(position?: Uint8Array) {
    this.adapter = new BeltAdapter({ crc32, position });
    this.position = position;
  }

  /** `told 7 A` sends the telegram of plate A (a number) with sequence 7. */
  do(...inputs: string[]): string[] {
    return inputs.flatMap((input) => this.#show(this.#input(input.split(' '))));
  }

  #input([verb, a = '', b = '']: string[]): BeltOutput[] {
    if (verb === 'told') return this.adapter.bytes(encodeTelegram(Number(a), bsm(Number(b))));
    if (verb === 'not-stored') return this.adapter.notStored(Number(a));
    if (verb !== 'stored') throw new Error(`no such input: ${verb}`);
    this.position = this.#positions.get(Number(a)) ?? this.position;
    return this.adapter.stored(Number(a));
  }

  #show(outputs: BeltOutput[]): string[] {
    return outputs.map((output) => {
      if (output.kind === 'reply') return `reply ${String.fromCharCode(...output.bytes.slice(1))}`;
      this.#positions.set(output.token, output.position);
      return `store ${output.token} ${output.sequence} ${output.reading.ok ? Number(output.reading.plates[0]?.first) : output.reading.reason}`;
    });
  }
}

test.each<[string, string[], string[]]>([
  ['answers when the telegram is durable, not before', ['told 1 5', 'stored 1'], ['store 1 1 5', 'reply 0001']],
  ['does not answer what is not durable', ['told 1 5', 'not-stored 1'], ['store 1 1 5']],
  [
    'stores it when it is told again after that',
    ['told 1 5', 'not-stored 1', 'told 1 5', 'stored 2'],
    ['store 1 1 5', 'store 2 1 5', 'reply 0001'],
  ],
  ['answers a repeat at once', ['told 1 5', 'stored 1', 'told 1 5'], ['store 1 1 5', 'reply 0001', 'reply 0001']],
  [
    'answers a repeat in flight once, when the first is durable',
    ['told 1 5', 'told 1 5', 'stored 1'],
    ['store 1 1 5', 'reply 0001'],
  ],
  [
    'the same sequence with other content is new',
    ['told 1 5', 'stored 1', 'told 1 6'],
    ['store 1 1 5', 'reply 0001', 'store 2 1 6'],
  ],
  [
    'the same content with another sequence is new',
    ['told 1 5', 'stored 1', 'told 2 5'],
    ['store 1 1 5', 'reply 0001', 'store 2 2 5'],
  ],
  [
    'only the last one can be a repeat',
    ['told 1 5', 'stored 1', 'told 2 6', 'stored 2', 'told 1 5'],
    ['store 1 1 5', 'reply 0001', 'store 2 2 6', 'reply 0002', 'store 3 1 5'],
  ],
  [
    'stores one at a time, in order',
    ['told 1 5', 'told 2 6', 'stored 1', 'stored 2'],
    ['store 1 1 5', 'reply 0001', 'store 2 2 6', 'reply 0002'],
  ],
  ['goes on with the next when one was not stored', ['told 1 5', 'told 2 6', 'not-stored 1'], ['store 1 1 5', 'store 2 2 6']],
  [
    'a queued one is not stored twice either',
    ['told 1 5', 'told 2 6', 'told 2 6', 'stored 1', 'stored 2'],
    ['store 1 1 5', 'reply 0001', 'store 2 2 6', 'reply 0002'],
  ],
  [
    'answers the last stored one while another is in flight',
    ['told 1 5', 'stored 1', 'told 2 6', 'told 1 5'],
    ['store 1 1 5', 'reply 0001', 'store 2 2 6', 'reply 0001'],
  ],
  [
    '9999 is followed by 1',
    ['told 9999 5', 'stored 1', 'told 1 6', 'stored 2'],
    ['store 1 9999 5', 'reply 9999', 'store 2 1 6', 'reply 0001'],
  ],
  [
    'a token that is not in flight means nothing',
    ['told 1 5', 'stored 7', 'not-stored 0', 'stored 1', 'stored 1'],
    ['store 1 1 5', 'reply 0001'],
  ],
])('%s', (_name, inputs, outputs) => expect(new Play().do(...inputs)).toEqual(outputs));

test('knows the last one again after a restart, by its position', () => {
  const before = new Play();
  before.do('told 41 5', 'stored 1', 'told 42 6', 'stored 2');
  const after = new Play(before.position);
  expect(after.do('told 42 6', 'told 42 7')).toEqual(['reply 0042', 'store 1 42 7']);
  expect(after.adapter.counters).toMatchObject({ repeats: 1, positionsLost: 0 });
});

test('a store in doubt is decided by what the ring kept', () => {
  const before = new Play();
  let position: Uint8Array | undefined;
  for (const output of before.adapter.bytes(encodeTelegram(1, bsm(5)))) if (output.kind === 'store') position = output.position;
  // The frame survived though nobody was told: the new adapter has its position.
  expect(new Play(position).do('told 1 5')).toEqual(['reply 0001']);
  // It did not.
  expect(new Play(undefined).do('told 1 5')).toEqual(['store 1 1 5']);
});

test('queues a few and drops the rest, in bounded memory', () => {
  const play = new Play();
  const told = Array.from({ length: QUEUE_COUNT_MAX + 4 }, (_, i) => `told ${i + 1} ${i + 1}`);
  expect(play.do(...told)).toEqual(['store 1 1 1']);
  expect(play.adapter.counters.dropped).toBe(3);
  const stored = Array.from({ length: QUEUE_COUNT_MAX + 1 }, (_, i) => `stored ${i + 1}`);
  expect(play.do(...stored).filter((output) => output.startsWith('reply'))).toHaveLength(QUEUE_COUNT_MAX + 1);
  expect(play.do('told 6 6')).toEqual(['store 6 6 6']);
});

test('a telegram that is not valid is stored, named and answered like any other', () => {
  const adapter = new BeltAdapter({ crc32 });
  const telegram = new TextEncoder().encode('BSM\r\n.V/1LLGW\r\nENDBSM');
  const [output] = adapter.bytes(encodeTelegram(3, telegram));
  expect(output).toMatchObject({ kind: 'store', telegram, reading: { ok: false, reason: 'NO_PLATE' } });
  expect(adapter.stored(1)).toEqual([{ kind: 'reply', bytes: encodeAck(3) }]);
  expect(adapter.counters).toMatchObject({ telegrams: 1, invalid: 1 });
});

test('counts what happens', () => {
  const play = new Play();
  play.do('told 1 5', 'told 1 5', 'stored 1', 'told 1 5', 'told 2 6', 'not-stored 2');
  play.adapter.bytes(Uint8Array.of(0xff, 0xff, 0x02, 0x30, 0x03, 0x77));
  play.adapter.bytes(encodeTelegram(3, bsm(7)).slice(0, -1));
  expect(play.adapter.lineClosed()).toEqual([]);
  expect(play.adapter.counters).toEqual({
    telegrams: 1,
    repeats: 2,
    invalid: 0,
    discarded: { checksum: 1, framing: 2, 'too-long': 0, sequence: 0 },
    discardedBytes: 2 + 4 + encodeTelegram(3, bsm(7)).length - 1,
    unanswered: 1,
    dropped: 0,
    positionsLost: 0,
  });
});

test('half a telegram is never stored, and does not spoil the next line', () => {
  const play = new Play();
  play.adapter.bytes(encodeTelegram(1, bsm(5)).slice(0, 20));
  expect(play.adapter.lineClosed()).toEqual([]);
  expect(play.do('told 1 5')).toEqual(['store 1 1 5']);
});

describe('position', () => {
  test('seven bytes, little-endian', () => {
    expect(encodePosition({ sequence: 9999, crc: 0xcbf43926 })).toEqual(Uint8Array.of(1, 0x0f, 0x27, 0x26, 0x39, 0xf4, 0xcb));
    expect(decodePosition(Uint8Array.of(1, 0x0f, 0x27, 0x26, 0x39, 0xf4, 0xcb))).toEqual({ sequence: 9999, crc: 0xcbf43926 });
  });

  test.each<[string, Uint8Array]>([
    ['empty', new Uint8Array(0)],
    ['short', new Uint8Array(POSITION_BYTES - 1).fill(1)],
    ['long', new Uint8Array(POSITION_BYTES + 1).fill(1)],
    ['of another format', Uint8Array.of(2, 1, 0, 0, 0, 0, 0)],
    ['of sequence 0', Uint8Array.of(1, 0, 0, 0, 0, 0, 0)],
    ['of sequence 10000', Uint8Array.of(1, 0x10, 0x27, 0, 0, 0, 0)],
  ])('%s: starts without it and says so', (_name, bytes) => {
    expect(decodePosition(bytes)).toBeUndefined();
    const play = new Play(bytes);
    expect(play.adapter.counters.positionsLost).toBe(1);
    expect(play.do('told 1 5')).toEqual(['store 1 1 5']);
  });
});

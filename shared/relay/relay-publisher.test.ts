/** Who shares a publish with whom, by a sender of which only the queues are real. */
import { expect, test } from 'vitest';
import type { CustodySender, SendingStream, Taken } from '../custody/sender.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ITEM_COUNT_MAX,
  BATCH_SHARE_BYTES,
  WINDOW_BYTES_MAX,
  WINDOW_PUBLISH_COUNT_MAX,
} from '../limits.ts';
import { decodePublish } from './publish-layout.ts';
import { RelayPublisher } from './relay-publisher.ts';

const ENVELOPE_BYTES = 200;
const LIMITS = {
  publishCountMax: WINDOW_PUBLISH_COUNT_MAX,
  bytesMax: WINDOW_BYTES_MAX,
  batchBytesMax: BATCH_BYTES_MAX,
  itemCountMax: BATCH_ITEM_COUNT_MAX,
};
const SPEAKER = { sender: 'gw', incarnation: '0102030405060708', nonce: new Uint8Array(8) };

/** Streams of devices that all send to one queue, each with so many messages waiting. */
class Queues {
  readonly streams: SendingStream[] = [];
  isHeldBack = false;

  add(origin: string, count: number, priority = 3): SendingStream {
    const key = { origin, incarnation: 'a0a1a2a3a4a5a6a7', destination: 'central/bags', priority };
    const out = { key, handle: this.streams.length, lo: 1, next: count + 1, gaps: [] };
    const stream = { out, key, cursor: 1, send: 1, credit: 1 << 30, last: { slot: 0, id: 0 } } as unknown as SendingStream;
    this.streams.push(stream);
    return stream;
  }

  streamsWithWork(): SendingStream[] {
    return this.streams.filter(({ send, out }) => send < out.next);
  }

  ageOf(): 'live' {
    return 'live';
  }

  take(stream: SendingStream): Taken {
    if (stream.send >= stream.out.next) return { kind: 'nothing' };
    const number = stream.send++;
    return { kind: 'item', item: { kind: 'message', number, envelope: new Uint8Array(ENVELOPE_BYTES) } };
  }

  rewind(stream: SendingStream, number: number): void {
    stream.send = number;
  }
}

function publisherOf(queues: Queues): RelayPublisher {
  const path = { kind: 'up', central: 'central', partitionCount: 1 } as const;
  return new RelayPublisher({ sender: queues as unknown as CustodySender, path, limits: LIMITS });
}

/** Per publish, how many items of each origin. */
function shares(publisher: RelayPublisher, publishCountMax = 1): Record<string, number>[] {
  return publisher
    .publish(SPEAKER, 0, { publishCountMax: publisher.window.count + publishCountMax, bytesMax: 1 << 30 })
    .map(({ payload }) => {
      const decoded = decodePublish(payload);
      const counts: Record<string, number> = {};
      for (const { stream } of decoded?.kind === 'publish' ? decoded.items : []) {
        const origin = stream?.origin ?? '';
        counts[origin] = (counts[origin] ?? 0) + 1;
      }
      return counts;
    });
}

test('equals that have no queue yet share a publish', () => {
  const queues = new Queues();
  for (let i = 0; i < 10; i++) queues.add(`d${i}`, 10_000);
  const [counts = {}] = shares(publisherOf(queues));
  expect(Object.keys(counts)).toHaveLength(10);
  for (const origin of Object.keys(counts).slice(1))
    expect(counts[origin]).toBeLessThanOrEqual(Math.ceil(BATCH_SHARE_BYTES / ENVELOPE_BYTES));
});

test('one that is alone has the whole publish', () => {
  const queues = new Queues();
  queues.add('a', 10_000);
  const [counts = {}] = shares(publisherOf(queues));
  expect(counts.a).toBeGreaterThan((0.8 * BATCH_BYTES_MAX) / (ENVELOPE_BYTES + 60));
});

test('among two hundred queues a message of now is in the next publish', () => {
  const queues = new Queues();
  for (let i = 0; i < 200; i++) queues.add(`d${i}`, 10_000);
  const live = queues.add('live', 1);
  const publisher = publisherOf(queues);
  shares(publisher, 256); // each had its turn
  for (let i = 0; i < 5; i++) {
    publisher.window.clear();
    (live.out as { next: number }).next += 1;
    expect(shares(publisher)[0]).toHaveProperty('live', 1);
  }
});

test('long queues have their turn, the one that was served least recently first', () => {
  const queues = new Queues();
  for (let i = 0; i < 50; i++) queues.add(`d${i}`, 1_000_000);
  const publisher = publisherOf(queues);
  shares(publisher, 256); // each had a share
  const firsts: string[] = [];
  for (let i = 0; i < 50; i++) {
    publisher.window.clear();
    firsts.push(Object.keys(shares(publisher)[0] ?? {})[0] ?? '');
  }
  expect(new Set(firsts).size).toBe(50);
});

test('the less urgent wait until nothing more urgent is left', () => {
  const queues = new Queues();
  queues.add('low', 50, 1);
  queues.add('high', 1_000, 5);
  queues.add('higher', 20, 6);
  const all = shares(publisherOf(queues), 256);
  expect(all[0]).toEqual({ higher: 20, high: expect.any(Number) });
  const withLow = all.findIndex((counts) => 'low' in counts);
  expect(all.slice(withLow + 1).some((counts) => 'high' in counts)).toBe(false);
});

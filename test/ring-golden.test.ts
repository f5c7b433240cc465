/**
 * Ring files of format 1.0 made by another implementation (test/golden/make-ring-v1.py, written from docs/ring-file.md): what it
 * wrote is read here, and the same history written here is the same file, byte for byte.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { framesOn } from '../hardware-sim/ring-damage.ts';
import { openRing, playSteps, type RingDriver } from '../hardware-sim/ring-driver.ts';
import { readBody } from '../hardware-sim/ring-harness.ts';
import { SimDisk } from '../hardware-sim/sim-disk.ts';
import { toHex } from '../shared/bytes.ts';
import { crc32 } from '../shared/crc32.ts';
import { formatRing } from '../shared/ring/file-steps.ts';
import { geometryFor } from '../shared/ring/geometry.ts';
import { sealOf } from '../shared/ring/recovery.ts';
import type { Batch, NewMessage } from '../shared/ring/ring.ts';
import { decodeSuperblock, SUPERBLOCK_BYTES } from '../shared/ring/superblock-layout.ts';

const FILE_BYTES = 388 * 512;
const FILE_ID = Uint8Array.from({ length: 16 }, (_, i) => i);
const EPOCH_RANDOM = 0x11223344;
const LARGE = Uint8Array.from({ length: 1500 }, (_, i) => i * 7);

function golden(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(join(import.meta.dirname, 'golden', name))));
}

function diskOf(bytes: Uint8Array): SimDisk {
  const disk = new SimDisk({ bytes: bytes.length, random: stream('golden', 'disk') });
  disk.poke(0, bytes);
  return disk;
}

function contents(driver: RingDriver): string[] {
  const { index, metas } = driver.ring;
  const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
  const messages = slots.map((slot) => {
    const id = index.id(slot);
    const body = readBody(driver, id, 0) ?? new Uint8Array();
    const times = [index.storedAtMs(slot), index.expiresAtMs(slot), index.notBeforeMs(slot)].join(' ');
    const place = `queue ${index.queue(slot)} priority ${index.priority(slot)} deliveries ${index.deliveryCount(slot)}`;
    const name = `stream ${index.stream(slot)} number ${index.number(slot)} epoch ${index.epochCounter(slot)}.${index.epochRandom(slot)}`;
    return `${id}: ${place} ${name} times ${times} body ${toHex(body)}`;
  });
  const values = [...metas.withPrefix('')].filter(([key]) => key !== 'epoch').map(([key, value]) => `${key}=${toHex(value)}`);
  return [...messages, ...values.sort()];
}

const KEPT = [
  `5: queue 4294967295 priority 0 deliveries 3 stream 9 number 5 epoch 1.${EPOCH_RANDOM} times 250 0 0 body ${toHex(new Uint8Array([0x66, 0x69, 0x76, 0x65]))}`,
  `6: queue 7 priority 3 deliveries 0 stream 9 number 6 epoch 1.${EPOCH_RANDOM} times 400 0 0 body ${toHex(new Uint8Array([0x73, 0x69, 0x78]))}`,
  'cursor=0506',
];

/** Of every STATE of a file: the queue that it names, and the one that the PUT of its message named. */
function queuesOfStates(bytes: Uint8Array): { said: number; put: number | undefined }[] {
  const superblock = decodeSuperblock(bytes.subarray(0, SUPERBLOCK_BYTES));
  if (superblock === undefined) throw new Error('copy 0 is whole');
  const entries = framesOn(bytes, superblock.geometry, sealOf(superblock, crc32)).flatMap((frame) => frame.entries);
  const queues = new Map<number, number>();
  for (const entry of entries) if (entry.kind === 'put') queues.set(entry.id, entry.queue);
  const states = entries.filter((entry) => entry.kind === 'state');
  return states.map(({ id, queue }) => ({ said: queue, put: queues.get(id) }));
}

describe('a golden ring file', () => {
  test('that was closed clean is read', () => {
    const driver = openRing(diskOf(golden('ring-v1-clean.ring.gz')), { epochRandom: 5 });
    driver.play(0);
    expect(driver.ring.report).toEqual({ gaps: [], tornBlocks: 0, messages: 2 });
    expect(driver.ring.epoch).toEqual({ counter: 2, random: 5 });
    expect(driver.ring.queueTime(0)).toBe(400);
    expect(contents(driver)).toEqual(KEPT);
  });

  test('that was killed in a write is read up to there', () => {
    const driver = openRing(diskOf(golden('ring-v1-killed.ring.gz')));
    driver.play(0);
    expect(driver.ring.report).toEqual({ gaps: [], tornBlocks: 4, messages: 2 });
    expect(contents(driver)).toEqual(KEPT);
  });

  test('that came round, with notes, copies and openings cut short, is read', () => {
    const clock = { bootId: Uint8Array.from({ length: 16 }, (_, i) => 100 + i), bootMs: 123_456 + 5000 };
    const driver = openRing(diskOf(golden('ring-v1-lapped.ring.gz')), { epochRandom: 5, clock });
    driver.play(0);
    expect(driver.ring.report).toEqual({ gaps: [], tornBlocks: 0, messages: 4 });
    expect(driver.ring.epoch).toEqual({ counter: 4, random: 5 });
    // 50 in the superblock, and the machine went on for five seconds since.
    expect(driver.ring.queueTime(0)).toBe(5050);
    const name = 'stream 9 number';
    expect(contents(driver)).toEqual([
      `1: queue 7 priority 3 deliveries 1 ${name} 1 epoch 1.${EPOCH_RANDOM} times 10 0 0 body ${toHex(Buffer.from('kept'))}`,
      `2: queue 0 priority 3 deliveries 0 ${name} 2 epoch 1.${EPOCH_RANDOM} times 10 0 0 body `,
      `4999: queue 7 priority 3 deliveries 9 ${name} 5 epoch 1.${EPOCH_RANDOM} times 20 0 77 body ${toHex(LARGE)}`,
      `5054: queue 7 priority 3 deliveries 0 ${name} 5054 epoch 1.${EPOCH_RANDOM} times 60 0 0 body ${toHex(Buffer.from('unproven'))}`,
      `cursor=${toHex(Buffer.from('one'))}`,
    ]);
    const { index } = driver.ring;
    expect([...index.slots()].filter((slot) => index.isDamaged(slot)).map((slot) => index.id(slot))).toEqual([2]);
  });

  test('of messages that share a body is read: one with places, and none without', () => {
    const driver = openRing(diskOf(golden('ring-v1-shared.ring.gz')), { epochRandom: 5 });
    driver.play(0);
    const { index, report } = driver.ring;
    expect(report).toEqual({ gaps: [], tornBlocks: 0, messages: 4 });
    const slots = [...index.slots()].sort((a, b) => index.id(a) - index.id(b));
    const told = slots.map((slot) => [index.id(slot), index.holder(slot), index.isHolder(slot), index.wholeBytes(slot)]);
    expect(told).toEqual([
      [1, 0, true, 1500],
      [3, 1, false, 1506],
      [4, 1, false, 1505],
      [70_001, 1, false, 1503],
    ]);
    expect(index.placesOf(1)).toBe(3);
    expect(toHex(readBody(driver, 1, 0) ?? new Uint8Array())).toBe(toHex(LARGE));
  });

  test('names in each STATE the queue in which its message was, from the first version on: reading it moves nothing', () => {
    const states = ['clean', 'killed', 'lapped'].flatMap((name) => queuesOfStates(golden(`ring-v1-${name}.ring.gz`)));
    expect(states.length).toBeGreaterThan(1);
    for (const { said, put } of states) expect(said).toBe(put);
  });

  test('is what the same history makes here', () => {
    const geometry = geometryFor(FILE_BYTES, 512);
    const disk = new SimDisk({ bytes: FILE_BYTES, random: stream('golden', 'ours') });
    playSteps(formatRing(geometry, FILE_ID), disk.open());
    const driver = openRing(disk, { epochRandom: EPOCH_RANDOM });
    driver.play(0);
    const commit = (batch: Batch, nowMs: number) => {
      driver.ring.append(batch, { nowMs, delayMs: 0 }, () => {});
      driver.play(nowMs);
    };
    const utf8 = (text: string) => new Uint8Array(Buffer.from(text));
    const message = (number: number, body: Uint8Array, rest: Partial<NewMessage> = {}): NewMessage => ({
      ...{ queue: 7, priority: 3, stream: 9, number, epochCounter: 1, epochRandom: EPOCH_RANDOM, deliveryCount: 0 },
      ...{ expiresAtMs: 0, notBeforeMs: 0, body },
      ...rest,
    });
    const large = message(2, LARGE, { priority: 7, expiresAtMs: 12_345, notBeforeMs: 50 });
    const cursor = (value: readonly number[]) => ({ key: 'cursor', value: Uint8Array.from(value) });
    commit({ puts: [message(1, utf8('hello ring')), large], metas: [cursor([1, 2, 3, 4])] }, 1000);
    const states = [{ id: 2, deliveryCount: 2, notBeforeMs: 99 }];
    const metas = [cursor([5, 6]), { key: 'ключ', value: new Uint8Array([255]) }];
    commit({ acks: [{ id: 1, reason: 'acknowledged' }], states, metas }, 1250);
    const five = message(5, utf8('five'), { queue: 0xffff_ffff, priority: 0, deliveryCount: 3 });
    commit({ puts: [message(3, new Uint8Array(0)), message(4, utf8('x')), five] }, 1250);
    const dropped = [3, 4].map((id) => ({ id, reason: 'dropped' as const }));
    commit({ acks: dropped, metas: [{ key: 'ключ', value: undefined }] }, 1400);
    commit({ puts: [message(6, utf8('six'))], acks: [{ id: 2, reason: 'expired' }] }, 1400);
    driver.ring.close(() => {});
    driver.play(1400);
    expect(driver.ring.state).toBe('closed');
    const [ours, theirs] = [disk.platter(), golden('ring-v1-clean.ring.gz')];
    const differing = Array.from({ length: 388 }, (_, block) => block).filter(
      (block) => toHex(ours.subarray(block * 512, block * 512 + 512)) !== toHex(theirs.subarray(block * 512, block * 512 + 512)),
    );
    expect(differing).toEqual([]);
  });
});

/**
 * What comes from a line is never trusted: whatever bytes come, in whatever pieces and order, a session does bounded work for them, keeps
 * a bounded number of bytes, throws nothing, and goes on as soon as the line is good again: everything there once, in order.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, inject, test } from 'vitest';
import { bodyOf, LinkWorld, SMALL_RING_BYTES } from '../hardware-sim/link-world.ts';
import { type Prng, stream } from '../hardware-sim/random.ts';
import { invariant } from '../shared/assert.ts';
import { concatBytes } from '../shared/bytes.ts';
import { crc32c } from '../shared/crc32c.ts';
import { cobsBytesMax, frameForLine } from '../shared/link/cobs.ts';
import { Deframer } from '../shared/link/deframer.ts';
import type { HelloPacket } from '../shared/link/handshake-packets.ts';
import { KEPT_BYTES_MAX } from '../shared/link/kept-items.ts';
import { decodePacket, encodePacket, type Packet, type SealedPacket, sealId, sessionId } from '../shared/link/packets.ts';
import { type Mangler, MODES, type Mode, mangledWorld, randomChunk } from './link-mangler.ts';

/** Real time of one test of this file on a slow machine. Everything else here counts steps and bytes. */
const WALL_MS_MAX = 60_000;
/** Virtual time of one fuzzed stretch, and for what is left of it to arrive over a clean line. */
const FUZZ_MS = 8_000;
const RECOVERY_MS_MAX = 200_000;
/** A session that stands still is given up after half a minute, twice as long each time. */
const FORGED_JOIN_MS_MAX = 1_000_000;
/** One step: as many rounds of the links as the disk answers, and whatever they held back: a window of the largest packets. */
const STEP_PUMPS_MAX = 300;
const STEP_SAID_BYTES_MAX = 400_000;

describe('the deframer', () => {
  test.each([16, 256, 1_040])('gives no more than it got and keeps no more than a run of %i bytes', (packetBytesMax) => {
    const random = stream('fuzz', `deframer ${packetBytesMax}`);
    const runBytesMax = cobsBytesMax(packetBytesMax);
    for (let round = 0; round < 200; round++) {
      const deframer = new Deframer(packetBytesMax);
      let kept = 0;
      for (let i = 0; i < 20; i++) {
        const chunk = randomChunk(random);
        const events = deframer.push(chunk);
        const given = events.reduce((sum, event) => sum + bytesIn(event), 0);
        const zeros = chunk.reduce((sum, byte) => sum + (byte === 0 ? 1 : 0), 0);
        invariant(events.length <= zeros + Math.floor((kept + chunk.length) / runBytesMax), 'no more events than runs');
        kept += chunk.length - zeros;
        invariant(given <= kept, 'no more is given than came');
        kept = Math.min(kept - given, runBytesMax + events.length);
      }
      expect(deframer.end().reduce((sum, event) => sum + bytesIn(event), 0)).toBeLessThanOrEqual(runBytesMax);
    }
  });
});

function bytesIn(event: ReturnType<Deframer['push']>[number]): number {
  if (event.kind === 'frame') return event.bytes.length;
  return event.kind === 'console' ? event.text.length : event.bytes;
}

describe('packets', () => {
  test('a packet is never more than its bytes, and shares them', () => {
    const random = stream('fuzz', 'packets');
    let packets = 0;
    for (let i = 0; i < 30_000; i++) {
      const content = random.bytes(1 + random.int(200));
      content[0] = random.pick([0x80, 0x98, 0xb8, 0xb0, 0xa8, 0x90, 0x88, 5, 0x15, 6, 7, 0x17, 10, 11, 1, 2]) | (content[0] ?? 0);
      if (random.chance(0.5)) content.fill(random.int(9), 4 + random.int(20));
      const frame = sealed(content, 7);
      const packet = decodePacket(frame, 7);
      if (packet === undefined) continue;
      packets += 1;
      const parts = partsOf(packet);
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      invariant(parts.length <= frame.length && bytes <= frame.length, 'a packet is never more than its bytes');
      invariant(
        parts.every((part) => part.length === 0 || part.buffer === frame.buffer),
        'a packet shares its bytes',
      );
      if (packet.kind !== 'unknown') encodePacket(packet, 7);
    }
    expect(packets).toBeGreaterThan(1_000);
  });
});

/** Whatever of a packet takes memory: byte fields, and an entry for each TLV and record. */
function partsOf(packet: Packet): Uint8Array[] {
  const none = new Uint8Array(0);
  switch (packet.kind) {
    case 'data':
      if (packet.content.kind === 'batch') return [...packet.content.payloads];
      if (packet.content.kind === 'mixed') return packet.content.messages.map(({ bytes }) => bytes);
      if (packet.content.kind === 'compact') return [packet.content.body];
      return [packet.content.payload];
    case 'ack':
      return [packet.bitmap, ...packet.records.map(() => none)];
    case 'note':
      return packet.tlvs.map((tlv) => (tlv.kind === 'unknown' ? tlv.value : none));
    case 'log':
      return [packet.text];
    default:
      return [];
  }
}

/** A packet of any content whose checksum holds in that session. */
function sealed(content: Uint8Array, sid: number): Uint8Array {
  const little = (value: number) => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
  return concatBytes([content, little(crc32c(content, crc32c(little(sid))))]);
}

/** Bytes that live on after a collection: objects and array buffers alike. */
function bytesAlive(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect(); // what an array buffer holds goes with the second one
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** What the test itself keeps of a world. */
function forget(w: LinkWorld): void {
  for (const { accepted, tried, logs, closes } of [w.device, w.gateway])
    for (const list of [accepted, tried, logs, closes]) list.length = 0;
  w.tap.heard.length = 0;
}

const SEEDS = inject('sweep') === 'whole' ? [0, 1] : [0];
const CASES = MODES.flatMap((mode) => [115_200, undefined].flatMap((baud) => SEEDS.map((seed) => ({ mode, baud, seed }))));

describe('two sessions, and a line that does everything to their bytes', () => {
  test.each(CASES)('$mode at $baud baud, seed $seed: bounded while it lasts, and then everything is there once', (which) => {
    const { mode, baud, seed } = which;
    const startMs = performance.now();
    const { w, mangler } = mangledWorld({ seed: `fuzz ${seed} ${mode}`, baud });
    const random = stream(seed, `fuzz ${mode}`);
    w.start();
    w.until(() => w.device.parts.sender.state === 'ready', FUZZ_MS);
    const before = { ...mangler.counters, steps: w.world.steps, pumps: w.device.pumps + w.gateway.pumps, atMs: w.world.nowMs };
    play(w, mangler, { mode, random });
    const fuzzedMs = w.world.nowMs - before.atMs;
    const heard = mangler.counters.heardChunks - before.heardChunks;
    const said = mangler.counters.saidBytes - before.saidBytes;
    const logs = w.device.logs.length + w.gateway.logs.length;
    // A chunk is one step of a node and is answered by a write or two, with their events on the line and the disk; timers do the rest.
    expect(w.world.steps - before.steps).toBeLessThan(4 * heard + fuzzedMs / 10);
    expect(w.device.pumps + w.gateway.pumps - before.pumps).toBeLessThan(6 * heard + fuzzedMs / 10);
    // Nobody can be made to say more than the line carries, or than there is to say and a repeat of all of it every 100 ms.
    const lineBytes = baud === undefined ? 400_000 * (fuzzedMs / 100) : 2 * (baud / 10_000) * fuzzedMs;
    expect(said).toBeLessThan(lineBytes + 4_096);
    expect(logs).toBeLessThan(4 * (20 + fuzzedMs / 1_000));
    mangler.mode = 'clean';
    recover(w);
    w.check();
    expect(performance.now() - startMs).toBeLessThan(WALL_MS_MAX);
  });

  test.each([['device'], ['gateway']] as const)('the %s keeps nothing of what it heard, however much that is', (victim) => {
    const { w, mangler } = mangledWorld({ seed: `fuzz memory ${victim}`, baud: 921_600, cacheBytesMax: 32 * 1024 });
    const random = stream('fuzz', `memory ${victim}`);
    const node = w[victim];
    w.start();
    w.until(() => w.device.parts.sender.state === 'ready', FUZZ_MS);
    fillDisks(w);
    const hear = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const { link } = node;
        const chunk = random.chance(0.3) ? mangler.old() : frameForLine(random.bytes(1 + random.int(60)));
        node.step(() => link.bytes(random.chance(0.05) ? randomChunk(random) : chunk, w.world.nowMs));
        if (i % 20 === 19) w.run(10);
      }
      forget(w);
    };
    hear(6_000);
    const before = bytesAlive();
    hear(20_000);
    expect(bytesAlive() - before).toBeLessThan(KEPT_BYTES_MAX);
  });

  test('a long life on bad lines: many sessions, power cuts of both sides, everything there once', () => {
    const { w, mangler } = mangledWorld({ seed: 'fuzz life', baud: 115_200 });
    const random = stream('fuzz', 'life');
    w.start();
    for (let round = 0; round < 12; round++) {
      play(w, mangler, { mode: MODES[random.int(MODES.length)] ?? 'mixed', random });
      if (round % 3 === 2) {
        const node = round % 2 === 0 ? w.device : w.gateway;
        node.kill();
        node.open();
        w.until(() => node.isServing, 10_000);
        w.connect();
      }
    }
    mangler.mode = 'clean';
    recover(w);
    w.check();
    expect(w.device.accepted.length).toBeGreaterThan(300);
  });
});

/** Around both rings, and more: only then has a simulated disk all its pages, and a ring all its tables. */
function fillDisks(w: LinkWorld): void {
  const target = 2.5 * SMALL_RING_BYTES;
  for (let round = 0; (w.gateway.link.counters().bytesReceived ?? 0) < target; round++) {
    expect(round).toBeLessThan(200);
    for (let i = 0; i < 12; i++) w.device.send('gateway/bags', bodyOf(i, 8_000), i % 8);
    w.until(() => w.device.outgoingCount === 0 && w.device.pendingCount === 0, RECOVERY_MS_MAX);
    w.gateway.consume('bags', 100);
    forget(w);
  }
}

/** Sends while the line does its worst. */
function play(w: LinkWorld, mangler: Mangler, { mode, random }: { mode: Mode; random: Prng }): void {
  mangler.mode = mode;
  for (let ms = 0; ms < FUZZ_MS; ms += 200) {
    const bytes = random.chance(0.1) ? 2_000 : random.int(300);
    w.device.send('gateway/bags', bodyOf(ms + random.int(1_000), bytes), random.int(8));
    if (mode === 'storm' || mode === 'mixed')
      for (let i = 0; i < 10; i++) w.world.at(w.world.nowMs + 20 * i, () => mangler.invent());
    w.run(200);
    reconnect(w);
  }
}

/** As the shells of both sides do when a socket was closed. */
function reconnect(w: LinkWorld): void {
  if (w.device.isServing && w.gateway.isServing && (w.device.links.length === 0 || w.gateway.links.length === 0)) w.connect();
}

function recover(w: LinkWorld): void {
  const atMs = w.world.nowMs;
  while (!w.isDelivered() && w.world.nowMs < atMs + RECOVERY_MS_MAX) {
    w.run(500);
    reconnect(w);
  }
  expect(w.isDelivered(), `${w.device.links.map((link) => link.describe()).join()}`).toBe(true);
}

describe('whoever can forge packets of a session', () => {
  test.each([['device'], ['gateway']] as const)('to the %s: no exception, bounded work and bytes', (victim) => {
    const random = stream('fuzz', `forged ${victim}`);
    let forged = 0;
    for (let life = 0; life < 8 && forged < 600; life++) forged += forgedLife(`forged ${victim} ${life}`, { victim, random });
    expect(forged).toBeGreaterThanOrEqual(600);
  });
});

/** Until so many packets are forged, or one has made the device believe that its store was rolled back. Returns how many were. */
function forgedLife(seed: string, { victim, random }: { victim: 'device' | 'gateway'; random: Prng }): number {
  const queues = [{ name: 'bags', bytesLimit: 200_000 }];
  const w = new LinkWorld({ seed, baud: undefined, queues, cacheBytesMax: 32 * 1024 });
  const node = w[victim];
  const secrets = new Secrets(w, victim);
  let aliveAtFirst: number | undefined;
  let forged = 0;
  w.start();
  w.until(() => w.device.parts.sender.state === 'ready', FORGED_JOIN_MS_MAX);
  secrets.learn();
  fillDisks(w);
  for (let i = 0; i < 800; i++) {
    if (i % 20 === 0) {
      w.device.send('gateway/bags', bodyOf(i, random.int(900)), random.int(8));
      w.gateway.consume('bags', 50);
      reconnect(w);
      // What was forged last may have ended the session, and only one side knows it yet.
      w.run(50);
      reconnect(w);
      w.until(() => ['ready', 'forked'].includes(w.device.parts.sender.state), FORGED_JOIN_MS_MAX);
      if (w.device.parts.sender.state === 'forked') break;
      w.run(50);
      secrets.learn();
      forget(w);
    }
    if (i === 20) {
      aliveAtFirst = bytesAlive();
      if (victim === 'gateway') flood(w, secrets.sealId);
    }
    if (node.links.length === 0) continue;
    const packet = sealed(forge(secrets.said, random), secrets.sealId);
    const before = {
      pumps: node.pumps,
      bytes: node.link.counters().bytesSent ?? 0,
      at: node.link.counters().packetsReceived ?? 0,
    };
    node.step(() => node.link.bytes(frameForLine(packet), w.world.nowMs));
    if ((node.link.counters().packetsReceived ?? 0) > before.at) forged += 1;
    expect(node.pumps - before.pumps).toBeLessThan(STEP_PUMPS_MAX);
    expect((node.link.counters().bytesSent ?? 0) - before.bytes).toBeLessThan(STEP_SAID_BYTES_MAX);
    if (aliveAtFirst !== undefined && i % 100 === 99) expect(bytesAlive() - aliveAtFirst).toBeLessThan(2 * KEPT_BYTES_MAX);
  }
  expect([w.device.isServing, w.gateway.isServing]).toEqual([true, true]);
  return forged;
}

/** Messages far before their turn, several times as much as a session may keep of them. */
function flood(w: LinkWorld, sid: number): void {
  const { gateway } = w;
  const next = Math.max(...[...w.device.parts.store.outgoing].map((out) => out.next));
  for (let ahead = 2; ahead < 300; ahead++) {
    const content = { kind: 'whole', payload: new Uint8Array(8_000).fill(7) } as const;
    const numbers = { pn: ahead % 64, numberLow: (next + ahead) % 65_536 };
    const packet = encodePacket({ kind: 'data', handle: ahead % 4, acknowledge: 'later', content, ...numbers }, sid);
    gateway.step(() => gateway.link.bytes(frameForLine(packet), w.world.nowMs));
  }
  expect(gateway.link.counters().notKept).toBeGreaterThan(100);
}

/** What a wiretap on the line of a session makes of it: what the victim's neighbour seals with, and what was said to the victim. */
class Secrets {
  readonly said: Uint8Array[] = [];
  sealId = 0;
  readonly #hellos: HelloPacket[] = [];
  readonly #w: LinkWorld;
  readonly #victim: 'device' | 'gateway';

  constructor(w: LinkWorld, victim: 'device' | 'gateway') {
    this.#w = w;
    this.#victim = victim;
  }

  learn(): void {
    const { tap } = this.#w;
    this.said.push(...tap.heard.filter(({ from }) => from !== this.#victim).flatMap(({ packet }) => contentOf(packet)));
    this.said.splice(0, this.said.length - 100);
    this.#hellos.push(...tap.of('hello').map(({ packet }) => packet));
    this.#hellos.splice(0, this.#hellos.length - 5);
    const welcome = tap.of('welcome').at(-1)?.packet;
    const hello = this.#hellos.find(({ nonce }) => nonce.join() === welcome?.nonceEcho.join());
    if (hello !== undefined && welcome !== undefined)
      this.sealId = sealId(sessionId(hello, welcome), this.#victim === 'gateway' ? 'dial' : 'accept');
  }
}

/** Header and body of what a session said. */
function contentOf(packet: Packet): Uint8Array[] {
  const isSealed = packet.kind === 'data' || packet.kind === 'ack' || packet.kind === 'note';
  return isSealed ? [encodePacket(packet as SealedPacket, 0).slice(0, -4)] : [];
}

function forge(real: readonly Uint8Array[], random: Prng): Uint8Array {
  const content = (real[random.int(Math.max(1, real.length))] ?? Uint8Array.of(6, 0)).slice(0, 2_000);
  for (let count = random.int(5); count > 0; count--) content[random.int(Math.min(content.length, 30))] = random.int(256);
  return random.chance(0.2) ? content.subarray(0, 1 + random.int(content.length)) : content;
}

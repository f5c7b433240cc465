/** A message that the gateway's ring can never hold, between two nodes in virtual time: refused, ended where it lies, accounted once. */
import { describe, expect, test } from 'vitest';
import { bodyOf, LARGE_RING_BYTES, LinkWorld, type LinkWorldOptions, SMALL_RING_BYTES } from '../hardware-sim/link-world.ts';
import type { Tlv } from '../shared/link/tlv.ts';

const BAGS = 'gateway/bags';
/** Larger than what a small ring takes, of which a large one holds many. */
const POISON_BYTES = 60_000;

function joined(options: Partial<LinkWorldOptions> = {}): LinkWorld {
  const w = new LinkWorld({
    seed: 1,
    baud: 115_200,
    ringBytes: LARGE_RING_BYTES,
    gatewayRingBytes: SMALL_RING_BYTES,
    ...options,
  });
  w.start();
  widen(w);
  return w;
}

/** `$dead` of the device keeps them all. */
function widen(w: LinkWorld): void {
  w.device.step(() => w.device.parts.intake.define('$dead', 2_000_000));
}

/** Messages 1 to `count`, of which every third is poison. */
function sendMany(w: LinkWorld, count: number): void {
  for (let i = 1; i <= count; i++) w.device.send(BAGS, bodyOf(i, i % 3 === 0 ? POISON_BYTES : 100));
}

function isSettled(w: LinkWorld): boolean {
  const { device, gateway } = w;
  if (!device.isServing || !gateway.isServing || device.pendingCount > 0) return false;
  return [...device.parts.store.outgoing].every(({ lo, next }) => lo === next);
}

/** Every message is received or refused, never both, and a refused one has its body in `$dead` and its account at the gateway. */
function check(w: LinkWorld, count: number): void {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const poison = numbers.filter((number) => number % 3 === 0);
  expect(w.gateway.contents('bags').map(({ identity }) => identity.number)).toEqual(numbers.filter((number) => number % 3 !== 0));
  const letters = w.device.contents('$dead');
  expect(letters.map(({ previous = '' }) => Number(previous.split(':').at(-1)))).toEqual(poison);
  for (const { body, history } of letters) {
    expect(body.length).toBe(POISON_BYTES);
    expect(history).toEqual([{ class: 'TOO_LARGE', node: 'device', reason: 'refused by gateway' }]);
  }
  expect(w.gateway.contents('$dead')).toEqual([]);
  expect(w.gateway.parts.store.accounts().map((account) => [account.class, account.count])).toEqual([
    ['REJECTED', poison.length],
  ]);
  expect(w.device.parts.store.accounts()).toEqual([]);
  expect(w.gateway.parts.receiver.forkCount).toBe(0);
}

const tlvsOf = <K extends Tlv['kind']>(w: LinkWorld, kind: K): { atMs: number; tlv: Tlv & { kind: K } }[] =>
  w.tap.of('note').flatMap(({ atMs, packet }) => {
    return packet.tlvs.filter((tlv): tlv is Tlv & { kind: K } => tlv.kind === kind).map((tlv) => ({ atMs, tlv }));
  });

describe.each([[undefined], [921_600], [115_200]])('at %s baud', (baud) => {
  test('ends where it lies, with its body; the others arrive in order, and little of it crossed the line', () => {
    const w = joined({ baud });
    sendMany(w, 12);
    w.until(() => isSettled(w), 20_000);
    check(w, 12);
    const bytes = w.tap.of('data').reduce((sum, heard) => sum + heard.bytes, 0);
    // On a socket all of it is under way before a word can come back.
    if (baud !== undefined) expect(bytes).toBeLessThan(POISON_BYTES);
    expect(w.device.link.counters()).toMatchObject({ refused: 4, sessions: 1 });
    expect(w.gateway.link.counters()).toMatchObject({ rejected: 4, sessions: 1 });
  });
});

test('no cursor moves for REJECT: only the gap moves it, however long that takes', () => {
  const w = joined();
  w.device.send(BAGS, bodyOf(1, POISON_BYTES));
  w.device.send(BAGS, bodyOf(2, 100));
  w.until(() => tlvsOf(w, 'reject').length > 0, 10_000);
  w.device.syncMs = () => 20_000; // the end of the message is long on its way
  const startMs = w.world.nowMs;
  w.run(19_000);
  expect(tlvsOf(w, 'gap')).toEqual([]);
  expect(tlvsOf(w, 'reject').length).toBeGreaterThanOrEqual(4);
  const records = w.tap.of('ack', 'gateway').flatMap(({ packet }) => packet.records);
  expect(records.every(({ cursor }) => cursor === 1)).toBe(true);
  // Nothing more of it crosses the line, but what was under way.
  const more = w.tap.of('data').filter(({ atMs }) => atMs > startMs + 50);
  expect(more.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(1_000);
  expect([w.gateway.count('bags'), w.device.contents('$dead').length, w.device.parts.sender.freedCount]).toEqual([0, 0, 0]);
  w.until(() => isSettled(w), 60_000);
  const [gap] = tlvsOf(w, 'gap');
  expect((gap?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(19_000);
  const moved = w.tap.of('ack', 'gateway').find(({ packet }) => packet.records.some(({ cursor }) => cursor > 1));
  expect(moved?.atMs).toBeGreaterThan(gap?.atMs ?? 0);
  expect(w.gateway.contents('bags').map(({ identity }) => identity.number)).toEqual([2]);
});

test.each([1, 2, 3, 4])('over a bad line, seed %i', (seed) => {
  const bad = { flipRate: 2e-4, dropRate: 5e-5 };
  const w = joined({ seed, faults: { aToB: bad, bToA: bad } });
  sendMany(w, 30);
  w.until(() => isSettled(w), 300_000);
  check(w, 30);
});

test.each([['device'], ['gateway']] as const)('survives a power cut of the %s at any step', (name) => {
  for (let step = 0; step < 60; step += 1) {
    const w = joined({ seed: step });
    sendMany(w, 6);
    w.until(() => tlvsOf(w, 'reject').length > 0, 20_000);
    const from = w.world.steps;
    w.world.run(w.world.nowMs + 10_000, () => w.world.steps >= from + step);
    w[name].kill();
    w.lines?.cut();
    w.run(20);
    w[name].open();
    w.until(() => w[name].isServing, 1_000);
    widen(w);
    w.connect();
    w.until(() => isSettled(w), 60_000);
    check(w, 6);
  }
});

test('several streams: one that waits for its gap holds up no other', () => {
  const w = joined();
  w.device.send(BAGS, bodyOf(1, POISON_BYTES), 5);
  w.until(() => tlvsOf(w, 'reject').length > 0, 10_000);
  w.device.syncMs = () => 5_000;
  w.device.send(BAGS, bodyOf(2, 100), 3);
  w.run(9_900);
  expect(tlvsOf(w, 'reject').length).toBeGreaterThan(1);
  w.until(() => isSettled(w), 30_000);
  expect(w.gateway.contents('bags').map(({ identity }) => identity.priority)).toEqual([3]);
});

/** Two nodes joined by a line, in virtual time: what they promise each other, whatever the line, the disk and the power do. */
import { describe, expect, test } from 'vitest';
import { bodyOf, type Heard, LARGE_RING_BYTES, LinkWorld, type LinkWorldOptions } from '../hardware-sim/link-world.ts';
import { stream } from '../hardware-sim/random.ts';
import { lineProfile } from '../shared/link/line-profile.ts';
import { REDECLARE_MS } from '../shared/link/outbound.ts';
import type { NotePacket } from '../shared/link/session-packets.ts';

const BAGS = 'gateway/bags';

function joined(options: Partial<LinkWorldOptions> & { baud: number | undefined }): LinkWorld {
  const w = new LinkWorld({ seed: 1, ...options });
  w.start();
  w.until(() => w.device.parts.sender.state === 'ready' && w.gateway.link.describe().includes('outstanding'), 10_000);
  return w;
}
function sendMany(w: LinkWorld, count: number, bytes: number): void {
  for (let i = 0; i < count; i++) w.device.send(BAGS, bodyOf(i, bytes));
}
const isDelivered = (w: LinkWorld) => (): boolean => w.isDelivered();
const isStream = ({ packet }: { packet: NotePacket }): boolean => packet.tlvs.some((tlv) => tlv.kind === 'stream');

describe.each([[undefined], [921_600], [115_200], [9_600]])('at %s baud', (baud) => {
  test('everything arrives once, in order, and is freed', () => {
    const w = joined({ baud });
    for (let i = 0; i < 60; i++) w.device.send(BAGS, bodyOf(i, (i * 37) % 400), i % 8);
    w.until(isDelivered(w), 60_000);
    w.check();
    const counters = w.device.link.counters();
    expect(counters).toMatchObject({ packetsLost: 0, probes: 0, sessions: 1 });
    // Nothing comes twice but what was cut short for something urgent.
    expect(counters.repeated).toBe(counters.packetsCut);
    if (baud === undefined || baud > 115_200) expect(counters.packetsCut).toBe(0);
  });

  test('an empty body, and one of exactly a packet', () => {
    const w = joined({ baud });
    for (const bytes of [0, 1, 40, 100, 250]) w.device.send(BAGS, bodyOf(bytes, bytes));
    w.until(isDelivered(w), 60_000);
    w.check();
  });
});

describe('custody', () => {
  test('is not acknowledged before it is on the disk, however long that takes', () => {
    const w = joined({ baud: 115_200 });
    w.gateway.syncMs = () => 4_000;
    const startMs = w.world.nowMs;
    sendMany(w, 3, 50);
    w.run(3_900);
    expect(w.tap.of('data').length).toBeGreaterThan(0);
    expect(w.tap.of('ack', 'gateway').length).toBeGreaterThan(0);
    const early = w.tap.of('ack', 'gateway').flatMap(({ packet }) => packet.records);
    expect(early.every(({ cursor }) => cursor === 1)).toBe(true);
    expect(w.device.parts.sender.freedCount).toBe(0);
    w.until(isDelivered(w), 60_000);
    const first = w.tap.of('ack', 'gateway').find(({ packet }) => packet.records.some(({ cursor }) => cursor > 1));
    expect((first?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(4_000);
    expect(w.device.link.counters()).toMatchObject({ repeated: 0, sessions: 1 });
  });

  test('a message is not sent before it is on the disk here', () => {
    const w = joined({ baud: undefined });
    w.device.syncMs = () => 500;
    const startMs = w.world.nowMs;
    w.device.send(BAGS, bodyOf(1, 50));
    w.until(() => w.tap.of('data').length > 0, 5_000);
    expect(w.world.nowMs - startMs).toBeGreaterThanOrEqual(500);
  });

  test('nothing of a session is sent before its ticket is on the disk', () => {
    const w = new LinkWorld({ seed: 1, baud: undefined });
    w.device.syncMs = () => 700;
    w.start();
    w.until(() => w.tap.of('note', 'device').length > 0, 20_000);
    const [welcome] = w.tap.of('welcome');
    const [first] = w.tap.heard.filter(({ from, packet }) => from === 'device' && packet.kind !== 'hello');
    expect((first?.atMs ?? 0) - (welcome?.atMs ?? 0)).toBeGreaterThanOrEqual(700);
  });

  test.each([['device'], ['gateway']] as const)('survives a power cut of the %s at any step', (name) => {
    for (let step = 1; step <= 50; step += 1) {
      const w = new LinkWorld({ seed: step, baud: 115_200 });
      w.start();
      sendMany(w, 6, 100);
      const node = w[name];
      w.world.run(w.world.nowMs + 10_000, () => w.world.steps >= 40 + 2 * step);
      node.kill();
      w.lines?.cut();
      w.run(20);
      node.open();
      w.until(() => node.isServing, 1_000);
      w.connect();
      w.until(isDelivered(w), 60_000);
      w.check();
      expect(w.gateway.parts.receiver.forkCount).toBe(0);
    }
  });

  test('a store that was rolled back is a fork: nothing is swallowed', () => {
    const w = joined({ baud: undefined });
    sendMany(w, 5, 50);
    w.until(isDelivered(w), 5_000);
    const image = w.device.disk.platter();
    w.device.kill();
    w.device.open();
    w.until(() => w.device.isServing, 1_000);
    w.connect();
    sendMany(w, 5, 60);
    w.until(isDelivered(w), 5_000);
    w.device.kill();
    w.device.disk.poke(0, image);
    w.device.open();
    w.until(() => w.device.isServing, 1_000);
    w.device.send(BAGS, bodyOf(99, 99));
    w.connect();
    w.until(() => w.device.parts.sender.state === 'forked', 5_000);
    w.run(60_000);
    expect(w.gateway.parts.receiver.forkCount).toBeGreaterThan(0);
    expect(w.gateway.count('bags')).toBe(10);
    expect(w.device.parts.sender.freedCount).toBe(0);
  });
});

describe('a line that loses', () => {
  test.each(Array.from({ length: 24 }, (_, seed) => [seed]))('delivers everything all the same (seed %i)', (seed) => {
    const chance = stream(seed, 'plan');
    const baud = chance.pick([9_600, 115_200, 921_600]);
    const faults = () => ({
      dropRate: chance.pick([0, 1e-4, 1e-3]),
      flipRate: chance.pick([0, 1e-4, 2e-3]),
      insertRate: chance.pick([0, 1e-3]),
    });
    const w = new LinkWorld({
      seed,
      baud,
      delayMs: chance.pick([0, 1, 16, 200]),
      faults: { aToB: faults(), bToA: faults() },
      cacheBytesMax: chance.pick([0, 5_000, 1_000_000]),
    });
    for (const node of [w.device, w.gateway]) node.syncMs = () => 20 * chance.next();
    w.start();
    for (let i = 0; i < 40; i++) {
      const bytes = chance.pick([0, 10, 100, 300, 1_500]);
      w.world.at(w.world.nowMs + chance.int(3_000), () => w.device.send(BAGS, bodyOf(i, bytes), chance.int(8)));
    }
    w.run(3_000);
    w.until(() => w.gateway.count('bags') === 40 && w.device.outgoingCount === 0, 120_000);
    w.check();
    // It stalls only until the next probe, never until a session is given up.
    expect(w.device.link.counters()).toMatchObject({ sessions: 1, impossible: 0, strange: 0 });
  });

  test('repeats what was lost and little else, at once, by the hole in the numbers', () => {
    const w = joined({ baud: 115_200, delayMs: 5 });
    sendMany(w, 40, 150);
    w.until(() => w.tap.of('data').length >= 5, 5_000);
    w.lines?.silence();
    w.run(25);
    w.lines?.restore();
    w.until(isDelivered(w), 10_000);
    w.check();
    const { packetsLost = 0, repeated = 0, probes } = w.device.link.counters();
    expect(packetsLost).toBeGreaterThan(0);
    expect(packetsLost).toBeLessThanOrEqual(4);
    expect(repeated).toBeLessThanOrEqual(packetsLost + 1);
    expect(probes).toBe(0);
    expect(w.gateway.link.counters().early).toBeGreaterThan(0);
  });

  test('the last packet is lost: a probe, long before anybody is called silent', () => {
    const w = joined({ baud: 115_200 });
    w.lines?.silence();
    w.device.send(BAGS, bodyOf(1, 50));
    w.run(100);
    w.lines?.restore();
    expect(w.until(isDelivered(w), 5_000)).toBeLessThan(1_500);
    expect(w.device.link.counters()).toMatchObject({ sessions: 1 });
  });

  test('ACKs are lost: nothing is stored twice, and what is durable becomes known', () => {
    const w = joined({ baud: 115_200 });
    sendMany(w, 1, 60);
    w.until(isDelivered(w), 5_000);
    const { bToA } = w.lines?.faults ?? {};
    if (bToA !== undefined) bToA.dropRate = 1;
    sendMany(w, 5, 50);
    w.until(() => w.gateway.count('bags') === 6, 5_000);
    w.run(500);
    expect(w.device.outgoingCount).toBe(5);
    if (bToA !== undefined) bToA.dropRate = 0;
    expect(w.until(isDelivered(w), 10_000)).toBeLessThan(5_000);
    w.check();
    expect(w.device.link.counters()).toMatchObject({ sessions: 1 });
  });

  test('only the record of the last cursor is lost: asked for after a second', () => {
    const w = joined({ baud: 115_200 });
    w.gateway.syncMs = () => 300;
    w.device.send(BAGS, bodyOf(1, 50));
    w.until(() => w.gateway.count('bags') === 1, 5_000);
    w.lines?.silence();
    w.run(20);
    w.lines?.restore();
    expect(w.device.outgoingCount).toBe(1);
    expect(w.until(isDelivered(w), 10_000)).toBeLessThan(1_500);
    expect(w.device.link.counters()).toMatchObject({ repeated: 0, sessions: 1 });
  });

  test.each([
    ['HELLO', 'aToB'],
    ['WELCOME', 'bToA'],
  ] as const)('%s is lost: said again, with the same nonce', (_name, way) => {
    const w = new LinkWorld({ seed: 1, baud: 115_200, faults: { [way]: { dropRate: 1 } } });
    w.start();
    w.run(3_500);
    if (w.lines !== undefined) w.lines.faults[way].dropRate = 0;
    w.device.send(BAGS, bodyOf(1, 50));
    w.until(isDelivered(w), 10_000);
    const hellos = w.tap.of('hello');
    expect(hellos.length).toBeGreaterThan(2);
    expect(new Set(hellos.map(({ packet }) => packet.nonce.join())).size).toBe(1);
    expect(w.gateway.parts.receiver.forkCount).toBe(0);
    const welcomes = w.tap.of('welcome').map(({ packet }) => packet.nonce.join());
    expect(new Set(welcomes).size).toBe(1);
  });
});

test('an unanswered HELLO is repeated after 1, 2, 4, 8 and 8 seconds, a quarter more or less', () => {
  const w = new LinkWorld({ seed: 1, baud: 115_200, faults: { aToB: { dropRate: 1 }, bToA: { dropRate: 1 } } });
  w.start();
  w.run(60_000);
  const hellos = w.tap.of('hello').map(({ atMs }) => atMs);
  const gaps = hellos.slice(1).map((atMs, i) => Math.round(atMs - (hellos[i] ?? 0)));
  [1_000, 2_000, 4_000, 8_000, 8_000].forEach((ms, i) => {
    expect(gaps[i]).toBeGreaterThanOrEqual(0.75 * ms);
    expect(gaps[i]).toBeLessThanOrEqual(1.25 * ms);
  });
  expect(new Set(gaps.slice(3)).size).toBeGreaterThan(1);
});

describe('a line that is gone', () => {
  test('for two hours: a HELLO now and then, little memory, and it goes on by itself', () => {
    const w = joined({ baud: 115_200 });
    w.lines?.silence();
    sendMany(w, 20, 100);
    const before = { hellos: w.tap.of('hello').length, heard: w.tap.heard.length, steps: w.world.steps };
    w.run(2 * 3_600_000);
    const hellos = w.tap.of('hello').length - before.hellos;
    expect(hellos).toBeGreaterThan(600);
    expect(hellos).toBeLessThan(1_300);
    expect(w.tap.heard.length - before.heard).toBeLessThan(1_500);
    expect(w.world.steps - before.steps).toBeLessThan(20_000);
    expect(w.device.closes).toEqual([]);
    w.lines?.restore();
    expect(w.until(isDelivered(w), 30_000)).toBeLessThan(11_000);
    w.check();
  });

  test('a socket that is silent is given up after half a minute, by both sides', () => {
    const w = joined({ baud: undefined });
    w.lines?.silence();
    w.run(29_000);
    expect([w.device.closes, w.gateway.closes]).toEqual([[], []]);
    w.run(15_000);
    expect([w.device.closes, w.gateway.closes]).toEqual([['nothing heard'], ['nothing heard']]);
    expect(w.device.links).toEqual([]);
  });

  test('pinged every five seconds, and nothing else is said', () => {
    const w = joined({ baud: 115_200, clocks: { device: undefined } });
    w.run(70_000);
    const before = w.tap.heard.length;
    w.run(60_000);
    const said = w.tap.heard.slice(before);
    const pings = said.filter(({ packet }) => packet.kind === 'note' && packet.tlvs.length === 0);
    // Five seconds from what was heard last, and that comes a little after the ping.
    expect([11, 12]).toContain(pings.length);
    expect(pings.every(({ from }) => from === 'device')).toBe(true);
    expect(said.filter(({ packet }) => packet.kind === 'ack')).toHaveLength(pings.length);
    expect(said).toHaveLength(2 * pings.length);
  });

  test('and now and then asked for the time, and told what was counted: a few packets an hour', () => {
    const w = joined({ baud: 115_200 });
    w.run(3_600_000);
    const before = w.tap.heard.length;
    w.run(3_600_000);
    const said = w.tap.heard.slice(before);
    const ofKind = (kind: Heard['packet']['kind']) => said.filter(({ packet }) => packet.kind === kind);
    expect(ofKind('time-request').length).toBeLessThanOrEqual(8);
    expect(ofKind('time-request').length).toBeGreaterThanOrEqual(7);
    expect(ofKind('time-response')).toHaveLength(ofKind('time-request').length);
    const stats = ofKind('note').filter(
      ({ packet }) => packet.kind === 'note' && packet.tlvs.some(({ kind }) => kind === 'stat'),
    );
    expect(stats.filter(({ from }) => from === 'device')).toHaveLength(6);
    expect(stats.filter(({ from }) => from === 'gateway')).toHaveLength(6);
    for (const side of [w.device, w.gateway]) {
      expect(side.link.describe()).toMatch(/counted there: packetsSent [1-9]\d*, packetsReceived [1-9]\d*, runsCorrupt 0/);
    }
  });

  test('the gateway restarts behind a cable that stays: it knocks, and the device starts at once', () => {
    const w = joined({ baud: 115_200 });
    const { lines } = w;
    w.gateway.kill();
    w.run(3_000);
    w.gateway.open();
    w.until(() => w.gateway.isServing, 1_000);
    expect(lines?.isClosed).toBe(true);
    w.connect();
    sendMany(w, 3, 50);
    expect(w.until(isDelivered(w), 5_000)).toBeLessThan(1_000);
    expect(w.tap.of('knock').length).toBeGreaterThan(0);
  });

  test('BYE ends a session at once on both sides', () => {
    const w = joined({ baud: 115_200 });
    w.device.step(() => w.device.link.stop(w.world.nowMs));
    w.run(100);
    expect(w.tap.of('bye', 'device')).toHaveLength(1);
    expect(w.gateway.link.describe()).toContain('waiting');
    const before = w.tap.heard.length;
    w.run(60_000);
    expect(w.tap.heard.slice(before).filter(({ from }) => from === 'device')).toEqual([]);
  });
});

describe('sessions', () => {
  test('late packets of the one before, which a bridge held back, are counted and not even answered', () => {
    const w = joined({ baud: 115_200 });
    sendMany(w, 3, 50);
    w.until(isDelivered(w), 5_000);
    const late: Uint8Array[] = [];
    const takeOutputs = w.device.link.takeOutputs.bind(w.device.link);
    w.device.link.takeOutputs = () => {
      const outputs = takeOutputs();
      for (const output of outputs) if (output.kind === 'write') late.push(output.bytes);
      return outputs.filter(({ kind }) => kind !== 'write');
    };
    sendMany(w, 2, 70);
    w.run(50);
    expect(late.length).toBeGreaterThan(0);
    w.device.link.takeOutputs = takeOutputs;
    w.lines?.silence();
    w.run(16_000);
    w.lines?.restore();
    w.until(isDelivered(w), 20_000);
    expect(w.gateway.link.counters()).toMatchObject({ sessions: 2, formerSession: 0 });
    w.run(2_000);
    const before = w.tap.heard.length;
    w.gateway.step(() => {
      for (const bytes of late) w.gateway.link.bytes(bytes, w.world.nowMs);
    });
    w.run(1_000);
    const packets = late
      .flatMap((bytes) => [...bytes])
      .join()
      .split(/(?:^|,)0(?=,|$)/)
      .filter((run) => run !== '');
    expect(packets.length).toBeGreaterThan(0);
    expect(w.gateway.link.counters().formerSession).toBe(packets.length);
    expect(w.tap.heard.slice(before)).toEqual([]);
    w.check();
  });

  test('an echoing line: nobody takes what he said himself for an answer', () => {
    const w = joined({ baud: 115_200, faults: { aToB: { echo: 'local' }, bToA: { echo: 'local' } } });
    sendMany(w, 20, 50);
    w.until(isDelivered(w), 10_000);
    for (const { link } of [w.device, w.gateway]) {
      const { sessions, strange, echoed = 0 } = link.counters();
      expect({ sessions, strange }).toEqual({ sessions: 1, strange: 0 });
      expect(echoed).toBeGreaterThan(3);
    }
    w.check();
  });

  test('a second line of the same device fences the first, and the first is told', () => {
    const w = joined({ baud: 115_200 });
    sendMany(w, 3, 50);
    w.until(isDelivered(w), 5_000);
    w.connect();
    w.run(2_000);
    expect(w.tap.of('bye', 'gateway').map(({ packet }) => packet.reason)).toEqual([6]);
    const states = w.gateway.links.map((link) => link.describe());
    expect(states[0]).toContain('waiting');
    sendMany(w, 3, 60);
    w.until(isDelivered(w), 20_000);
    w.check();
  });
});

describe('streams', () => {
  test('a new one is declared before anything of it is sent, and once', () => {
    const w = joined({ baud: 115_200 });
    w.device.send(BAGS, bodyOf(1, 50), 5);
    w.until(isDelivered(w), 5_000);
    const [declared] = w.tap.of('note', 'device').filter(isStream);
    const [record] = w.tap.of('ack', 'gateway').filter(({ packet }) => packet.records.length > 0);
    const [data] = w.tap.of('data', 'device');
    expect(declared?.atMs).toBeLessThan(record?.atMs ?? 0);
    expect(record?.atMs).toBeLessThan(data?.atMs ?? 0);
    expect(w.tap.of('note', 'device').filter(isStream)).toHaveLength(1);
  });

  test('one whose declaration was answered and the answer lost is declared again', () => {
    const w = joined({ baud: 115_200 });
    w.run(100);
    w.device.send(BAGS, bodyOf(1, 50), 5);
    w.until(() => w.tap.of('ack', 'gateway').some(({ packet }) => packet.records.length > 0), 1_000);
    w.lines?.silence();
    w.run(5);
    w.lines?.restore();
    const ms = w.until(isDelivered(w), 10_000);
    expect(ms).toBeLessThan(2 * REDECLARE_MS);
  });

  test('a hundred of them, offered in a HELLO that holds a few', () => {
    const queues = Array.from({ length: 13 }, (_, i) => ({ name: `queue-${i}`, bytesLimit: 1_000_000 }));
    const w = new LinkWorld({ seed: 1, baud: 115_200, queues });
    w.device.open();
    w.until(() => w.device.isServing, 1_000);
    for (let i = 0; i < 208; i++) w.device.send(`gateway/queue-${i % 13}`, bodyOf(i, 30), i % 8);
    w.run(100);
    w.gateway.open();
    w.until(() => w.gateway.isServing, 1_000);
    w.connect();
    w.until(() => w.device.outgoingCount === 0, 60_000);
    expect(queues.map(({ name }) => w.gateway.count(name))).toEqual(queues.map(() => 16));
    const [hello] = w.tap.of('hello');
    expect(hello?.bytes).toBeLessThanOrEqual(1_024);
    expect(w.tap.of('welcome')[0]?.bytes).toBeLessThanOrEqual(lineProfile(115_200).packetBytesTaken);
  });

  test('forwarded ones keep their origin, and numbers that were freed are elsewhere', () => {
    const w = joined({ baud: undefined });
    sendMany(w, 4, 50);
    w.until(isDelivered(w), 5_000);
    w.run(200);
    // Another gateway, which has never heard of the device: the first four are not here any more.
    const other = new LinkWorld({ seed: 2, baud: undefined });
    other.gateway.open();
    other.until(() => other.gateway.isServing, 1_000);
    w.device.kill();
    other.device.disk.poke(0, w.device.disk.platter());
    other.device.open();
    other.until(() => other.device.isServing, 1_000);
    other.device.send(BAGS, bodyOf(5, 50));
    other.connect();
    const heldCount = () => other.gateway.parts.store.queues.get('bags').heldCount;
    other.until(() => heldCount() === 1, 5_000);
    const elsewhere = other.tap
      .of('note', 'device')
      .flatMap(({ packet }) => packet.tlvs.filter((tlv) => tlv.kind === 'elsewhere'));
    expect(elsewhere).toEqual([{ kind: 'elsewhere', handle: 0, from: 1, to: 4 }]);
    const [numbers] = [...other.gateway.parts.store.ends.destinations.values()].filter(({ holes }) => holes.length > 0);
    expect(numbers).toMatchObject({ next: 6, holes: [{ from: 1, to: 4 }] });
  });
});

describe('urgency', () => {
  test.each([[9_600], [115_200]])('a message behind a megabyte goes next: after the packet under way (baud %s)', (baud) => {
    const w = joined({ baud });
    w.device.send(BAGS, bodyOf(0, 10), 7);
    for (let i = 0; i < 300; i++) w.device.send(BAGS, bodyOf(i, 300), 1);
    w.run(2_000);
    const startMs = w.world.nowMs;
    const before = w.tap.heard.length;
    w.device.send(BAGS, bodyOf(1, 1), 7);
    const urgent = ({ packet }: Heard): boolean => packet.kind === 'data' && packet.handle === handleOf(w, 7);
    w.until(() => w.tap.heard.slice(before).some(urgent), 5_000);
    const { packetBytesSent, byteMs } = lineProfile(baud);
    // The disk takes one millisecond, the acknowledgements of the bulk a few.
    expect(w.world.nowMs - startMs).toBeLessThanOrEqual(packetBytesSent * byteMs + 5);
  });

  test('the least urgent is slow, not starved', () => {
    const w = joined({ baud: 9_600 });
    for (let i = 0; i < 400; i++) w.device.send(BAGS, bodyOf(i, 20), 6);
    for (let i = 0; i < 60; i++) w.device.send(BAGS, bodyOf(i, 20), 0);
    w.run(60_000);
    const all = w.tap.of('data', 'device').map(({ packet }) => packet.handle);
    const shares = all.slice(0, all.lastIndexOf(handleOf(w, 6)));
    const low = shares.filter((handle) => handle === handleOf(w, 0)).length / shares.length;
    expect(low).toBeGreaterThan(0.03);
    expect(low).toBeLessThan(0.08);
  });
});

describe('large messages', () => {
  test.each([
    [undefined, 60_000],
    [921_600, 120_000],
    [115_200, 600_000],
  ])('150 KiB, several at once (baud %s)', (baud, msMax) => {
    const w = joined({ baud, ringBytes: LARGE_RING_BYTES });
    for (let i = 0; i < 4; i++) w.device.send(BAGS, bodyOf(i, 150 * 1024), 2 * i);
    w.device.send(BAGS, bodyOf(9, 10), 3);
    w.until(isDelivered(w), msMax);
    w.check();
    expect(w.gateway.link.counters()).toMatchObject({ notKept: 0 });
  });

  test('the largest there is', () => {
    const w = joined({ baud: undefined, ringBytes: LARGE_RING_BYTES });
    w.device.send(BAGS, bodyOf(1, 192 * 1024 - 200));
    w.until(isDelivered(w), 10_000);
    w.check();
  });

  test('over a line that loses, from a ring whose cache holds none of it', () => {
    const w = joined({ baud: 921_600, ringBytes: LARGE_RING_BYTES, cacheBytesMax: 0 });
    w.lines?.noise(3e-4);
    for (let i = 0; i < 3; i++) w.device.send(BAGS, bodyOf(i, 100 * 1024), i);
    w.until(isDelivered(w), 120_000);
    w.check();
    expect(w.device.link.counters().packetsLost).toBeGreaterThan(5);
  });

  test('a small urgent one overtakes a large one in the middle', () => {
    const w = joined({ baud: 115_200, ringBytes: LARGE_RING_BYTES });
    w.device.send(BAGS, bodyOf(0, 10), 7);
    w.device.send(BAGS, bodyOf(1, 150 * 1024), 1);
    w.run(3_000);
    w.device.send(BAGS, bodyOf(2, 10), 7);
    expect(w.until(() => w.gateway.count('bags') === 2, 5_000)).toBeLessThan(100);
  });

  test('one that the receiver can never store ends here, its gap is the account there, and its stream goes on', () => {
    const w = new LinkWorld({ seed: 1, baud: undefined, ringBytes: LARGE_RING_BYTES, gatewayRingBytes: 400 * 4096 });
    w.start();
    w.device.send(BAGS, bodyOf(1, 100 * 1024), 2);
    w.device.send(BAGS, bodyOf(2, 100), 2);
    w.until(() => w.device.outgoingCount === 0 && w.device.pendingCount === 0, 5_000);
    expect(w.gateway.contents('bags').map(({ identity }) => identity.number)).toEqual([2]);
    expect(w.gateway.parts.store.accounts()).toMatchObject([{ class: 'REJECTED', count: 1 }]);
  });
});

describe('a full queue', () => {
  const queues = [
    { name: 'bags', bytesLimit: 20_000 },
    { name: 'other', bytesLimit: 400_000 },
  ];

  test.each([[undefined], [115_200]])('holds back its own streams and nobody else, quietly (baud %s)', (baud) => {
    const w = joined({ baud, queues });
    for (let i = 0; i < 200; i++) {
      w.device.send(BAGS, bodyOf(i, 300), i % 3);
      w.device.send('gateway/other', bodyOf(i, 300), i % 3);
    }
    w.until(() => w.gateway.count('other') === 200, 60_000);
    const full = w.gateway.count('bags');
    expect(full).toBeGreaterThan(45);
    expect(full).toBeLessThan(60);
    w.run(60_000);
    const before = w.device.link.counters();
    w.run(60_000);
    const after = w.device.link.counters();
    expect((after.bytesSent ?? 0) - (before.bytesSent ?? 0)).toBeLessThan(60_000);
    expect(after.sessions).toBe(1);
    let taken = full;
    for (let i = 0; i < 40 && w.device.outgoingCount > 0; i++) {
      w.gateway.consume('bags', 10);
      taken += 10;
      const startMs = w.world.nowMs;
      w.until(() => w.gateway.count('bags') >= Math.min(full, 200 - (taken - full)) - 2 || w.device.outgoingCount === 0, 30_000);
      // Room is used as soon as it is there, not when a timer says so.
      expect(w.world.nowMs - startMs).toBeLessThan(3_000);
    }
    w.until(() => w.device.outgoingCount === 0, 10_000);
  });

  test('large messages for it do not take the memory that others need', () => {
    const w = joined({
      baud: undefined,
      queues: [
        { name: 'bags', bytesLimit: 100_000 },
        { name: 'other', bytesLimit: 2_000_000 },
      ],
      ringBytes: LARGE_RING_BYTES,
    });
    for (let i = 0; i < 6; i++) w.device.send(BAGS, bodyOf(i, 150_000), i);
    for (let i = 0; i < 6; i++) w.device.send('gateway/other', bodyOf(i, 150_000), i);
    w.until(() => w.gateway.count('other') === 6, 60_000);
    expect(w.gateway.count('bags')).toBe(0);
  });
});

describe('cost', () => {
  test('at 9,600 baud the line is busy all the time, and never ahead by more than a packet', () => {
    const w = joined({ baud: 9_600 });
    w.run(1_000);
    sendMany(w, 100, 200);
    w.run(500);
    const { bytesSent: before = 0 } = w.device.link.counters();
    w.run(10_000);
    const { bytesSent: after = 0 } = w.device.link.counters();
    expect(after - before).toBeGreaterThan(0.97 * 9_600);
    expect(after - before).toBeLessThan(1.02 * 9_600);
  });

  test('small messages share packets', () => {
    const w = joined({ baud: undefined });
    sendMany(w, 300, 20);
    w.until(isDelivered(w), 5_000);
    expect(w.tap.of('data').length).toBeLessThan(12);
  });

  test('a backlog that has to be read from the disk shares packets too', () => {
    const w = new LinkWorld({ seed: 1, baud: undefined, cacheBytesMax: 200_000 });
    w.device.open();
    w.until(() => w.device.isServing, 1_000);
    sendMany(w, 600, 100);
    w.run(100);
    w.device.kill();
    w.device.open();
    w.gateway.open();
    w.until(() => w.device.isServing && w.gateway.isServing, 1_000);
    w.connect();
    w.until(isDelivered(w), 20_000);
    w.check();
    expect(w.tap.of('data').length).toBeLessThan(60);
  });

  test('a line at rest costs nothing: no wake-ups but for pings', () => {
    const w = joined({ baud: 115_200 });
    w.run(1_000);
    const before = w.world.steps;
    w.run(100_000);
    // 20 pings there, 20 acknowledgements back, a few events of the wire for each.
    expect(w.world.steps - before).toBeLessThan(500);
  });
});

function handleOf(w: LinkWorld, priority: number): number {
  const declared = w.tap.of('note', 'device').flatMap(({ packet }) => packet.tlvs);
  const hellos = w.tap.of('hello').flatMap(({ packet }) => packet.tlvs);
  for (const tlv of [...declared, ...hellos]) if (tlv.kind === 'stream' && tlv.priority === priority) return tlv.handle;
  throw new Error(`no stream of priority ${priority}`);
}

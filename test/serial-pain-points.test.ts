/**
 * What goes wrong with serial ports in the field, by the issue where somebody met it. docs/link.md 10 is the list of all twenty, with
 * what is done here and what no software can do.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runLink } from '../gateway/link-role.ts';
import { type FakeBehaviour, FakeSerialPort } from '../hardware-sim/fake-serialport.ts';
import { linePair } from '../hardware-sim/line-pair.ts';
import { bodyOf, LinkWorld, type LinkWorldOptions } from '../hardware-sim/link-world.ts';
import { openPty, ptysAvailable } from '../hardware-sim/pty.ts';
import { PtyPort } from '../hardware-sim/pty-cable.ts';
import { stream } from '../hardware-sim/random.ts';
import { simLines } from '../hardware-sim/sim-line.ts';
import { SimPorts } from '../hardware-sim/sim-ports.ts';
import { toUtf8 } from '../shared/bytes.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { frameForLine } from '../shared/link/cobs.ts';
import { AdapterCounters } from '../shared/node/adapter-counters.ts';
import { parseLineAddress } from '../shared/node/config/line-address.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import { Node } from '../shared/node/node.ts';
import { openLine } from '../shared/node/open-line.ts';
import { findPort } from '../shared/node/port-match.ts';
import { PortWatch } from '../shared/node/port-watch.ts';
import { CLOSE_MS_MAX, openSerialLine, PRESENCE_MS, type SerialLineOptions, WRITE_GRACE_MS } from '../shared/node/serial-line.ts';
import type { Line } from '../shared/ports.ts';

/** What stands in for the package's class in a test; undefined: the package itself. */
const use = vi.hoisted((): { SerialPort: (() => unknown) | undefined } => ({ SerialPort: undefined }));
vi.mock('serialport', async () => {
  const actual = await vi.importActual<typeof import('serialport')>('serialport').catch(() => undefined);
  return {
    get SerialPort(): unknown {
      if (use.SerialPort !== undefined) return use.SerialPort();
      if (actual === undefined) throw new Error('serialport is not installed');
      return actual.SerialPort;
    },
  };
});

const missing = await ptysAvailable();
const why = missing === undefined ? '' : ` (skipped: ${missing})`;

let folder: string;
const lines: Line[] = [];
const stops: AbortController[] = [];
const nodes: Node[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringmail-pain-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  for (const line of lines.splice(0)) line.close();
  for (const node of nodes.splice(0)) await node.close();
  use.SerialPort = undefined;
  FakeSerialPort.reset();
  await rm(folder, { recursive: true });
});

interface Heard {
  readonly bytes: number[];
  readonly closed: string[];
}

function hear(line: Line): Heard {
  const heard: Heard = { bytes: [], closed: [] };
  lines.push(line);
  line.listen({ onBytes: (bytes) => void heard.bytes.push(...bytes), onClosed: (reason) => void heard.closed.push(reason) });
  return heard;
}

/** A port of the stand-in package: a file in place of a device, since the name must exist. */
async function fakePort(name: string, behaviour: FakeBehaviour = {}): Promise<string> {
  use.SerialPort = () => FakeSerialPort;
  const path = join(folder, name);
  await writeFile(path, '');
  FakeSerialPort.behaviours.set(path, behaviour);
  return path;
}

async function openFake(behaviour: FakeBehaviour = {}, more: Partial<SerialLineOptions> = {}) {
  const path = await fakePort('port', behaviour);
  const line = await openSerialLine({ path, baudRate: 9600, ...more });
  const [port] = FakeSerialPort.of(path).slice(-1);
  if (port === undefined) throw new Error('a port was made');
  return { path, line, port, heard: hear(line) };
}

async function openNode(name: string, uplink: NodeConfig['uplink'] = 'none'): Promise<Node> {
  const ringPath = join(folder, `${name}.ring`);
  await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(name.length), volatile: 'allow' });
  const config: NodeConfig = {
    ...{ name, uplink, queues: [{ name: 'bags', bytesLimit: 100_000 }], unknownQueue: 'refuse', queueBytesLimit: 100_000 },
    ...{ central: 'gateway', isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
  };
  const node = await Node.open({ config, ringPath, volatile: 'allow' });
  nodes.push(node);
  return node;
}

const BAGS = { destination: 'gateway/bags', properties: {} };
async function sendAndReceive(device: Node, gateway: Node): Promise<string> {
  await device.call({ verb: 'send', ...BAGS, body: Uint8Array.of(7) });
  return (await gateway.call({ verb: 'receive', queue: 'bags', waitMs: 10_000, leaseMs: 1_000 })).kind;
}

function keep(path: string, open: () => Promise<Line>, use: (line: Line) => Promise<string>) {
  const stop = new AbortController();
  stops.push(stop);
  const logs: string[] = [];
  const over = keepLine({ name: path, open, use, log: (_level, text) => void logs.push(text) }, stop.signal);
  return { stop, logs, over };
}

/** A device and a gateway with a session between them, in virtual time. */
function joined(options: Partial<LinkWorldOptions> = {}): LinkWorld {
  const w = new LinkWorld({ seed: 1, baud: 115_200, ...options });
  w.start();
  w.until(() => w.device.parts.sender.state === 'ready' && w.gateway.link.describe().includes('outstanding'), 60_000);
  return w;
}

function send(w: LinkWorld, count: number, bytes = 60): void {
  for (let i = 0; i < count; i++) w.device.send('gateway/bags', bodyOf(i, bytes));
}

/** All that the device accepted is at the gateway, once and in order. */
function delivered(w: LinkWorld, msMax: number): void {
  w.until(() => w.isDelivered(), msMax);
  w.check();
}

describe('closing and opening', () => {
  it('node-serialport#2776: a close that never ends is abandoned after a second, reported once, and holds nothing up', async () => {
    const { path, line, heard } = await openFake({ close: 'hangs' });
    const startMs = performance.now();
    line.close();
    await vi.waitFor(() => expect(heard.closed).toEqual(['closed']), { timeout: 3 * CLOSE_MS_MAX });
    expect(performance.now() - startMs).toBeGreaterThan(CLOSE_MS_MAX - 5);
    const again = hear(await openSerialLine({ path, baudRate: 9600 }));
    FakeSerialPort.of(path)[1]?.gives(5);
    expect(again.bytes).toEqual([5]);
  });

  it('node-serialport#2735: "Cannot lock port" after a close is a state that passes: tried again, and opened', async () => {
    const behaviour: FakeBehaviour = { open: new Error('Error Resource temporarily unavailable Cannot lock port') };
    const path = await fakePort('port', behaviour);
    await expect(openSerialLine({ path, baudRate: 9600 })).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });
    let opened = 0;
    const serve = (line: Line): Promise<string> => {
      opened += 1;
      return new Promise((resolve) => line.listen({ onBytes: () => {}, onClosed: resolve }));
    };
    const kept = keep(path, () => openSerialLine({ path, baudRate: 9600 }), serve);
    await vi.waitFor(() => expect(FakeSerialPort.of(path).length).toBeGreaterThan(2), { timeout: 5_000 });
    delete behaviour.open;
    await vi.waitFor(() => expect(opened).toBe(1), { timeout: 5_000 });
    expect(kept.logs).toEqual([expect.stringContaining('Cannot lock port')]);
    kept.stop.abort();
    await kept.over;
  });

  it.skipIf(missing)(`bindings-cpp#237: closing does not wait for a peer that has stopped reading${why}`, async () => {
    const pty = await openPty();
    const line = await openSerialLine({ path: pty.path, baudRate: 115_200 });
    const heard = hear(line);
    expect(line.write(new Uint8Array(100_000))).toBe(100_000);
    const startMs = performance.now();
    line.close();
    await vi.waitFor(() => expect(heard.closed).toEqual(['closed']), { timeout: 3 * CLOSE_MS_MAX });
    expect(performance.now() - startMs).toBeLessThan(3 * CLOSE_MS_MAX);
    await pty.close();
  });

  it('jSerialComm#287: nothing ever asks the driver to drain', async () => {
    const { line, port, heard } = await openFake();
    line.write(new Uint8Array(100));
    await vi.waitFor(() => expect(line.write(new Uint8Array(0))).toBe(0));
    line.close();
    await vi.waitFor(() => expect(heard.closed).toHaveLength(1));
    expect(port.calls).toEqual(['open', 'write', 'close']);
  });

  it.skipIf(missing)(`node-serialport#2043: an unplugged port is reported although nobody writes to it${why}`, async () => {
    const port = new PtyPort(join(folder, 'port'), { baud: undefined, random: stream(1, 'port') });
    await port.plug();
    const heard = hear(await openSerialLine({ path: port.path, baudRate: 9600 }));
    await port.unplug();
    await vi.waitFor(() => expect(heard.closed).toHaveLength(1), { timeout: 3 * PRESENCE_MS });
  });
});

describe('reading and writing', () => {
  it('node-serialport#115: a terminal that was hung up and reads nothing for ever ends the line, without a busy loop', async () => {
    const actual = await vi.importActual<typeof import('serialport')>('serialport').catch(() => undefined);
    if (actual === undefined) return expect(missing, 'serialport is not installed').toBeDefined();
    const { open } = await import('node:fs/promises');
    const device = await open('/dev/null'); // every read gives nothing at once
    let reads = 0;
    const { SerialPort } = actual;
    class HungUp {
      fd: number | null = device.fd;
      readonly poller = { once: () => {} };
      get isOpen(): boolean {
        return this.fd !== null;
      }
      async read(): Promise<never> {
        // As the package does it: again at once, for ever.
        for (;;) {
          reads += 1;
          await new Promise(setImmediate);
          if (!this.isOpen) throw Object.assign(new Error('closed'), { canceled: true });
        }
      }
      async close(): Promise<void> {
        this.fd = null;
      }
    }
    const binding = { list: async () => [], open: async () => new HungUp() };
    class Port extends SerialPort {
      constructor(options: object) {
        super({ ...options, binding } as unknown as ConstructorParameters<typeof SerialPort>[0]);
      }
    }
    use.SerialPort = () => Port;
    const heard = hear(await openSerialLine({ path: '/dev/null', baudRate: 9600 }));
    await vi.waitFor(() => expect(heard.closed).toEqual(['the terminal was hung up']), { timeout: 5_000 });
    expect(reads).toBe(0);
    await device.close();
  });

  it('node-serialport#2280: a write that never calls back is a fault after three times its line time and a second', async () => {
    const { line, heard } = await openFake({ write: 'hangs' });
    const startMs = performance.now();
    expect(line.write(new Uint8Array(96))).toBe(96);
    const deadlineMs = 300 + WRITE_GRACE_MS;
    await vi.waitFor(() => expect(heard.closed).toEqual([`a write took more than ${deadlineMs} ms`]), {
      timeout: deadlineMs + 500,
    });
    expect(performance.now() - startMs).toBeGreaterThan(deadlineMs - 5);
  });

  it('node-serialport#2263: what was written while the peer was away and comes later counts for nothing', () => {
    const w = joined();
    send(w, 3);
    delivered(w, 10_000);
    w.lines?.stall('aToB');
    send(w, 5);
    w.run(40_000);
    // Minutes-old packets, in one: a session that ended meanwhile does not hear them.
    w.lines?.release('aToB');
    delivered(w, 120_000);
    expect(w.gateway.link.counters().formerSession).toBeGreaterThan(0);
  });

  it('node-serialport#1806: half a packet of before is in the buffers, and nothing relies on a flush', async () => {
    const { port, line, heard } = await openFake();
    line.close();
    await vi.waitFor(() => expect(heard.closed).toHaveLength(1));
    expect(port.calls).not.toContain('flush');
    const w = new LinkWorld({ seed: 1, baud: 115_200 });
    w.device.open();
    w.gateway.open();
    w.until(() => w.device.isServing && w.gateway.isServing, 10_000);
    const half = frameForLine(bodyOf(1, 300)).subarray(0, 150);
    w.connect().say('both', half);
    send(w, 10);
    delivered(w, 20_000);
  });

  it('node-serialport#920: packets cut anywhere and glued together are the same packets', () => {
    for (const pieceBytesMax of [1, 2, 3, 7, 64, 255]) {
      const w = joined({ faults: { aToB: { pieceBytesMax }, bToA: { pieceBytesMax } } });
      for (let i = 0; i < 30; i++) w.device.send('gateway/bags', bodyOf(i, (i * 53) % 500), i % 8);
      delivered(w, 60_000);
      const { packetsLost, repeated, packetsCut = 0 } = w.device.link.counters();
      // What was cut short for something urgent is no packet, and comes again.
      expect({ packetsLost, repeated }).toEqual({ packetsLost: 0, repeated: packetsCut });
      const { runsCorrupt = 0, runsMalformed = 0, runsTooLong } = w.gateway.link.counters();
      expect([runsCorrupt + runsMalformed, runsTooLong]).toEqual([packetsCut, 0]);
    }
  });

  it('node-serialport#1590: reads are large, and a line at rest wakes nobody but for pings', async () => {
    const { port } = await openFake();
    expect(port.settings.highWaterMark).toBe(4096);
    const w = joined();
    w.run(1_000);
    const before = w.device.pumps + w.gateway.pumps;
    w.run(100_000);
    expect(w.device.pumps + w.gateway.pumps - before).toBeLessThan(200);
  });
});

describe('modem lines and flow control', () => {
  it('node-serialport#1605: DTR and RTS are left alone, and a board that resets all the same is understood', async () => {
    const { port } = await openFake();
    expect([port.settings.hupcl, port.calls]).toEqual([false, ['open']]);
    const w = joined();
    send(w, 5);
    w.device.kill();
    w.lines?.cut();
    w.run(20);
    w.device.open();
    w.until(() => w.device.isServing, 10_000);
    w.connect().say('aToB', toUtf8('ets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n'));
    send(w, 5);
    delivered(w, 20_000);
  });

  it('node-serialport#495: dtrRts sets both when it is asked to, and a port that cannot is refused with its reason', async () => {
    const off = await openFake({}, { dtrRts: 'off' });
    expect(off.port.calls).toEqual(['open', 'set {"dtr":false,"rts":false}']);
    const on = await openFake({}, { dtrRts: 'on' });
    expect(on.port.calls).toEqual(['open', 'set {"dtr":true,"rts":true}']);
    // RTS is the driver's where it is flow control.
    const held = await openFake({}, { dtrRts: 'off', rtscts: true });
    expect(held.port.calls).toEqual(['open', 'set {"dtr":false,"rts":true}']);
    await expect(openFake({ set: new Error('Inappropriate ioctl') }, { dtrRts: 'on' })).rejects.toMatchObject({
      code: 'LINE_UNAVAILABLE',
      details: { reason: 'dtrRts=on: Inappropriate ioctl' },
    });
    expect(FakeSerialPort.made.at(-1)?.calls.at(-1)).toBe('close');
  });

  it('node-serialport#781: nothing is lost for want of flow control: no more is sent than the receiver said it takes', async () => {
    const { port } = await openFake();
    expect(port.settings).toMatchObject({ rtscts: false, xon: false, xoff: false });
    const w = joined({ queues: [{ name: 'bags', bytesLimit: 6_000 }] });
    w.gateway.syncMs = () => 300;
    send(w, 200, 100);
    // Whoever reads there is slow, and the queue is full most of the time.
    for (let i = 0; i < 400 && w.device.outgoingCount > 150; i++) {
      w.run(500);
      w.gateway.consume('bags', 5);
    }
    expect(w.device.outgoingCount).toBeLessThanOrEqual(150);
    expect(w.device.link.counters()).toMatchObject({ packetsLost: 0, sessions: 1 });
  });

  it('zigbee2mqtt#25860: XON and XOFF that come through are counted and said once, and harm no packet', async () => {
    const counters = new AdapterCounters();
    const logs: string[] = [];
    const path = await fakePort('port');
    const report = { name: 'cable', counters, log: (_level: string, text: string) => void logs.push(text) };
    hear(await openSerialLine({ path, baudRate: 9600 }, report));
    const [port] = FakeSerialPort.of(path);
    for (let i = 0; i < 3; i++) port?.gives(0, 0x11, 0x13, 0x05, 9, 9, 9, 9, 0);
    expect(counters.totals()).toEqual({ cable: { flowControlRuns: 3 } });
    expect(logs).toEqual([expect.stringMatching(/^cable: XON or XOFF came through/)]);
    const w = joined();
    for (let i = 0; i < 20; i++) {
      send(w, 1);
      w.lines?.say('both', Uint8Array.of(0x11, 0x11, 0x13));
      w.run(30);
    }
    delivered(w, 60_000);
  });

  it('node-red#881: bytes lost in a late reader are counted where Linux tells it, and the link repairs them', async () => {
    const counters = new AdapterCounters();
    const logs: string[] = [];
    const counts = [100, 100, 130, 135];
    const port = { name: 'cable', device: '/dev/ttyS0', readOverruns: async () => counts.shift() };
    const watch = new PortWatch(port, { counters, log: (_level, text) => void logs.push(text) });
    for (let i = 0; i < 4; i++) await watch.look();
    expect(counters.totals()).toEqual({ cable: { flowControlRuns: 0, overrunBytes: 35 } });
    expect(logs).toEqual([expect.stringContaining('overrun')]);
    const silent = new PortWatch({ ...port, name: 'usb', readOverruns: async () => undefined }, { counters, log: () => {} });
    await silent.look();
    expect(counters.totals().usb).toEqual({ flowControlRuns: 0 });
    const w = joined({ faults: { aToB: { overrunRate: 0.02 }, bToA: { overrunRate: 0.02 } } });
    send(w, 100, 200);
    delivered(w, 120_000);
    expect(w.device.link.counters().packetsLost).toBeGreaterThan(0);
  });
});

describe('ports and programs', () => {
  it('node-serialport#1299: one port hangs in open, one fails, one works: it works', async () => {
    const gateway = await openNode('gateway');
    const device = await openNode('device-1', 'link');
    const [far, near] = linePair();
    const hangs = await fakePort('hangs', { open: 'hangs' });
    const fails = await fakePort('fails', { open: new Error('Input/output error') });
    const works = await fakePort('works', { onWrite: (bytes) => void near.write(bytes) });
    near.listen({
      onBytes: (bytes) =>
        FakeSerialPort.of(works)
          .at(-1)
          ?.gives(...bytes),
      onClosed: () => {},
    });
    const stop = new AbortController();
    stops.push(stop);
    const logs: string[] = [];
    const roles: Promise<void>[] = [];
    // One after the other: imports of a package that is replaced must not cross.
    for (const path of [hangs, works, fails]) {
      const address = parseLineAddress(`serial:${path}?baud=115200`, { directory: '/', baudRate: 9600 });
      if (address.kind === 'wrong') throw new Error(address.reason);
      const role = { listen: address.value, log: (_level: string, text: string) => void logs.push(text) };
      roles.push(runLink(gateway, role, stop.signal));
      await vi.waitFor(() => expect(FakeSerialPort.of(path)[0]?.calls).toContain('open'));
    }
    await vi.waitFor(() => expect(FakeSerialPort.of(fails).length).toBeGreaterThan(2), { timeout: 10_000 });
    void device.attach(far, { role: 'dial', baud: 115_200 });
    expect(await sendAndReceive(device, gateway)).toBe('received');
    expect([FakeSerialPort.of(hangs).length, FakeSerialPort.of(works).length]).toEqual([1, 1]);
    expect(logs).toEqual([expect.stringContaining('Input/output error')]);
    expect(Object.keys(gateway.stats()?.ports ?? {})).toEqual([`serial:${works}?baud=115200`]);
    expect(gateway.stats()?.lines).toEqual({
      [`serial:${hangs}?baud=115200`]: 'opening',
      [`serial:${works}?baud=115200`]: 'open',
      [`serial:${fails}?baud=115200`]: expect.stringMatching(/^(opening|LINE_UNAVAILABLE .*Input\/output error.*)$/),
    });
    stop.abort();
    await Promise.all(roles);
  });

  it('node-serialport#914: what many ports need of the thread pool is written down', async () => {
    expect(await readFile(join(import.meta.dirname, '../docs/serial-ports.md'), 'utf8')).toContain('UV_THREADPOOL_SIZE');
  });

  it('node-serialport#2707: the package is one line among others: without it a link works over any other', async () => {
    use.SerialPort = () => {
      throw new Error('this runtime has no uv_default_loop');
    };
    const gateway = await openNode('gateway');
    const device = await openNode('device-1', 'link');
    const [a, b] = linePair();
    void gateway.attach(a, { role: 'accept', baud: undefined });
    void device.attach(b, { role: 'dial', baud: undefined });
    expect(await sendAndReceive(device, gateway)).toBe('received');
  });

  it('node-serialport#1371: a machine without a build of the package is told so once, by a code, and not bothered again', async () => {
    use.SerialPort = () => {
      throw new Error('No native build was found for platform=linux arch=mips');
    };
    let tries = 0;
    const open = (): Promise<Line> => {
      tries += 1;
      return openSerialLine({ path: '/dev/null', baudRate: 9600 });
    };
    const kept = keep('port', open, async () => 'never');
    await vi.waitFor(() => expect(kept.logs).toHaveLength(1));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect([tries, kept.logs]).toEqual([1, [expect.stringContaining('SERIALPORT_MISSING')]]);
    kept.stop.abort();
    await kept.over;
  });

  it('zigbee2mqtt#17947: renumbered by unplugging, a port is found by what it is, and AT commands of a modem manager are noise', async () => {
    const ports = new SimPorts();
    const w = new LinkWorld({ seed: 1, baud: 115_200 });
    const adapter = (serialNumber: string) => ({
      ...{ vendorId: '0403', productId: '6015', serialNumber, byPath: `usb-${serialNumber}` },
      connect: () => simLines({ world: w.world, random: stream(1, serialNumber), baud: 115_200 }),
    });
    const [mine, other] = [adapter('MINE'), adapter('OTHER')];
    expect([ports.plug(mine), ports.plug(other)]).toEqual(['/dev/ttyUSB0', '/dev/ttyUSB1']);
    for (const plugged of [mine, other]) ports.unplug(plugged);
    for (const plugged of [other, mine]) ports.plug(plugged);
    expect(findPort({ vid: '0403', pid: '6015', serialNumber: 'MINE' }, ports.list())).toBe('/dev/ttyUSB1');

    const path = await fakePort('ttyUSB1');
    const address = parseLineAddress('serial:?vid=0403&serial=MINE', { directory: '/', baudRate: 9600 });
    if (address.kind === 'wrong') throw new Error(address.reason);
    const listing = { path, vendorId: '0403', serialNumber: 'MINE', byPath: [] };
    lines.push(
      await openLine(address.value, {
        listPorts: async () => [{ ...listing, path: '/dev/other', serialNumber: 'OTHER' }, listing],
      }),
    );
    expect(FakeSerialPort.of(path)).toHaveLength(1);
    await expect(openLine(address.value, { listPorts: async () => [] })).rejects.toMatchObject({ code: 'PORT_NOT_FOUND' });
    await expect(openLine(address.value, { listPorts: async () => [listing, listing] })).rejects.toMatchObject({
      code: 'PORT_AMBIGUOUS',
    });
    const noUdev = () => Promise.reject(new Error('spawn udevadm ENOENT'));
    await expect(openLine(address.value, { listPorts: noUdev })).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });

    w.start();
    for (let i = 0; i < 5; i++) {
      w.lines?.say('both', toUtf8('AT\r\nATE1\r\nAT+GCAP\r\n'));
      send(w, 2);
      w.run(200);
    }
    delivered(w, 20_000);
  });

  it('zwave-js#7815: a port that goes again and again is opened again and again, sooner or later, and no write is lost', async () => {
    const path = await fakePort('port');
    const opened: number[] = [];
    const serve = (line: Line): Promise<string> => {
      opened.push(performance.now());
      return new Promise((resolve) => line.listen({ onBytes: () => {}, onClosed: resolve }));
    };
    const kept = keep(path, () => openSerialLine({ path, baudRate: 9600 }), serve);
    for (let i = 1; i <= 3; i++) {
      await vi.waitFor(() => expect(opened).toHaveLength(i), { timeout: 5_000, interval: 5 });
      FakeSerialPort.of(path).at(-1)?.breaks('unplugged');
    }
    await vi.waitFor(() => expect(opened).toHaveLength(4), { timeout: 5_000 });
    const [first = 0, second = 0, third = 0, fourth = 0] = opened;
    for (const [waitMs, cap] of [
      [second - first, 200],
      [third - second, 400],
      [fourth - third, 800],
    ] as const) {
      expect(waitMs).toBeGreaterThan(cap / 2 - 20);
      expect(waitMs).toBeLessThan(cap + 2_000);
    }
    expect(kept.logs).toEqual([`${path}: unplugged`]);
    kept.stop.abort();
    await kept.over;
  });
});

describe('bridges', () => {
  it('zigbee2mqtt#33118: a bridge that stalls for 100 seconds, again and again, ends nothing for good', () => {
    const w = joined();
    for (let i = 0; i < 3; i++) {
      send(w, 10);
      w.lines?.stall();
      w.run(100_000);
      w.lines?.release();
      delivered(w, 60_000);
    }
    expect(w.lines?.isClosed).toBe(false);
    expect(w.gateway.closes).toEqual([]);
  });

  it('home-assistant/core#37733: a zero or an XON glued in front of a packet costs nothing', () => {
    const w = joined();
    send(w, 40, 200);
    for (let i = 0; i < 200; i++) {
      w.lines?.say('both', Uint8Array.of(0));
      w.run(5);
    }
    delivered(w, 60_000);
    const { packetsLost = 0 } = w.device.link.counters();
    const before = w.gateway.link.counters();
    w.run(1_000);
    for (let i = 0; i < 20; i++) {
      w.lines?.say('aToB', Uint8Array.of(0, 0));
      send(w, 1);
      w.run(100);
      // Two XON in front, without a zero behind them: the zero that every packet begins with ends them.
      w.lines?.say('aToB', Uint8Array.of(0x11, 0x11));
      send(w, 1);
      w.run(100);
    }
    delivered(w, 10_000);
    const { runsCorrupt = 0, runsMalformed = 0 } = w.gateway.link.counters();
    expect(runsCorrupt + runsMalformed - (before.runsCorrupt ?? 0) - (before.runsMalformed ?? 0)).toBe(20);
    expect(w.device.link.counters().packetsLost).toBe(packetsLost);
  });
});

describe('the list in docs/link.md', () => {
  it('names the tests there are, and every one of the twenty has some', async () => {
    const page = await readFile(join(import.meta.dirname, '../docs/link.md'), 'utf8');
    const [, list = ''] = page.split('## 10. ');
    const rows = [...list.matchAll(/^\| (\d+) \|.*\|.*\| ([^|]*) \|$/gm)];
    expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const named = rows.map(([, , tests = '']) => [...tests.matchAll(/`([\w./-]+#\d+)`/g)].map(([, name]) => name));
    expect(named.every((names) => names.length > 0)).toBe(true);
    const files = ['serial-pain-points.test.ts', 'serial-pain-points.system.test.ts'];
    const texts = await Promise.all(files.map((name) => readFile(join(import.meta.dirname, name), 'utf8')));
    const written = [...texts.join('').matchAll(/\(\s*['`]([\w./-]+#\d+): /g)].map(([, name]) => name);
    expect(new Set(named.flat())).toEqual(new Set(written));
  });
});

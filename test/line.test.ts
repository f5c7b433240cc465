import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { linePair } from '../hardware-sim/line-pair.ts';
import { Clock } from '../hardware-sim/link-world.ts';
import { openPty, ptysAvailable } from '../hardware-sim/pty.ts';
import { stream } from '../hardware-sim/random.ts';
import { simLines } from '../hardware-sim/sim-line.ts';
import { openSerialLine } from '../shared/node/serial-line.ts';
import { CLOSE_MS_MAX, connectLine, listenLines, type SocketTarget } from '../shared/node/socket-line.ts';
import type { Line, LineListener } from '../shared/ports.ts';
import { type LineEnds, lineContract } from './line.contract.ts';

const REST_MS = 60;

const realTime = {
  until: (isTrue: () => boolean) => vi.waitFor(() => expect(isTrue()).toBe(true), { timeout: 8_000, interval: 2 }),
  rest: () => new Promise<void>((resolve) => setTimeout(resolve, REST_MS)),
};

function simulated(baud: number | undefined): Promise<LineEnds> {
  const clock = new Clock();
  const pair = simLines({ world: clock, random: stream(1, 'line'), baud, delayMs: 3 });
  const { a, b } = pair;
  return Promise.resolve({
    line: a,
    peer: b,
    until: async (isTrue) => {
      clock.run(clock.nowMs + 600_000, isTrue);
      expect(isTrue()).toBe(true);
    },
    rest: async () => clock.run(clock.nowMs + 600_000),
    release: async () => {},
    ends: baud === undefined ? 'together' : 'apart',
    bulkBytes: 100_000,
    hold: { stop: () => pair.freeze('aToB'), go: () => pair.thaw('aToB') },
    deafen: () => pair.silence('aToB'),
    stuckWrite: 'waits',
  });
}

/** The other end of a real line: it may begin to listen later, or hear nothing. */
class Peer implements Line {
  readonly #line: Line;
  #listener: LineListener | undefined;
  #ears: 'open' | 'held' | 'deaf' = 'open';

  constructor(line: Line) {
    this.#line = line;
  }

  write(bytes: Uint8Array): number {
    return this.#line.write(bytes);
  }

  close(): void {
    this.#line.close();
  }

  listen(listener: LineListener): void {
    this.#listener = listener;
    if (this.#ears !== 'held') this.#attach(listener);
  }

  readonly hold = {
    stop: (): void => {
      this.#ears = 'held';
    },
    go: (): void => {
      this.#ears = 'open';
      if (this.#listener !== undefined) this.#attach(this.#listener);
    },
  };

  readonly deafen = (): void => {
    this.#ears = 'deaf';
  };

  #attach(listener: LineListener): void {
    const onBytes = (bytes: Uint8Array): void => {
      if (this.#ears === 'open') listener.onBytes(bytes);
    };
    this.#line.listen({
      onBytes,
      onClosed: (reason) => listener.onClosed(reason),
      onDrained: () => listener.onDrained?.(),
    });
  }
}

async function sockets(target: SocketTarget, folder?: string): Promise<LineEnds> {
  let accepted: (line: Line) => void = () => {};
  const peer = new Promise<Line>((resolve) => {
    accepted = resolve;
  });
  const listening = await listenLines(target, accepted);
  const line = await connectLine(target.kind === 'tcp' ? { ...target, port: listening.port ?? 0 } : target);
  const other = await peer;
  const release = async (): Promise<void> => {
    line.close();
    other.close();
    await listening.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  const far = new Peer(other);
  const { hold, deafen } = far;
  return { line, peer: far, ...realTime, release, ends: 'together', bulkBytes: 8_000_000, hold, deafen, stuckWrite: 'waits' };
}

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ringmail-'));

async function unixSockets(): Promise<LineEnds> {
  const folder = await newFolder();
  return sockets({ kind: 'unix', path: join(folder, 'line.sock') }, folder);
}

/** At 4 Mbit/s, so that the deadline of a large write is short. */
async function serial(): Promise<LineEnds> {
  const pty = await openPty();
  const line = await openSerialLine({ path: pty.path, baudRate: 4_000_000 });
  const release = async (): Promise<void> => {
    line.close();
    await pty.close();
  };
  const far = new Peer(pty);
  const { hold, deafen } = far;
  return { line, peer: far, ...realTime, release, ends: 'apart', bulkBytes: 400_000, hold, deafen, stuckWrite: 'ends the line' };
}

lineContract('simulated socket', () => simulated(undefined));
lineContract('simulated serial cable', () => simulated(115_200));
lineContract('TCP', () => sockets({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
lineContract('Unix socket', unixSockets);
lineContract('serial port on a pseudo-terminal', serial, await ptysAvailable());

describe('socket lines', () => {
  test('nobody there: says so with a code, and to retry', async () => {
    const folder = await newFolder();
    await expect(connectLine({ kind: 'unix', path: join(folder, 'none') })).rejects.toMatchObject({
      code: 'LINE_UNAVAILABLE',
      details: { reason: expect.stringContaining('ENOENT') },
    });
    const listening = await listenLines({ kind: 'tcp', host: '127.0.0.1', port: 0 }, () => {});
    const { port = 0 } = listening;
    await listening.close();
    await expect(connectLine({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });
    await rm(folder, { recursive: true });
  });

  test('a port that is taken: says so with a code', async () => {
    const first = await listenLines({ kind: 'tcp', host: '127.0.0.1', port: 0 }, () => {});
    const { port = 0 } = first;
    await expect(listenLines({ kind: 'tcp', host: '127.0.0.1', port }, () => {})).rejects.toMatchObject({
      code: 'LINE_UNAVAILABLE',
    });
    await first.close();
  });

  test('a socket that a dead process left is replaced, and only owner and group may connect', async () => {
    const folder = await newFolder();
    const path = join(folder, 'line.sock');
    await leaveStaleSocket(path);
    const listening = await listenLines({ kind: 'unix', path }, (line) => line.close());
    expect((await stat(path)).mode & 0o777).toBe(0o660);
    (await connectLine({ kind: 'unix', path })).close();
    await listening.close();
    await rm(folder, { recursive: true });
  });

  test('a living one is not, and a file that is no socket is left alone', async () => {
    const folder = await newFolder();
    const path = join(folder, 'line.sock');
    const listening = await listenLines({ kind: 'unix', path }, (line) => line.close());
    await expect(listenLines({ kind: 'unix', path }, () => {})).rejects.toMatchObject({ code: 'SOCKET_IN_USE' });
    (await connectLine({ kind: 'unix', path })).close();
    await listening.close();
    const file = join(folder, 'file');
    await writeFile(file, 'precious');
    await expect(listenLines({ kind: 'unix', path: file }, () => {})).rejects.toMatchObject({ code: 'SOCKET_UNUSABLE' });
    expect((await stat(file)).size).toBe(8);
    await rm(folder, { recursive: true });
  });

  test('last words are heard although the other end never reads on', async () => {
    const { line, peer, until, release } = await unixSockets();
    const heard: number[] = [];
    peer.write(new Uint8Array(1_000_000));
    peer.listen({ onBytes: (bytes) => void heard.push(...bytes), onClosed: () => {} });
    line.write(Uint8Array.of(1, 2, 3));
    line.close();
    await until(() => heard.length === 3);
    await release();
  });

  test('a peer that never reads does not hold up closing', async () => {
    const { line, release } = await unixSockets();
    const closed: string[] = [];
    line.listen({ onBytes: () => {}, onClosed: (reason) => void closed.push(reason) });
    expect(line.write(new Uint8Array(4_000_000))).toBeGreaterThan(1_000_000);
    const startMs = performance.now();
    line.close();
    await vi.waitFor(() => expect(closed).toEqual(['closed']), { timeout: 3 * CLOSE_MS_MAX });
    expect(performance.now() - startMs).toBeGreaterThan(0.9 * CLOSE_MS_MAX);
    await release();
  });
});

describe('a simulated line', () => {
  test('paces, loses, damages and invents bytes by its seed, and never reorders', () => {
    const run = (seed: number): { atMs: number; text: string } => {
      const clock = new Clock();
      const faults = { dropRate: 0.05, flipRate: 0.05, insertRate: 0.05 };
      const { a, b } = simLines({ world: clock, random: stream(seed, 'line'), baud: 9_600, faults: { aToB: faults } });
      const heard: number[] = [];
      b.listen({ onBytes: (bytes) => void heard.push(...bytes), onClosed: () => {} });
      a.write(Uint8Array.from({ length: 960 }, (_, i) => i & 0xff));
      clock.run(990);
      const early = heard.length;
      clock.run(1_001);
      expect(early).toBeLessThan(heard.length);
      expect(heard.length).toBeGreaterThan(850);
      return { atMs: clock.nowMs, text: heard.join() };
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1).text).not.toBe(run(2).text);
  });

  test('is silent when it is silenced, and gone at both ends when it is cut', () => {
    const clock = new Clock();
    const pair = simLines({ world: clock, random: stream(1, 'line'), baud: 115_200 });
    const seen: string[] = [];
    pair.a.listen({ onBytes: () => seen.push('a bytes'), onClosed: (reason) => seen.push(`a ${reason}`) });
    pair.b.listen({ onBytes: () => seen.push('b bytes'), onClosed: (reason) => seen.push(`b ${reason}`) });
    pair.silence();
    pair.a.write(new Uint8Array(100));
    clock.run(1_000);
    expect(seen).toEqual([]);
    pair.restore();
    pair.a.write(new Uint8Array(10));
    clock.run(2_000);
    expect(seen).toEqual(['b bytes']);
    expect(pair.isClosed).toBe(false);
    pair.a.write(new Uint8Array(10));
    pair.cut();
    clock.run(3_000);
    expect(seen).toEqual(['b bytes', 'a unplugged', 'b unplugged']);
    expect(pair.isClosed).toBe(true);
  });
});

/** A Unix socket whose process is gone: closing removes it, so it is made under another name and moved. */
async function leaveStaleSocket(path: string): Promise<void> {
  const { rename } = await import('node:fs/promises');
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.tmp`, resolve));
  await rename(`${path}.tmp`, path);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

test('a pair of lines in this process closes together', async () => {
  const [a, b] = linePair();
  const closed: string[] = [];
  a.listen({ onBytes: () => {}, onClosed: () => closed.push('a') });
  b.listen({ onBytes: () => {}, onClosed: () => closed.push('b') });
  a.close();
  await realTime.rest();
  expect(closed.sort()).toEqual(['a', 'b']);
});

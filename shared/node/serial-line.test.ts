import { mkdtemp, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openPty, ptysAvailable } from '../../hardware-sim/pty.ts';
import { PtyPort } from '../../hardware-sim/pty-cable.ts';
import { stream } from '../../hardware-sim/random.ts';
import type { Line } from '../ports.ts';
import { CLOSE_MS_MAX, openSerialLine, PRESENCE_MS, WRITE_GRACE_MS } from './serial-line.ts';

const missing = await ptysAvailable();

function recorder() {
  const seen = { bytes: [] as number[], closed: [] as string[], drained: 0 };
  return {
    seen,
    onBytes: (bytes: Uint8Array) => void seen.bytes.push(...bytes),
    onClosed: (reason: string) => void seen.closed.push(reason),
    onDrained: () => {
      seen.drained += 1;
    },
  };
}

const allBytes = Uint8Array.from({ length: 256 }, (_, i) => i);

describe.skipIf(missing !== undefined)(`a serial port${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  let port: PtyPort;
  let peer: Line;
  const lines: Line[] = [];
  const opens = async (): Promise<{ line: Line; heard: ReturnType<typeof recorder> }> => {
    const line = await openSerialLine({ path: port.path, baudRate: 115_200 });
    lines.push(line);
    const heard = recorder();
    line.listen(heard);
    return { line, heard };
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
    port = new PtyPort(join(folder, 'port'), { baud: undefined, random: stream(1, 'port') });
    peer = await port.plug();
  });
  afterEach(async () => {
    for (const line of lines.splice(0)) line.close();
    await port.unplug();
    await rm(folder, { recursive: true });
  });

  test('carries all 256 bytes both ways, unchanged', async () => {
    const other = recorder();
    peer.listen(other);
    const { line, heard } = await opens();
    expect(line.write(allBytes)).toBe(256);
    peer.write(allBytes);
    await vi.waitFor(() => expect(other.seen.bytes).toEqual([...allBytes]));
    await vi.waitFor(() => expect(heard.seen).toEqual({ bytes: [...allBytes], closed: [], drained: 1 }));
  });

  test('says how many bytes are unsent, and when none are', async () => {
    peer.listen(recorder());
    const { line, heard } = await opens();
    expect(line.write(new Uint8Array(10))).toBe(10);
    expect(line.write(new Uint8Array(5))).toBe(15);
    expect(heard.seen.drained).toBe(0);
    await vi.waitFor(() => expect(heard.seen.drained).toBe(1));
    expect(line.write(new Uint8Array(0))).toBe(0);
  });

  test('closes once, not from inside the call, and takes nothing afterwards', async () => {
    const { line, heard } = await opens();
    line.close();
    line.close();
    expect(heard.seen.closed).toEqual([]);
    await vi.waitFor(() => expect(heard.seen.closed).toEqual(['closed']));
    expect(line.write(allBytes)).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, CLOSE_MS_MAX + 100));
    expect(heard.seen).toEqual({ bytes: [], closed: ['closed'], drained: 0 });
  });

  test('can be opened again at once after closing', async () => {
    const { line, heard } = await opens();
    line.close();
    await vi.waitFor(() => expect(heard.seen.closed).toHaveLength(1));
    const again = await opens();
    peer.write(Uint8Array.of(7));
    await vi.waitFor(() => expect(again.heard.seen.bytes).toEqual([7]));
  });

  test('is unplugged: reported once, without anybody writing', async () => {
    const { heard } = await opens();
    await port.unplug();
    await vi.waitFor(() => expect(heard.seen.closed).toHaveLength(1), 3 * PRESENCE_MS);
    await new Promise((resolve) => setTimeout(resolve, 2 * PRESENCE_MS));
    expect(heard.seen.closed).toHaveLength(1);
  });

  test('is replaced under the same name and perhaps the same number: reported too', async () => {
    const { heard } = await opens();
    await port.unplug();
    await port.plug();
    await vi.waitFor(() => expect(heard.seen.closed).toHaveLength(1), 3 * PRESENCE_MS);
  });

  test('is unplugged and written to: reported once', async () => {
    const { line, heard } = await opens();
    await port.unplug();
    line.write(allBytes);
    await vi.waitFor(() => expect(heard.seen.closed).toHaveLength(1), 3 * PRESENCE_MS);
  });

  test('a write that the peer never takes closes the line as faulty after its deadline', async () => {
    // Nobody reads this terminal: its buffers fill, then the write waits. At 4 Mbit/s 320,000 bytes take 0.8 s.
    const stalled = await openPty();
    const line = await openSerialLine({ path: stalled.path, baudRate: 4_000_000 });
    const heard = recorder();
    line.listen(heard);
    const startMs = performance.now();
    expect(line.write(new Uint8Array(320_000))).toBe(320_000);
    await vi.waitFor(() => expect(heard.seen.closed).toEqual(['a write took more than 3400 ms']), 3400 + CLOSE_MS_MAX + 500);
    expect(performance.now() - startMs).toBeGreaterThan(2400 + WRITE_GRACE_MS - 5);
    expect(heard.seen.drained).toBe(0);
    await stalled.close();
  }, 10_000);

  test('loses its name while it still works: reported, since nobody could open it again', async () => {
    const { heard } = await opens();
    await unlink(port.path);
    await vi.waitFor(() => expect(heard.seen.closed).toEqual(['unplugged']), 3 * PRESENCE_MS);
  });

  test('not there: says so with a code, and to retry', async () => {
    await port.unplug();
    await expect(openSerialLine({ path: port.path, baudRate: 9600 })).rejects.toMatchObject({
      code: 'LINE_UNAVAILABLE',
      details: { line: port.path, reason: expect.stringContaining('ENOENT') },
    });
  });

  test('something else than a port: the same', async () => {
    await expect(openSerialLine({ path: folder, baudRate: 9600 })).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });
    await expect(openSerialLine({ path: '/dev/null', baudRate: 9600 })).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });
  });
});

test('without the package: says which, and not to retry', async () => {
  vi.doMock('serialport', () => {
    throw new Error('no such package');
  });
  await expect(openSerialLine({ path: '/dev/null', baudRate: 9600 })).rejects.toMatchObject({ code: 'SERIALPORT_MISSING' });
  vi.doUnmock('serialport');
});

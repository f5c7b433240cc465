import { existsSync, lstatSync, readdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ptysAvailable } from './pty.ts';
import { PtyCable, PtyPort } from './pty-cable.ts';
import { stream } from './random.ts';

const missing = await ptysAvailable();
const options = { baud: 115_200, random: stream(1, 'cable') };

describe.skipIf(missing !== undefined)(`plugging${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  const plugged: (PtyCable | PtyPort)[] = [];
  const track = <T extends PtyCable | PtyPort>(thing: T): T => {
    plugged.push(thing);
    return thing;
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
  });
  afterEach(async () => {
    await Promise.all(plugged.splice(0).map((thing) => thing.unplug()));
    await rm(folder, { recursive: true });
  });

  test('a cable: what is written into one name comes out of the other', async () => {
    const cable = track(new PtyCable({ a: join(folder, 'made/on/demand/a'), b: join(folder, 'b') }, options));
    await cable.plug();
    const a = await open(cable.paths.a, 'r+');
    const b = await open(cable.paths.b, 'r+');
    await a.write(Uint8Array.of(0, 3, 4, 13, 17, 19, 255));
    const buffer = new Uint8Array(7);
    for (let length = 0; length < 7; ) length += (await b.read(buffer, length)).bytesRead;
    expect([...buffer]).toEqual([0, 3, 4, 13, 17, 19, 255]);
    await Promise.all([a.close(), b.close()]);
  });

  test('unplugged: the names are gone, what was opened is dead; plugged: other terminals under the same names', async () => {
    const cable = track(new PtyCable({ a: join(folder, 'a'), b: join(folder, 'b') }, options));
    expect(existsSync(cable.paths.a)).toBe(false);
    await cable.plug();
    const before = lstatSync(cable.paths.a, { bigint: true });
    const a = await open(cable.paths.a, 'r+');
    await cable.unplug();
    expect(readdirSync(folder)).toEqual([]);
    expect(cable.cable).toBeUndefined();
    await expect(a.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'EIO' });
    await a.close();

    await cable.plug();
    expect(lstatSync(cable.paths.a, { bigint: true }).mtimeNs).not.toBe(before.mtimeNs);
    const again = await open(cable.paths.b, 'r+');
    await again.write(Uint8Array.of(1));
    await again.close();
    await cable.unplug();
    await cable.unplug();
  });

  test('a port: our machine is the other end, and hears of the unplugging', async () => {
    const port = track(new PtyPort(join(folder, 'belt-1'), options));
    const seen: (number | string)[] = [];
    const line = await port.plug();
    line.listen({ onBytes: (bytes) => seen.push(...bytes), onClosed: (reason) => seen.push(reason) });
    const terminal = await open(port.path, 'r+');
    await terminal.write(Uint8Array.of(1, 2));
    await vi.waitFor(() => expect(seen).toEqual([1, 2]));
    line.write(Uint8Array.of(3));
    expect((await terminal.read(new Uint8Array(4))).buffer[0]).toBe(3);
    await port.unplug();
    await terminal.close();
    await vi.waitFor(() => expect(seen).toEqual([1, 2, 'closed by the other end']));
  });

  test('takes a stale name over, and leaves one alone that became somebody else’s', async () => {
    const port = track(new PtyPort(join(folder, 'belt-1'), options));
    symlinkSync('/dev/pts/of-a-killed-run', port.path);
    await port.plug();
    expect(existsSync(port.path)).toBe(true);
    unlinkSync(port.path);
    symlinkSync('/dev/null', port.path);
    await port.unplug();
    expect(readlinkSync(port.path)).toBe('/dev/null');
  });

  test('is refused while plugged in', async () => {
    const port = track(new PtyPort(join(folder, 'belt-1'), options));
    await port.plug();
    await expect(port.plug()).rejects.toThrow('plugged in while in');
  });

  test('fails whole when a name cannot be made', async () => {
    const cable = new PtyCable({ a: join(folder, 'a'), b: '/dev/null/b' }, options);
    await expect(cable.plug()).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

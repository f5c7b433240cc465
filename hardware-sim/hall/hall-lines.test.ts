import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseLineAddress } from '../../shared/node/config/line-address.ts';
import { openLine } from '../../shared/node/open-line.ts';
import type { Line } from '../../shared/ports.ts';
import { type HallLines, type HallPlug, ptyLines, serialLinesAvailable, tcpLines } from './hall-lines.ts';

const missing = await serialLinesAvailable();
const kinds: [string, (directory: string) => HallLines, string | undefined][] = [
  ['pseudo-terminals', (directory) => ptyLines(directory, 1), missing],
  ['TCP', tcpLines, undefined],
];

/** Opens what a configuration would name. */
function dial(address: string): Promise<Line> {
  const parsed = parseLineAddress(address, { directory: '/', baudRate: 9600 });
  if (parsed.kind === 'wrong') throw new Error(parsed.reason);
  return openLine(parsed.value);
}

/** Everything it hears. */
function heardBy(line: Line): string[] {
  const heard: string[] = [];
  line.listen({ onBytes: (bytes) => heard.push(...[...bytes].map(String)), onClosed: () => heard.push('closed') });
  return heard;
}

describe.each(kinds)('hall lines: %s', (_name, make, reason) => {
  let folder: string;
  let lines: HallLines;
  const opened: { close(): unknown }[] = [];
  const track = <T extends HallPlug | Line>(thing: T): T => {
    opened.push(thing);
    return thing;
  };
  beforeEach(async (context) => {
    if (reason !== undefined) context.skip(reason);
    folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
    lines = make(folder);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((thing) => thing.close()));
    await rm(folder, { recursive: true });
  });

  test('a belt: bytes pass; unplugged, both ends notice; plugged in again, the same address leads to the belt', async () => {
    const beltLines: Line[] = [];
    const port = track(await lines.belt('belt-1', (line) => beltLines.push(line)));
    const words = [await port.plug()];
    const first = track(await dial(port.address));
    first.write(Uint8Array.of(1));
    await vi.waitFor(() => expect(beltLines).toHaveLength(1));
    const atBelt = heardBy(beltLines[0]!);
    const atNode = heardBy(first);
    beltLines[0]!.write(Uint8Array.of(2, 0, 255));
    await vi.waitFor(() => expect([atBelt, atNode]).toEqual([['1'], ['2', '0', '255']]), 5000);

    await port.unplug();
    await vi.waitFor(() => expect([atBelt.at(-1), atNode.at(-1)]).toEqual(['closed', 'closed']), 5000);
    words.push(await port.plug());
    const second = track(await dial(port.address));
    second.write(Uint8Array.of(3));
    // More than one where others took and freed terminals meanwhile: it was plugged in once more.
    await vi.waitFor(() => expect(beltLines.length).toBeGreaterThanOrEqual(2));
    const again = heardBy(beltLines.at(-1)!);
    await vi.waitFor(() => expect(again).toEqual(['3']), 5000);
    if (words[0]?.startsWith('/dev/')) expect(words[1]).not.toBe(words[0]);
  });
});

describe('a cable of pseudo-terminals', () => {
  test('plugged in again it has two other terminals', async (context) => {
    if (missing !== undefined) return context.skip(missing);
    const folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
    const cable = await ptyLines(folder, 1).cable('cable-1');
    const before = await cable.plug();
    await cable.unplug();
    const after = await cable.plug();
    await cable.close();
    await rm(folder, { recursive: true });
    const numbers = (words: string): string[] => words.match(/\/dev\/pts\/\d+/g) ?? [];
    expect(new Set([...numbers(before), ...numbers(after)]).size).toBe(4);
  });
});

describe('a cable of TCP', () => {
  test('leads to where the gateway listens, and can be cut', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
    const cable = await tcpLines(folder).cable('cable-1');
    const gateway: Server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
    await new Promise<void>((resolve) => gateway.listen(cable.gatewayEnd.slice('unix:'.length), resolve));
    await cable.plug();
    const line = await dial(cable.deviceEnd);
    const heard = heardBy(line);
    line.write(Uint8Array.of(7));
    await vi.waitFor(() => expect(heard).toEqual(['7']));
    await cable.unplug();
    await vi.waitFor(() => expect(heard).toEqual(['7', 'closed']));
    await cable.close();
    await new Promise((resolve) => gateway.close(resolve));
    await rm(folder, { recursive: true });
  });
});

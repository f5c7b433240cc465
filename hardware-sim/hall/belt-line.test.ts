/**
 * The hall's hardware and the belt adapter in real time: a real pseudo-terminal, opened by the real serialport package under its
 * published name. The store is an array: what is tested is the line.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BeltAdapter, type BeltOutput } from '../../device/adapters/belt.ts';
import { crc32 } from '../../shared/crc32.ts';
import { openSerialLine } from '../../shared/node/serial-line.ts';
import type { Line } from '../../shared/ports.ts';
import { ptysAvailable } from '../pty.ts';
import { PtyPort } from '../pty-cable.ts';
import { stream } from '../random.ts';
import { BeltController } from './belt-controller.ts';
import { BeltDrive } from './belt-drive.ts';
import { telegramSource, uniqueKeyOf } from './telegrams.ts';

const BAUD = 115_200;
const REOPEN_MS = 50;
const missing = await ptysAvailable();

/** A device in small: opens the port whenever it is there, stores, answers. */
class Device {
  readonly stored: Uint8Array[] = [];
  /** How often the port was opened. */
  opened = 0;
  readonly adapter = new BeltAdapter({ crc32 });
  readonly #path: string;
  #line: Line | undefined;
  #running = true;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string) {
    this.#path = path;
    void this.#open();
  }

  close(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#line?.close();
  }

  async #open(): Promise<void> {
    try {
      const line = await openSerialLine({ path: this.#path, baudRate: BAUD });
      this.#line = line;
      this.opened += 1;
      line.listen({
        onBytes: (bytes) => this.#do(this.adapter.bytes(bytes)),
        onClosed: () => {
          this.#do(this.adapter.lineClosed());
          this.#again();
        },
      });
      if (!this.#running) line.close();
    } catch {
      // Not plugged in: the next try may find it.
      this.#again();
    }
  }

  #again(): void {
    if (this.#running) this.#timer = setTimeout(() => void this.#open(), REOPEN_MS);
  }

  #do(outputs: BeltOutput[]): void {
    for (const output of outputs) {
      if (output.kind === 'reply') {
        this.#line?.write(output.bytes);
        continue;
      }
      this.stored.push(output.telegram);
      // Durable a little later, as with a disk.
      setTimeout(() => this.#do(this.adapter.stored(output.token)), 2);
    }
  }
}

describe.skipIf(missing !== undefined)(
  `a belt on a real terminal${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  () => {
    let folder: string;
    let port: PtyPort;
    let device: Device;
    let drive: BeltDrive;
    let belt: BeltController;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'ringmail-'));
      port = new PtyPort(join(folder, 'belt-1'), { baud: BAUD, random: stream(1, 'cable') });
      device = new Device(port.path);
      const generator = stream(1, 'belt-1');
      const source = telegramSource({ belt: 1, next: () => generator.next(), malformedRate: 0.2 });
      belt = new BeltController({ next: source, keyOf: uniqueKeyOf, gapMs: 5 });
      drive = new BeltDrive(belt);
    });
    afterEach(async () => {
      drive.close();
      device.close();
      await port.unplug();
      await rm(folder, { recursive: true });
    });

    const accepts = (count: number, withinMs: number) =>
      vi.waitFor(() => expect(belt.accepted.length).toBeGreaterThanOrEqual(count), { timeout: withinMs, interval: 10 });

    /** A terminal whose device listens already: what a belt tells before that is told again, but only after three seconds. */
    const plugIn = async (): Promise<void> => {
      const before = device.opened;
      const line = await port.plug();
      await vi.waitFor(() => expect(device.opened).toBe(before + 1), 5000);
      drive.attach(line);
    };

    test('20 telegrams, byte-exact, then unplugged in the middle and 20 more under the same name', async () => {
      await plugIn();
      await accepts(20, 10_000);
      await port.unplug();
      const whenUnplugged = belt.accepted.length;
      await plugIn();
      await accepts(whenUnplugged + 20, 15_000);
      await drive.stop();

      expect(belt.outstanding).toBeUndefined();
      const told = belt.accepted.map(({ telegram }) => String.fromCharCode(...telegram));
      expect(device.stored.map((bytes) => String.fromCharCode(...bytes))).toEqual(told);
      expect(new Set(belt.accepted.map(({ key }) => key)).size).toBe(told.length);
      expect(device.adapter.counters.telegrams).toBe(told.length);
      expect(device.adapter.counters.invalid).toBeGreaterThan(0);
    }, 30_000);
  },
);

/** What every RingFile promises (shared/ports.ts), whatever is behind it. */
import { afterEach, describe, expect, test } from 'vitest';
import type { RingFile } from '../shared/ports.ts';

export interface RingFileMaker {
  /** Opens the same file again, `bytes` long and all zeros at first. The one before is closed by then, or has failed. */
  open(): Promise<RingFile>;
  cleanUp(): Promise<void>;
  /** What only a simulation can do on demand. */
  readonly faults?: { failNextWrite(): void; cutPower(): void };
}

const SIZE = 16 * 4096;

/** `faults`: whether the makers can provoke them; then what is promised about them is tested too. */
export function ringFileContract(
  name: string,
  make: (bytes: number) => Promise<RingFileMaker>,
  faults: 'provoked' | 'awaited' = 'awaited',
): void {
  describe(`RingFile contract: ${name}`, () => {
    let cleanUp = async (): Promise<void> => {};
    afterEach(() => cleanUp());

    async function fresh(): Promise<{ maker: RingFileMaker; file: RingFile }> {
      const maker = await make(SIZE);
      const file = await maker.open();
      cleanUp = async () => {
        await file.close();
        await maker.cleanUp();
      };
      return { maker, file };
    }

    const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
    async function read(file: RingFile, offset: number, length: number): Promise<Uint8Array> {
      const into = new Uint8Array(length);
      await file.read(offset, into);
      return into;
    }

    test('knows its length', async () => {
      const { file } = await fresh();
      expect(file.size).toBe(SIZE);
    });

    test('gives back what was written, and leaves the rest alone', async () => {
      const { file } = await fresh();
      await file.writeDurable(4096, filled(8192, 7));
      expect(await read(file, 4096, 8192)).toEqual(filled(8192, 7));
      expect(await read(file, 0, 4096)).toEqual(filled(4096, 0));
      expect(await read(file, 12_288, 4096)).toEqual(filled(4096, 0));
      expect(await read(file, 4095, 2)).toEqual(new Uint8Array([0, 7]));
    });

    test('reads and writes nothing, and the very last byte', async () => {
      const { file } = await fresh();
      expect(await read(file, SIZE, 0)).toEqual(new Uint8Array(0));
      await file.writeDurable(SIZE - 512, filled(512, 9));
      expect(await read(file, SIZE - 1, 1)).toEqual(new Uint8Array([9]));
    });

    test('many writes in a row all arrive, however they are done', async () => {
      const { file } = await fresh();
      for (let i = 0; i < 200; i++) await file.writeDurable(512 * (i % 100), filled(512, i));
      for (let i = 100; i < 200; i++) expect((await read(file, 512 * (i % 100), 512))[511]).toBe(i);
    });

    test('refuses what leaves the file, and goes on after it', async () => {
      const { file } = await fresh();
      await expect(read(file, SIZE - 1, 2)).rejects.toThrow();
      await expect(read(file, -1, 1)).rejects.toThrow();
      await expect((async () => file.writeDurable(SIZE - 511, filled(512, 1)))()).rejects.toThrow();
      await file.writeDurable(0, filled(512, 3));
      expect(file.size).toBe(SIZE);
      expect(await read(file, 0, 1)).toEqual(new Uint8Array([3]));
    });

    test('writes while the fence holds', async () => {
      const { file } = await fresh();
      await file.writeDurable(0, filled(512, 5));
      await file.writeDurable(1024, filled(512, 6), { offset: 100, bytes: filled(72, 5) });
      expect(await read(file, 1024, 1)).toEqual(new Uint8Array([6]));
    });

    test('writes nothing when the fence does not hold, and never again', async () => {
      const { file } = await fresh();
      await file.writeDurable(0, filled(512, 5));
      await expect(
        (async () => file.writeDurable(1024, filled(512, 6), { offset: 0, bytes: filled(72, 4) }))(),
      ).rejects.toThrow();
      expect(await read(file, 1024, 512)).toEqual(filled(512, 0));
      await expect((async () => file.writeDurable(2048, filled(512, 6)))()).rejects.toThrow();
      expect(await read(file, 2048, 512)).toEqual(filled(512, 0));
    });

    test('is there for the next owner after it was closed', async () => {
      const { maker, file } = await fresh();
      await file.writeDurable(4096, filled(4096, 8));
      await file.close();
      const again = await maker.open();
      expect(await read(again, 4096, 4096)).toEqual(filled(4096, 8));
      await again.close();
    });

    test('does nothing any more once it is closed', async () => {
      const { file } = await fresh();
      await file.close();
      await file.close();
      await expect(read(file, 0, 1)).rejects.toThrow();
      await expect((async () => file.writeDurable(0, filled(512, 1)))()).rejects.toThrow();
    });

    if (faults === 'awaited') return;

    test('fails for good once a write failed', async () => {
      const { maker, file } = await fresh();
      maker.faults?.failNextWrite();
      await expect((async () => file.writeDurable(0, filled(512, 1)))()).rejects.toThrow();
      await expect((async () => file.writeDurable(512, filled(512, 2)))()).rejects.toThrow();
      expect(await read(file, 512, 512)).toEqual(filled(512, 0));
    });

    test('keeps what it called durable over a power cut', async () => {
      const { maker, file } = await fresh();
      await file.writeDurable(4096, filled(4096, 8));
      maker.faults?.cutPower();
      await expect((async () => file.writeDurable(0, filled(512, 1)))()).rejects.toThrow();
      const again = await maker.open();
      expect(await read(again, 4096, 4096)).toEqual(filled(4096, 8));
    });
  });
}

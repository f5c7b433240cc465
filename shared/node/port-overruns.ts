/**
 * Bytes that the hardware or the driver lost before anybody could read them, as far as Linux tells it: `oe` (the FIFO of the UART)
 * and `bo` (the buffer of the terminal) in /proc/tty/driver/<driver>. Only root may read that, and drivers of USB adapters do not
 * count there: then nothing is known, which is not the same as zero.
 *
 *   /proc/tty/drivers        serial  /dev/ttyS  4  64-95  serial         which driver has the port
 *   /proc/tty/driver/serial  0: uart:16550A port:000003F8 irq:4 tx:218 rx:9 oe:3 bo:1 RTS|CTS
 */
import { readFile } from 'node:fs/promises';

/** Reads a file of /proc. Injected by tests. */
export type ReadText = (path: string) => Promise<string>;

const readProc: ReadText = (path) => readFile(path, 'utf8');

/** Bytes lost at `device`, such as /dev/ttyS0, since the driver was loaded. Undefined: nobody tells. */
export async function readOverruns(device: string, read: ReadText = readProc): Promise<number | undefined> {
  try {
    const driver = driverOf(device, await read('/proc/tty/drivers'));
    if (driver === undefined) return undefined;
    return overrunsIn(await read(`/proc/tty/driver/${driver.name}`), driver.index);
  } catch {
    return undefined; // not Linux, no rights, or a driver without such a file
  }
}

/** The driver whose devices are called so, and which of them this is. */
export function driverOf(device: string, drivers: string): { name: string; index: number } | undefined {
  const parts = /^(\/dev\/.*?)(\d+)$/.exec(device);
  if (parts === null) return undefined;
  const [, prefix, index] = parts;
  for (const line of drivers.split('\n')) {
    const [name, path, , , type] = line.trim().split(/\s+/);
    if (name !== undefined && path === prefix && type === 'serial') return { name, index: Number(index) };
  }
  return undefined;
}

/** A counter that is zero is left away by the kernel, so a line without `oe` means none, and no line at all means unknown. */
export function overrunsIn(text: string, index: number): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${index}:`));
  if (line === undefined || !line.includes(' rx:')) return undefined;
  const count = (name: string): number => Number(new RegExp(` ${name}:(\\d+)`).exec(line)?.[1] ?? 0);
  return count('oe') + count('bo');
}

/**
 * The only importer of `serialport`, which is loaded when the first port is opened: a node without serial ports does not need it.
 */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SerialPort } from 'serialport';
import { RingmailError } from '../errors.ts';
import type { PortListing } from './port-match.ts';

/** A port of the package. */
export type PackagePort = SerialPort;

const BY_PATH = '/dev/serial/by-path';

/** @throws SERIALPORT_MISSING: do not retry, a package does not appear while the process runs */
export async function loadSerialPort(): Promise<typeof SerialPort> {
  try {
    return (await import('serialport')).SerialPort;
  } catch (error) {
    throw new RingmailError('SERIALPORT_MISSING', { reason: textOf(error) });
  }
}

/**
 * The serial ports of this machine, as they are now. On Linux the package asks udev, by its program `udevadm`.
 * @throws SERIALPORT_MISSING; whatever the system says when it cannot tell
 */
export async function listSerialPorts(): Promise<PortListing[]> {
  const Port = await loadSerialPort();
  const [ports, places] = await Promise.all([Port.list(), placesByPort()]);
  return ports.map(({ path, vendorId, productId, serialNumber }) => {
    return { path, vendorId, productId, serialNumber, byPath: places.get(path) ?? [] };
  });
}

/** The names in /dev/serial/by-path, by the device that each leads to. */
async function placesByPort(): Promise<Map<string, string[]>> {
  const places = new Map<string, string[]>();
  const names = await readdir(BY_PATH).catch(() => []); // no such folder: no USB port is plugged in, or this is not Linux
  for (const name of names) {
    const path = await realpath(join(BY_PATH, name)).catch(() => undefined); // unplugged since the folder was read
    if (path !== undefined) places.set(path, [...(places.get(path) ?? []), name]);
  }
  return places;
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

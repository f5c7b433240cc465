/** Opens whatever line an address names. */
import { unreachable } from '../assert.ts';
import type { Line } from '../ports.ts';
import type { LineAddress } from './config/line-address.ts';
import { openSerialLine } from './serial-line.ts';
import { connectLine } from './socket-line.ts';

/** @throws LINE_UNAVAILABLE, SERIALPORT_MISSING */
export function openLine(address: LineAddress): Promise<Line> {
  switch (address.kind) {
    case 'serial':
      return openSerialLine({ path: address.path, baudRate: address.baudRate });
    case 'unix':
    case 'tcp':
      return connectLine(address);
    default:
      return unreachable(address);
  }
}

/** Bits per second of a line that has a speed. */
export function baudOf(address: LineAddress): number | undefined {
  return address.kind === 'serial' ? address.baudRate : undefined;
}

/** Opens whatever line an address names. */
import { unreachable } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Line } from '../ports.ts';
import { formatLineAddress, type LineAddress } from './config/line-address.ts';
import { bitsPerByte } from './config/serial-options.ts';
import { findPort, type PortListing } from './port-match.ts';
import type { PortReport } from './port-watch.ts';
import { openSerialLine } from './serial-line.ts';
import { listSerialPorts, textOf } from './serial-package.ts';
import { connectLine } from './socket-line.ts';

/** Data bits, start and stop bit of a byte as pacing counts them. */
const USUAL_BITS_PER_BYTE = 10;
/**
 * Longest wait before a port of this machine is looked for again, in ms: nobody else is troubled by it, and whoever plugs a cable back
 * in waits for its first message. A match asks udev for all there is, so it waits a little longer.
 */
const PORT_WAIT_MS_MAX = 1_000;
const MATCH_WAIT_MS_MAX = 2_000;

export interface OpenLineOptions {
  /** Where the trouble of a serial port is told. */
  readonly report?: PortReport;
  /** The serial ports there are now. */
  readonly listPorts?: () => Promise<readonly PortListing[]>;
}

/**
 * A port that is found by a match is looked for anew each time: its name may be another one by now.
 * @throws LINE_UNAVAILABLE, PORT_NOT_FOUND, PORT_AMBIGUOUS: retry later. SERIALPORT_MISSING
 */
export async function openLine(address: LineAddress, options: OpenLineOptions = {}): Promise<Line> {
  switch (address.kind) {
    case 'serial':
    case 'serial-match': {
      const name = formatLineAddress(address);
      const path = address.kind === 'serial' ? address.path : findPort(address.match, await ports(name, options));
      const { baudRate, dataBits, parity, stopBits, rtscts, dtrRts } = address;
      const { report } = options;
      return openSerialLine({ path, baudRate, dataBits, parity, stopBits, rtscts, dtrRts }, report && { ...report, name });
    }
    case 'unix':
    case 'tcp':
      return connectLine(address);
    default:
      return unreachable(address);
  }
}

async function ports(line: string, { listPorts = listSerialPorts }: OpenLineOptions): Promise<readonly PortListing[]> {
  try {
    return await listPorts();
  } catch (error) {
    if (error instanceof RingmailError) throw error;
    throw new RingmailError('LINE_UNAVAILABLE', { line, reason: `the ports cannot be listed: ${textOf(error)}` });
  }
}

/** Bits per second of a line that has a speed, as if each byte had ten of them. */
export function baudOf(address: LineAddress): number | undefined {
  if (address.kind !== 'serial' && address.kind !== 'serial-match') return undefined;
  return Math.floor((address.baudRate * USUAL_BITS_PER_BYTE) / bitsPerByte(address));
}

/** Longest wait before a line is opened again, in ms; undefined: the usual one. */
export function waitMsMaxOf(address: LineAddress): { waitMsMax?: number } {
  if (address.kind === 'serial') return { waitMsMax: PORT_WAIT_MS_MAX };
  return address.kind === 'serial-match' ? { waitMsMax: MATCH_WAIT_MS_MAX } : {};
}

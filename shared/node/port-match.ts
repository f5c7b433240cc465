/** Which of the ports that are there is the one that is meant. A name like ttyUSB0 goes to whatever was plugged in first. */
import { RingmailError } from '../errors.ts';
import { formatPortMatch, type PortMatch } from './config/serial-options.ts';

/** A serial port as the system tells it. */
export interface PortListing {
  /** Such as /dev/ttyUSB0. */
  readonly path: string;
  /** Of USB adapters: hexadecimal, in whatever case the system has it. */
  readonly vendorId?: string | undefined;
  readonly productId?: string | undefined;
  readonly serialNumber?: string | undefined;
  /** Its names in /dev/serial/by-path; one place may have several. */
  readonly byPath: readonly string[];
}

/** Ports named in an error, at most. */
const PRESENT_COUNT_MAX = 16;

/**
 * The path of the one port that agrees in every field of `match`.
 * @throws PORT_NOT_FOUND, PORT_AMBIGUOUS: both may be over when something was plugged or unplugged
 */
export function findPort(match: PortMatch, ports: readonly PortListing[]): string {
  const paths = ports.filter((port) => agrees(match, port)).map(({ path }) => path);
  const [first] = paths;
  const text = formatPortMatch(match);
  if (first === undefined) {
    throw new RingmailError('PORT_NOT_FOUND', { match: text, present: ports.slice(0, PRESENT_COUNT_MAX).map(described) });
  }
  if (paths.length > 1) throw new RingmailError('PORT_AMBIGUOUS', { match: text, paths: paths.slice(0, PRESENT_COUNT_MAX) });
  return first;
}

function agrees({ vid, pid, serialNumber, byPath }: PortMatch, port: PortListing): boolean {
  return (
    (vid === undefined || port.vendorId?.toLowerCase() === vid) &&
    (pid === undefined || port.productId?.toLowerCase() === pid) &&
    (serialNumber === undefined || port.serialNumber === serialNumber) &&
    (byPath === undefined || port.byPath.includes(byPath))
  );
}

/** A port in the words of a match, so that whoever reads it can write one. */
function described({ path, vendorId, productId, serialNumber, byPath: [place] }: PortListing): string {
  const match = formatPortMatch({
    ...(vendorId !== undefined && { vid: vendorId.toLowerCase() }),
    ...(productId !== undefined && { pid: productId.toLowerCase() }),
    ...(serialNumber !== undefined && { serialNumber }),
    ...(place !== undefined && { byPath: place }),
  });
  return match === '' ? path : `${path} ${match}`;
}

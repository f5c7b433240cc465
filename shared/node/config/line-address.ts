/**
 * Where a line leads, and where something listens.
 *
 *   serial:<path>?baud=<n>    a serial port by its name; its other settings: serial-options.ts
 *   serial:?vid=<id>&baud=<n> a serial port by what it is and where it is plugged in, whatever it is called
 *   unix:<path>               a Unix socket
 *   tcp:<host>:<port>         TCP; an IPv6 host stands in brackets
 *
 * A relative path starts at the directory of the file it was read from.
 */
import { isIP, isIPv4 } from 'node:net';
import { resolve } from 'node:path';
import { unreachable } from '../../assert.ts';
import { ok, quoted, type ReadResult, wrong } from './read-result.ts';
import {
  formatPortMatch,
  formatSerialOptions,
  type PortMatch,
  parseSerialOptions,
  SERIAL_DEFAULTS,
  type SerialSettings,
} from './serial-options.ts';

export interface HostPort {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

export type LineAddress =
  | ({ readonly kind: 'serial'; readonly path: string } & SerialSettings)
  | ({ readonly kind: 'serial-match'; readonly match: PortMatch } & SerialSettings)
  | { readonly kind: 'unix'; readonly path: string }
  | ({ readonly kind: 'tcp' } & HostPort);

/** Length of a Unix socket's path that Linux takes, in bytes: `sun_path` less its zero. A longer one cannot be listened on. */
export const SOCKET_PATH_BYTES_MAX = 107;

const FORMS = 'serial:<path>?baud=<n>, unix:<path> or tcp:<host>:<port>';
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

/** Never throws. `baudRate` is that of a serial port whose text names none. */
export function parseLineAddress(text: string, defaults: { directory: string; baudRate: number }): ReadResult<LineAddress> {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  switch (scheme) {
    case 'serial':
      return parseSerial(rest, defaults);
    case 'unix': {
      const path = parsePath(rest, defaults.directory);
      return path.kind === 'ok' ? ok({ kind: 'unix', path: path.value }) : path;
    }
    case 'tcp': {
      const hostPort = parseHostPort(rest);
      return hostPort.kind === 'ok' ? ok({ kind: 'tcp', ...hostPort.value }) : hostPort;
    }
    default:
      return wrong(`${quoted(text)} is not ${FORMS}`);
  }
}

function parseSerial(rest: string, defaults: { directory: string; baudRate: number }): ReadResult<LineAddress> {
  const mark = rest.indexOf('?');
  const name = mark < 0 ? rest : rest.slice(0, mark);
  const { baudRate } = defaults;
  const options =
    mark < 0
      ? ok({ match: undefined, settings: { baudRate, ...SERIAL_DEFAULTS } })
      : parseSerialOptions(rest.slice(mark + 1), baudRate);
  if (options.kind === 'wrong') return options;
  const { match, settings } = options.value;
  if (match !== undefined) {
    const reason = `${quoted(name)}: a port has a path or a match (${formatPortMatch(match)}), not both`;
    return name === '' ? ok({ kind: 'serial-match', match, ...settings }) : wrong(reason);
  }
  const path = parsePath(name, defaults.directory);
  return path.kind === 'wrong' ? path : ok({ kind: 'serial', path: path.value, ...settings });
}

/** `<host>:<port>`. Port 0 is one: whoever listens gets a free port, whoever dials cannot use it. */
export function parseHostPort(text: string): ReadResult<HostPort> {
  const match = /^(?:\[([^[\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) return wrong(`${quoted(text)} is not <host>:<port>`);
  const [, bracketed, plain, digits] = match;
  const host = bracketed ?? plain ?? '';
  const isHost = bracketed === undefined ? HOST_NAME.test(host) : isIP(host) === 6;
  if (!isHost) return wrong(`${quoted(host)} is not a host name or an address`);
  const port = Number(digits);
  return port > 65_535 ? wrong(`${port} is not a port: 65535 is the last one`) : ok({ host, port });
}

/** The whole path. Nothing expands `~` here, so one is refused and does not become a folder of that name. */
export function parsePath(text: string, directory: string): ReadResult<string> {
  if (text === '') return wrong('the path is empty');
  if (text.includes('\0')) return wrong(`${quoted(text)} has a zero character, which no path can have`);
  if (text === '~' || text.startsWith('~/')) return wrong(`${quoted(text)}: ~ is not expanded here, write the whole path`);
  return ok(resolve(directory, text));
}

/** True for a host that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, '');
  return plain === 'localhost' || plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}

/** The text that leads there, paths whole. Inverse of `parseLineAddress`. */
export function formatLineAddress(address: LineAddress): string {
  switch (address.kind) {
    case 'serial':
      return `serial:${address.path}?${formatSerialOptions({ match: undefined, settings: address })}`;
    case 'serial-match':
      return `serial:?${formatSerialOptions({ match: address.match, settings: address })}`;
    case 'unix':
      return `unix:${address.path}`;
    case 'tcp':
      return `tcp:${formatHostPort(address)}`;
    default:
      return unreachable(address);
  }
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

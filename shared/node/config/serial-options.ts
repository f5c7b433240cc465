/**
 * How a serial port is found and set, as text: what stands behind the `?` of a `serial:` line.
 *
 *   vid=0403 pid=6001       of the USB adapter: four hexadecimal digits each
 *   serial=A10K2Z           its serial number, as the adapter says it
 *   byPath=<name>           the socket it is plugged into: a name of /dev/serial/by-path
 *   baud=<n>                bits per second
 *   dataBits=8|7|6|5  parity=none|even|odd  stopBits=1|2  rtscts=true|false
 *   dtrRts=leave|on|off     what opening does to DTR and RTS
 *
 * A value has its special characters as %XX, as in a URL. XON/XOFF is no option: it would take bytes out of telegrams and packets.
 */
import { ok, quoted, type ReadResult, wrong } from './read-result.ts';

/** Which port is meant, whatever it is called today. At least one field; all that are there must agree. */
export interface PortMatch {
  /** Four lower-case hexadecimal digits. */
  readonly vid?: string;
  readonly pid?: string;
  readonly serialNumber?: string;
  /** A name in /dev/serial/by-path. */
  readonly byPath?: string;
}

export interface SerialSettings {
  /** Bits per second. */
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
  /** Whether the wires RTS and CTS hold up either side. */
  readonly rtscts: boolean;
  /** What opening does to DTR and RTS beyond what the kernel does by itself. */
  readonly dtrRts: 'leave' | 'on' | 'off';
}

/** All that a port has unless its text says otherwise, its rate apart. */
export const SERIAL_DEFAULTS = {
  dataBits: 8,
  parity: 'none',
  stopBits: 1,
  rtscts: false,
  dtrRts: 'leave',
} as const satisfies Omit<SerialSettings, 'baudRate'>;

/** Slowest and fastest rate that drivers of serial ports know, in bits per second. */
export const BAUD_MIN = 50;
export const BAUD_MAX = 4_000_000;
/** Longest value, in characters: serial numbers of USB have at most 126, names of /dev/serial/by-path are as short. */
const VALUE_LENGTH_MAX = 255;

const KEYS = ['vid', 'pid', 'serial', 'byPath', 'baud', 'dataBits', 'parity', 'stopBits', 'rtscts', 'dtrRts'] as const;
type Key = (typeof KEYS)[number];

/** Words of a setting, as they are written. */
const WORDS = {
  dataBits: { '5': 5, '6': 6, '7': 7, '8': 8 },
  parity: { none: 'none', even: 'even', odd: 'odd' },
  stopBits: { '1': 1, '2': 2 },
  rtscts: { true: true, false: false },
  dtrRts: { leave: 'leave', on: 'on', off: 'off' },
} as const;
/** Half of a surrogate pair, which no text has that can be written again. */
const HALF_PAIR = /\p{Cs}/u;
/** A hexadecimal USB id. */
const USB_ID = /^[0-9a-f]{4}$/i;

export interface SerialOptions {
  /** Undefined: the text names no field of a match. */
  readonly match: PortMatch | undefined;
  readonly settings: SerialSettings;
}

/** `baudRate` is that of a text which names none. Never throws. */
export function parseSerialOptions(text: string, baudRate: number): ReadResult<SerialOptions> {
  const values = new Map<Key, string>();
  for (const part of text.split('&')) {
    const read = parsePart(part);
    if (read.kind === 'wrong') return read;
    const { key, value } = read.value;
    if (values.has(key)) return wrong(`${key} stands there twice`);
    values.set(key, value);
  }
  const match = readMatch(values);
  if (match.kind === 'wrong') return match;
  const settings = readSettings(values, baudRate);
  return settings.kind === 'wrong' ? settings : ok({ match: match.value, settings: settings.value });
}

function parsePart(part: string): ReadResult<{ key: Key; value: string }> {
  const equals = part.indexOf('=');
  const key = KEYS.find((known) => known === part.slice(0, Math.max(0, equals)));
  if (key === undefined)
    return wrong(`${quoted(part)} is not <option>=<value>; the options of a serial port are ${KEYS.join(', ')}`);
  const value = unescaped(part.slice(equals + 1));
  if (value === undefined || value.length > VALUE_LENGTH_MAX || HALF_PAIR.test(value))
    return wrong(`${quoted(part)} has no value that can be read`);
  return value === '' ? wrong(`${key} is empty`) : ok({ key, value });
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // % without two digits, or bytes that are no UTF-8: the caller says so
  }
}

function readMatch(values: ReadonlyMap<Key, string>): ReadResult<PortMatch | undefined> {
  const vid = values.get('vid');
  const pid = values.get('pid');
  const serialNumber = values.get('serial');
  const byPath = values.get('byPath');
  for (const [key, value] of [['vid', vid] as const, ['pid', pid] as const]) {
    if (value !== undefined && !USB_ID.test(value)) return wrong(`${key} ${quoted(value)} is not four hexadecimal digits`);
  }
  if (byPath?.includes('/')) return wrong(`byPath ${quoted(byPath)} is not a name of /dev/serial/by-path: it has no /`);
  const match: PortMatch = {
    ...(vid !== undefined && { vid: vid.toLowerCase() }),
    ...(pid !== undefined && { pid: pid.toLowerCase() }),
    ...(serialNumber !== undefined && { serialNumber }),
    ...(byPath !== undefined && { byPath }),
  };
  return ok(Object.keys(match).length === 0 ? undefined : match);
}

function readSettings(values: ReadonlyMap<Key, string>, baudDefault: number): ReadResult<SerialSettings> {
  const baud = values.get('baud');
  if (baud !== undefined && !/^\d{1,9}$/.test(baud)) return wrong(`baud ${quoted(baud)} is not a number`);
  const baudRate = baud === undefined ? baudDefault : Number(baud);
  if (baudRate < BAUD_MIN || baudRate > BAUD_MAX) return wrong(`baud ${baudRate} is not within ${BAUD_MIN} to ${BAUD_MAX}`);
  const dataBits = word(values, 'dataBits');
  const parity = word(values, 'parity');
  const stopBits = word(values, 'stopBits');
  const rtscts = word(values, 'rtscts');
  const dtrRts = word(values, 'dtrRts');
  for (const read of [dataBits, parity, stopBits, rtscts, dtrRts]) if (read.kind === 'wrong') return read;
  return ok({
    baudRate,
    dataBits: settingOf(dataBits, SERIAL_DEFAULTS.dataBits),
    parity: settingOf(parity, SERIAL_DEFAULTS.parity),
    stopBits: settingOf(stopBits, SERIAL_DEFAULTS.stopBits),
    rtscts: settingOf(rtscts, SERIAL_DEFAULTS.rtscts),
    dtrRts: settingOf(dtrRts, SERIAL_DEFAULTS.dtrRts),
  });
}

type Word<K extends keyof typeof WORDS> = (typeof WORDS)[K][keyof (typeof WORDS)[K]];

function word<K extends keyof typeof WORDS>(values: ReadonlyMap<Key, string>, key: K): ReadResult<Word<K> | undefined> {
  const text = values.get(key);
  if (text === undefined) return ok(undefined);
  const words: Readonly<Record<string, unknown>> = WORDS[key];
  if (!Object.hasOwn(words, text)) return wrong(`${key} ${quoted(text)} is not one of ${Object.keys(words).join(', ')}`);
  return ok(words[text] as Word<K>);
}

function settingOf<T>(read: ReadResult<T | undefined>, otherwise: T): T {
  return read.kind === 'ok' ? (read.value ?? otherwise) : otherwise;
}

/** The text, with what is as it always is left away. Inverse of `parseSerialOptions`. */
export function formatSerialOptions({ match, settings }: SerialOptions): string {
  const parts = match === undefined ? [] : [formatPortMatch(match)];
  parts.push(`baud=${settings.baudRate}`);
  for (const key of ['dataBits', 'parity', 'stopBits', 'rtscts', 'dtrRts'] as const) {
    if (settings[key] !== SERIAL_DEFAULTS[key]) parts.push(`${key}=${settings[key]}`);
  }
  return parts.join('&');
}

/** The part that says which port is meant. */
export function formatPortMatch({ vid, pid, serialNumber, byPath }: PortMatch): string {
  const fields: readonly [string, string | undefined][] = [
    ['vid', vid],
    ['pid', pid],
    ['serial', serialNumber],
    ['byPath', byPath],
  ];
  return fields.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`])).join('&');
}

/** Bits on the line for one byte: start bit, data, parity, stop bits. */
export function bitsPerByte({ dataBits, parity, stopBits }: SerialSettings): number {
  return 1 + dataBits + (parity === 'none' ? 0 : 1) + stopBits;
}

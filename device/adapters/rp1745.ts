/**
 * IATA RP1745 baggage telegrams: text, one element a line, every line but the last ended by CR LF.
 *
 *   QU LONRM1J            optional Type-B envelope: priority and one to 32 addresses of seven characters, on as many lines as
 *   .LHRRMBA 121430       they need; then the originator, with day, hour and minute
 *   BSM                   what it is: BSM source, BPM processed, BUM unload, BTM transfer
 *   DEL                   optional: CHG changes, DEL withdraws what was told before
 *   .V/1LZRH              version, place in the journey (L local, T transfer, R remote, X terminating), airport
 *   .F/SR101/18APR/JFK    any other element: a dot, a letter, a slash, fields between slashes
 *   .N/0085123456003      licence plate (10 digits) and how many consecutive plates begin there (3 digits)
 *   ENDBSM                the first line again, after END; a last CR LF is optional
 *
 * Needed: exactly one .V and at least one .N, in any order: some sources put .V last.
 */

/** One telegram. The longest that the sort controllers at hand send; a passenger with 60 bags needs 2,000 bytes. */
export const RP1745_BYTES_MAX = 10_240;
/** Lines of one telegram. With 3 bytes the shortest line, the byte limit would allow 3,400: this bounds the arrays of a reading. */
export const RP1745_LINES_MAX = 512;
/** Addresses of a Type-B envelope [IATA SCR vol. 2]. */
export const TYPE_B_ADDRESSES_MAX = 32;

export type Rp1745Type = 'BSM' | 'BPM' | 'BUM' | 'BTM';
export type Rp1745Action = 'new' | 'change' | 'delete';
export type Rp1745Place = 'local' | 'transfer' | 'remote' | 'terminating';

/** Why a telegram is not valid RP1745. The first problem in reading order. */
export type Rp1745Problem =
  /** Nothing there. */
  | 'EMPTY'
  /** Above RP1745_BYTES_MAX or RP1745_LINES_MAX. */
  | 'TOO_LONG'
  /** A byte that is neither printable ASCII nor part of a line end. */
  | 'CHARACTER'
  /** CR or LF alone. */
  | 'LINE_END'
  /** A first line like an envelope's that is not followed by the rest of one. */
  | 'ENVELOPE'
  /** Does not begin with one of the four types. */
  | 'TYPE'
  /** A line that is not an element. */
  | 'ELEMENT'
  /** .V is missing, there twice, or malformed. */
  | 'VERSION'
  /** A .N that is not 10 digits of plate and a count of 001 to 999. */
  | 'PLATE'
  /** No .N at all. */
  | 'NO_PLATE'
  /** The END line is missing, of another type, or followed by something. */
  | 'END';

export interface Rp1745Plates {
  /** Ten digits: kind, airline, number. */
  first: string;
  /** How many consecutive plates begin with `first`. 1 to 999. */
  count: number;
}

export interface Rp1745Telegram {
  ok: true;
  type: Rp1745Type;
  action: Rp1745Action;
  version: { number: number; place: Rp1745Place; airport: string };
  /** At least one, in the order of the telegram. */
  plates: readonly Rp1745Plates[];
  /** Contents of the .E elements, such as RUSH. */
  exceptions: readonly string[];
  /** Originator of the Type-B envelope, when there was one. */
  origin: string | undefined;
}

export type Rp1745Reading = Rp1745Telegram | { ok: false; reason: Rp1745Problem };

/** Reads one telegram. Never throws; time and memory are linear in the bytes, and those are bounded. Keeps no reference to `bytes`. */
export function readRp1745(bytes: Uint8Array): Rp1745Reading {
  const lines = linesOf(bytes);
  if (typeof lines === 'string') return { ok: false, reason: lines };
  const envelope = readEnvelope(lines);
  if (envelope === undefined) return { ok: false, reason: 'ENVELOPE' };
  return readBody(lines.slice(envelope.lines), envelope.origin);
}

/**
 * MSMQ priority of a telegram, 0–7. What must be acted on now overtakes what is only told:
 * 5 for a bag that needs a person (any exception, RUSH above all, or BUM: off the aircraft again), 4 for a transfer, whose
 * connection does not wait, 3 for an ordinary announcement, 2 for BPM: it reports what has already happened to the bag.
 */
export function priorityOf(telegram: Rp1745Telegram): number {
  if (telegram.exceptions.length > 0 || telegram.type === 'BUM') return 5;
  if (telegram.type === 'BPM') return 2;
  if (telegram.type === 'BTM' || telegram.version.place === 'transfer') return 4;
  return 3;
}

const CR = 13;
const LF = 10;

/** The lines without their ends; a CR LF at the very end starts no further line. */
function linesOf(bytes: Uint8Array): string[] | Rp1745Problem {
  if (bytes.length === 0) return 'EMPTY';
  if (bytes.length > RP1745_BYTES_MAX) return 'TOO_LONG';
  const lines: string[] = [];
  let line = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x20 && byte <= 0x7e) {
      line += String.fromCharCode(byte);
      continue;
    }
    if (byte !== CR && byte !== LF) return 'CHARACTER';
    if (byte !== CR || bytes[i + 1] !== LF) return 'LINE_END';
    i++;
    lines.push(line);
    line = '';
    if (lines.length > RP1745_LINES_MAX) return 'TOO_LONG';
  }
  if (line !== '') lines.push(line);
  return lines;
}

const PRIORITY_LINE = /^Q[A-Z](?: [A-Z0-9]{7})+$/;
const ADDRESS_LINE = /^[A-Z0-9]{7}(?: [A-Z0-9]{7})*$/;
const ORIGIN_LINE = /^\.([A-Z0-9]{7})(?: [0-9]{6})?(?: .*)?$/;

/** How many lines the envelope takes (0: there is none) and who sent it; undefined when it begins and does not go on as one. */
function readEnvelope(lines: readonly string[]): { lines: number; origin: string | undefined } | undefined {
  const first = lines[0] ?? '';
  if (!PRIORITY_LINE.test(first)) return { lines: 0, origin: undefined };
  let addresses = first.split(' ').length - 1;
  for (let i = 1; i < lines.length && addresses <= TYPE_B_ADDRESSES_MAX; i++) {
    const line = lines[i]!;
    const origin = ORIGIN_LINE.exec(line)?.[1];
    if (origin !== undefined) return { lines: i + 1, origin };
    if (!ADDRESS_LINE.test(line)) return undefined;
    addresses += line.split(' ').length;
  }
  return undefined;
}

const ELEMENT = /^\.([A-Z])\/(.*)$/;
const VERSION = /^([1-9])([LTRX])([A-Z]{3})(?:\/.*)?$/;
const PLATE = /^([0-9]{10})([0-9]{3})$/;

function readBody(lines: readonly string[], origin: string | undefined): Rp1745Reading {
  const type = typeOf(lines[0]);
  if (type === undefined) return { ok: false, reason: 'TYPE' };
  const action = actionOf(lines[1]);
  const plates: Rp1745Plates[] = [];
  const exceptions: string[] = [];
  let version: Rp1745Telegram['version'] | undefined;

  for (let i = action === 'new' ? 1 : 2; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.startsWith('END')) {
      if (line !== `END${type}` || i !== lines.length - 1) return { ok: false, reason: 'END' };
      if (version === undefined) return { ok: false, reason: 'VERSION' };
      if (plates.length === 0) return { ok: false, reason: 'NO_PLATE' };
      return { ok: true, type, action, version, plates, exceptions, origin };
    }
    const [, letter, content = ''] = ELEMENT.exec(line) ?? [];
    if (letter === undefined) return { ok: false, reason: 'ELEMENT' };
    if (letter === 'V') {
      const [, number, place, airport] = VERSION.exec(content) ?? [];
      if (version !== undefined || number === undefined || airport === undefined) return { ok: false, reason: 'VERSION' };
      version = { number: Number(number), place: placeOf(place), airport };
    } else if (letter === 'N') {
      const [, first, count] = PLATE.exec(content) ?? [];
      if (first === undefined || Number(count) === 0) return { ok: false, reason: 'PLATE' };
      plates.push({ first, count: Number(count) });
    } else if (letter === 'E') {
      exceptions.push(content);
    }
  }
  return { ok: false, reason: 'END' };
}

function typeOf(line: string | undefined): Rp1745Type | undefined {
  switch (line) {
    case 'BSM':
    case 'BPM':
    case 'BUM':
    case 'BTM':
      return line;
    default:
      return undefined;
  }
}

function actionOf(line: string | undefined): Rp1745Action {
  return line === 'CHG' ? 'change' : line === 'DEL' ? 'delete' : 'new';
}

function placeOf(letter: string | undefined): Rp1745Place {
  return letter === 'T' ? 'transfer' : letter === 'R' ? 'remote' : letter === 'X' ? 'terminating' : 'local';
}

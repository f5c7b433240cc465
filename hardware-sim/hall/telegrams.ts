/**
 * Telegrams as a belt of a real hall would tell them: RP1745, every type, now and then one that is wrong.
 *
 * Each can be recognised wherever it turns up. Its key is its first plate, which no other telegram of the run has:
 *
 *     0  125  4  00417          kind (interline), airline, belt, running number of the belt
 *
 * A malformed one carries `.R/KEY` and such a plate instead: its .N may be what is missing.
 */

import { invariant } from '../../shared/assert.ts';

/** Share of malformed telegrams. About what a hall sees on a bad day; enough to show up in a demo of seconds. */
export const MALFORMED_RATE = 0.02;
/** Running numbers of one belt with one airline code; then the next airline of the belt. */
const NUMBERS_PER_AIRLINE = 100_000;

export interface TelegramOptions {
  /** 0 to 9, a different one for each belt of a run. */
  belt: number;
  /** Chance, in [0, 1). The same draws give the same telegrams. */
  next: () => number;
  /** 0 to 1. */
  malformedRate?: number;
}

/** Gives one telegram after another, without end for practical purposes: 1.2 million before a key could come again; it throws then. */
export function telegramSource(options: TelegramOptions): () => Uint8Array {
  const { belt, next, malformedRate = MALFORMED_RATE } = options;
  invariant(Number.isInteger(belt) && belt >= 0 && belt <= 9, `belt ${belt}`);
  const draw = new Draw(next);
  let number = 0;
  /** The first of `count` consecutive plates. They stay with one airline. */
  const plates = (count: number): string => {
    if ((number % NUMBERS_PER_AIRLINE) + count > NUMBERS_PER_AIRLINE)
      number += NUMBERS_PER_AIRLINE - (number % NUMBERS_PER_AIRLINE);
    const airline = AIRLINES[Math.floor(number / NUMBERS_PER_AIRLINE)];
    invariant(airline !== undefined, 'plates of this belt are used up');
    const plate = `0${airline.code}${belt}${digits(number % NUMBERS_PER_AIRLINE, 5)}`;
    number += count;
    return plate;
  };
  return () => {
    const lines = draw.is(malformedRate) ? malformed(draw, plates) : wellFormed(draw, plates);
    return bytesOf(lines.join('\r\n'));
  };
}

/** The key the generator gave this telegram. Undefined when it has none: not one of ours. Envelope and damage around it do not matter. */
export function uniqueKeyOf(telegram: Uint8Array): string | undefined {
  let text = '';
  for (const byte of telegram) text += String.fromCharCode(byte);
  return (/(?:^|\n)\.R\/KEY([0-9]{10})(?:\r|$)/.exec(text) ?? /(?:^|\n)\.N\/([0-9]{10})[0-9]{3}(?:\r|$)/.exec(text))?.[1];
}

/** Numeric code as on the plates, and designator as in the flight numbers. */
const AIRLINES = [
  { code: '125', designator: 'BA' },
  { code: '117', designator: 'SK' },
  { code: '220', designator: 'LH' },
  { code: '057', designator: 'AF' },
  { code: '074', designator: 'KL' },
  { code: '724', designator: 'LX' },
  { code: '257', designator: 'OS' },
  { code: '105', designator: 'AY' },
  { code: '706', designator: 'KQ' },
  { code: '006', designator: 'DL' },
  { code: '055', designator: 'AZ' },
  { code: '176', designator: 'EK' },
] as const;
const AIRPORTS = [
  'OSL',
  'ZRH',
  'LHR',
  'LGW',
  'CDG',
  'AMS',
  'FRA',
  'JFK',
  'ATL',
  'FCO',
  'NBO',
  'EBB',
  'VIE',
  'HEL',
  'DXB',
  'MYS',
] as const;
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const;
const NAMES = ['SMITH', 'BROWN', 'HANSEN', 'MWANGI', 'ROSSI', 'MUELLER', 'DUBOIS', 'VIRTANEN', 'OKAFOR', 'KELLER'] as const;
const GIVEN_NAMES = ['TOM', 'JIM', 'JOHN', 'ANNA', 'MARIA', 'LENA', 'GRACE', 'OLA'] as const;

type Plates = (count: number) => string;

/** Chance with names. */
class Draw {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  is(probability: number): boolean {
    return this.#next() < probability;
  }

  int(count: number): number {
    return Math.floor(this.#next() * count);
  }

  from<T>(list: readonly T[]): T {
    const item = list[this.int(list.length)];
    invariant(item !== undefined, 'nothing to draw from');
    return item;
  }

  digits(length: number): string {
    return digits(this.int(10 ** length), length);
  }

  /** SR101/18APR/JFK */
  flight(): string {
    return `${this.from(AIRLINES).designator}${this.digits(this.is(0.5) ? 3 : 4)}/${this.date()}/${this.from(AIRPORTS)}`;
  }

  date(): string {
    return `${digits(1 + this.int(28), 2)}${this.from(MONTHS)}`;
  }

  cabin(): string {
    return this.from(['Y', 'Y', 'Y', 'C', 'J', 'F']);
  }

  seat(): string {
    return `${1 + this.int(42)}${this.from(['A', 'B', 'C', 'D', 'E', 'F'])}`;
  }
}

function wellFormed(draw: Draw, plates: Plates): string[] {
  const at = draw.int(100);
  if (at < 35) return bsm(draw, plates, { place: 'L', action: [] });
  if (at < 50) return bsm(draw, plates, { place: 'T', action: [] });
  if (at < 56) return bsm(draw, plates, { place: 'R', action: [] });
  if (at < 80) return bpm(draw, plates);
  if (at < 87) return btm(draw, plates);
  if (at < 91) return bum(draw, plates);
  if (at < 96) return withdrawal(draw, plates);
  return bsm(draw, plates, { place: 'L', action: ['CHG'] });
}

function bsm(draw: Draw, plates: Plates, kind: { place: 'L' | 'T' | 'R'; action: string[] }): string[] {
  const bags = draw.from([1, 1, 1, 1, 2, 2, 3]);
  const weightKg = bags * (8 + draw.int(16));
  return [
    'BSM',
    ...kind.action,
    `.V/1${kind.place}${draw.from(AIRPORTS)}`,
    `.F/${draw.flight()}/${draw.cabin()}`,
    ...(kind.place === 'T' ? [`.I/${draw.flight()}/${draw.cabin()}`] : []),
    ...(draw.is(0.2) ? [`.O/${draw.flight()}/${draw.cabin()}`] : []),
    `.N/${plates(bags)}${digits(bags, 3)}`,
    `.S/Y/${draw.seat()}/C/${draw.digits(3)}`,
    `.W/K/${bags}/${weightKg}`,
    `.P/${draw.from(NAMES)}/${draw.from(GIVEN_NAMES)}`,
    `.L/${draw.digits(2)}${draw.from(['XY', 'SA', 'QP', 'BK'])}${draw.digits(2)}`,
    ...(draw.is(0.06) ? [`.E/${draw.from(['RUSH', 'RUSH', 'PRIO', 'CREW'])}`] : []),
    ...(draw.is(0.05) ? ['.R/VIP'] : []),
    'ENDBSM',
  ];
}

function bpm(draw: Draw, plates: Plates): string[] {
  const hour = digits(draw.int(24), 2);
  const station = `LB${draw.int(20)}`;
  return [
    'BPM',
    `.V/1L${draw.from(AIRPORTS)}`,
    `.J/S/BGFUSION/CI${draw.digits(3)}/${draw.date()}/${hour}${digits(draw.int(60), 2)}L/${station}/${station}`,
    `.F/${draw.flight()}`,
    `.N/${plates(1)}001`,
    ...(draw.is(0.1) ? [`.B/${draw.from(['OFF', 'NAL', 'ERR'])}`] : []),
    ...(draw.is(0.7)
      ? [`.X//${draw.from(['CLR', 'CLR', 'CLR', 'UCL', 'REJ'])}///HBS${draw.digits(3)}/HBSLEVEL${1 + draw.int(3)}`]
      : []),
    'ENDBPM',
  ];
}

function btm(draw: Draw, plates: Plates): string[] {
  const more = draw.int(3);
  const lines = ['BTM', `.V/1T${draw.from(AIRPORTS)}`, `.I/${draw.flight()}`, `.F/${draw.flight()}/${draw.cabin()}`];
  for (let i = 0; i <= more; i++) lines.push(`.N/${plates(1)}001`);
  return [...lines, `.P/${draw.from(NAMES)}/${draw.from(GIVEN_NAMES)}`, 'ENDBTM'];
}

function bum(draw: Draw, plates: Plates): string[] {
  const flight = draw.flight();
  return [
    'BUM',
    `.V/1L${draw.from(AIRPORTS)}`,
    `.F/${flight}`,
    `.N/${plates(1)}001`,
    `.P/${draw.from(NAMES)}/${draw.from(GIVEN_NAMES)}`,
    'ENDBUM',
  ];
}

function withdrawal(draw: Draw, plates: Plates): string[] {
  return ['BSM', 'DEL', `.V/1L${draw.from(AIRPORTS)}`, `.F/${draw.flight()}/${draw.cabin()}`, `.N/${plates(1)}001`, 'ENDBSM'];
}

/** A good one with one thing wrong, as seen from tired scanners and half-configured hosts. Framed well, so it will be answered. */
function malformed(draw: Draw, plates: Plates): string[] {
  const good = wellFormed(draw, plates);
  const end = good.length - 1;
  const key = `.R/KEY${plates(1)}`;
  const body = [...good.slice(0, end), key];
  switch (draw.int(3)) {
    case 0:
      return [...body.filter((line) => !line.startsWith('.N/')), good[end]!];
    case 1:
      return [...body, good[end] === 'ENDBSM' ? 'ENDBPM' : 'ENDBSM'];
    default:
      return [...body, `#${draw.digits(6)}*${draw.digits(4)}`, good[end]!];
  }
}

function digits(value: number, length: number): string {
  return String(value).padStart(length, '0');
}

function bytesOf(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (char) => char.charCodeAt(0));
}

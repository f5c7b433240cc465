/** The grid in which goodput is measured: payload × speed × bit errors × delay. */

export interface Cell {
  /** `goodput/128/115200/1e-5/1`: bytes of body, baud, errors a bit, one-way delay in ms. */
  readonly name: string;
  readonly bodyBytes: number;
  readonly baud: number;
  /** Probability that a data bit is wrong. Start and stop bits are taken to be right. */
  readonly bitErrorRate: number;
  readonly delayMs: number;
  /** Time on the line that is measured, in packets of about the largest size that the speed allows. */
  readonly packets: number;
  readonly seed: number;
}

const BODY_BYTES = [32, 128, 1024];
const BAUDS = [9_600, 115_200, 921_600];
const BIT_ERROR_RATES = ['0', '1e-5', '1e-4'];
const DELAYS_MS = [1, 16];
/** Enough that at 1e-4, where 12 to 25 % of the packets are lost, chance moves the figure by half a percent at most. */
const PACKETS = { full: 6_000, quick: 800 } as const;

export function cellsOf(length: 'full' | 'quick'): Cell[] {
  const cells: Cell[] = [];
  for (const bodyBytes of BODY_BYTES) {
    for (const baud of BAUDS) {
      for (const rate of BIT_ERROR_RATES) {
        for (const delayMs of DELAYS_MS) {
          const name = `goodput/${bodyBytes}/${baud}/${rate}/${delayMs}`;
          const bitErrorRate = Number(rate);
          cells.push({ name, bodyBytes, baud, bitErrorRate, delayMs, packets: PACKETS[length], seed: cells.length + 1 });
        }
      }
    }
  }
  return cells;
}

/** Probability that one of the eight data bits of a byte is wrong. */
export function byteErrorRate(bitErrorRate: number): number {
  return 1 - (1 - bitErrorRate) ** 8;
}

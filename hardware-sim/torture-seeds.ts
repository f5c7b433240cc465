/**
 * Seeds of the ring's torture that once broke a promise. They are lived again before any others. A seed tells another story once the
 * draw or the engine changes: what each of them found has a test of its own beside the code that was wrong.
 */
export const SEEDS_THAT_FAILED: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 1497, found: 'what died while it waited to be copied kept cleaning from going on (died-waiting.test.ts)' },
  { seed: 1666, found: 'the same, after failed syncs' },
  { seed: 5477, found: 'the same, after rot' },
  { seed: 5638, found: 'behind lost writes a frame that was given up was taken for the anchor (given-up.test.ts)' },
  {
    seed: 629_476_153,
    found: 'lost writes left a superblock a lap ahead of the frames: the log was longer than the ring (outrun.test.ts)',
  },
  { seed: 740_752_298, found: 'lost writes left a log as long as the ring, and nothing fitted before its tail' },
  {
    seed: 330_597_783,
    found: 'the oracle: what was lost while blocks could not be read may come back when the record of it is hit',
  },
  { seed: 875_972_956, found: 'what a damaged tail had held was taken for said again (log-stretch.test.ts)' },
];

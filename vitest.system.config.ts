import { configDefaults, defineConfig } from 'vitest/config';

/** Of these `npm test` sweeps a part (sweep.d.ts), and this all. */
const SWEPT = [
  'hardware-sim/yard/yard.test.ts',
  'shared/relay/relay-chaos.test.ts',
  'shared/ring/rot.test.ts',
  'test/link-fuzz.test.ts',
];

/**
 * `npm run test:system`: real processes, pseudo-terminals and brokers, and whole sweeps. One file at a time, so that what is measured is
 * not disturbed.
 */
export default defineConfig({
  test: {
    include: ['**/*.system.test.ts', ...SWEPT],
    provide: { sweep: 'whole' },
    exclude: [...configDefaults.exclude, '**/dist/**', '**/.*/**', 'bench/**'],
    reporters: ['default', './scripts/report-skipped.mjs'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
  },
});

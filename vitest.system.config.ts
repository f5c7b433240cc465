import { configDefaults, defineConfig } from 'vitest/config';

/** `npm run test:system`: real processes, pseudo-terminals and brokers. One file at a time, so that what is measured is not disturbed. */
export default defineConfig({
  test: {
    include: ['**/*.system.test.ts'],
    exclude: [...configDefaults.exclude, '**/dist/**', '**/.*/**', 'bench/**'],
    reporters: ['default', './scripts/report-skipped.mjs'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 60_000,
    passWithNoTests: false,
  },
});

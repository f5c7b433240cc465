import { configDefaults, defineConfig } from 'vitest/config';

/** `npm test`: needs no external program. What does is named `*.system.test.ts` and runs under `vitest.system.config.ts`. */
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/dist/**', '**/.*/**', 'bench/**', '**/*.system.test.ts'],
    reporters: ['default', './scripts/report-skipped.mjs'],
    pool: 'forks',
    maxWorkers: 2,
    // Of no test is it known that it needs modules of its own, and loading them for each file costs as much as a quarter of the tests.
    isolate: false,
    // Of what is swept a telling part; `npm run test:system` sweeps all of it.
    provide: { sweep: 'part' },
    // A seed of the simulator takes milliseconds, a few hundred of them seconds; whatever takes longer hangs.
    testTimeout: 60_000,
  },
});

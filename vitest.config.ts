import { configDefaults, defineConfig } from 'vitest/config';

const EXCLUDED = [...configDefaults.exclude, '**/dist/**', '**/.*/**', 'bench/**', '**/*.system.test.ts'];
/** These measure memory, which means collecting all garbage: in a process of their own, where there is little. */
const MEASURING = [
  'shared/core/outage.test.ts',
  'shared/link/link-session.test.ts',
  'test/hostile.test.ts',
  'test/link-fuzz.test.ts',
];

/** `npm test`: needs no external program. What does is named `*.system.test.ts` and runs under `vitest.system.config.ts`. */
export default defineConfig({
  test: {
    reporters: ['default', './scripts/report-skipped.mjs'],
    pool: 'forks',
    // For two cores: some tests wait for real lines and clocks, and others calculate meanwhile.
    maxWorkers: 3,
    // A seed of the simulator takes milliseconds, a few hundred of them seconds; whatever takes longer hangs.
    testTimeout: 60_000,
    // Of what is swept a telling part; `npm run test:system` sweeps all of it.
    provide: { sweep: 'part' },
    projects: [
      {
        extends: true,
        // Loading the modules anew for each file would cost a quarter of the processor time.
        test: { name: 'shared', include: ['**/*.test.ts'], exclude: [...EXCLUDED, ...MEASURING], isolate: false },
      },
      { extends: true, test: { name: 'alone', include: MEASURING, exclude: EXCLUDED, isolate: true } },
    ],
  },
});

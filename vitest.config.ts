import { defineConfig } from 'vitest/config';

const MINUTE = 60_000;

/** `npm test` runs everything but `test/soak/`; `npm run soak` (mode `soak`) runs that alone, where one test may take half an hour. */
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'soak' ? ['test/soak/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'soak' ? [] : ['test/soak/**'],
    // Tests start real servers and clusters: more than two files at once on two cores makes them wait for each other.
    maxWorkers: 2,
    testTimeout: mode === 'soak' ? 30 * MINUTE : 20_000,
    hookTimeout: mode === 'soak' ? 5 * MINUTE : 60_000,
    teardownTimeout: 20_000,
    reporters: ['./test/skip-reporter.ts', 'default'],
  },
}));

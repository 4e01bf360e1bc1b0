import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-teardown.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: real processes compete with each other, so more workers only make each test slower.
    maxWorkers: 2,
  },
});

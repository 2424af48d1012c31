import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const jsonReport = process.env.VITEST_JSON_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They install the clients that they run: npm run test:clients.
    exclude: ['test/clients/**'],
    globalSetup: ['test/support/build-dist.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    reporters:
      jsonReport === undefined ? ['default'] : ['default', ['json', { outputFile: jsonReport }]],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // By itself Vitest leaves a core to others; but most files wait more than they work.
    maxWorkers: availableParallelism() + 1,
  },
});

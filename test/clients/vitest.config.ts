import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `npm run test:clients`: other people's tools, unmodified, against the local service. Installing them takes minutes. */
export default defineConfig({
  root: fileURLToPath(new URL('../../', import.meta.url)),
  test: {
    include: ['test/clients/**/*.test.ts'],
    globalSetup: ['test/support/build-dist.ts'],
    testTimeout: 300_000,
    hookTimeout: 1_800_000,
    pool: 'forks',
    // The clients share one Python environment and, more often than not, few cores.
    fileParallelism: false,
  },
});

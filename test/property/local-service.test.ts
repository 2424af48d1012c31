import fc from 'fast-check';
import { test } from 'vitest';
import { NO_LAGS, OBSERVED_LAGS } from '../../src/local.ts';
import { ServiceUnderTest } from '../conformance/local-service-client.ts';
import { Comparison, operations } from './service-operations.ts';
import { SnapshotModel } from './snapshot-model.ts';

/** `npm run test:long` sets it; what is not set stays at about ten seconds. */
const RUNS = Number(process.env.EBS_PROPERTY_RUNS ?? 30);
/** To repeat a failure: the seed and path that it printed. */
const { EBS_PROPERTY_SEED: seed, EBS_PROPERTY_PATH: path } = process.env;
const TIMEOUT_MS = 60_000 + RUNS * 2000;
const DEFAULT_KEY = 'arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000';

const settings = fc.record({
  encryptionByDefault: fc.constantFrom(false, false, true),
  lags: fc.constantFrom(NO_LAGS, { ...OBSERVED_LAGS, visibilityMs: 5000 }),
});

test(
  'answers any sequence of operations, restarts included, as the model does',
  { timeout: TIMEOUT_MS },
  async () => {
    await fc.assert(
      fc.asyncProperty(settings, operations, async (options, sequence) => {
        const service = await ServiceUnderTest.startAlone({
          ...options,
          defaultKmsKeyArn: DEFAULT_KEY,
        });
        try {
          const model = new SnapshotModel(service.clock.ms, {
            ...options,
            defaultKey: DEFAULT_KEY,
          });
          const comparison = new Comparison(service, model);
          for (const operation of sequence) await comparison.run(operation);
          await comparison.audit();
          await service.restart();
          await comparison.audit();
        } finally {
          await service.close();
        }
      }),
      {
        numRuns: RUNS,
        ...(seed === undefined ? {} : { seed: Number(seed) }),
        ...(path === undefined ? {} : { path }),
      },
    );
  },
);

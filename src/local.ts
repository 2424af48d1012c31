export { LocalEbs } from './local-server/local-ebs.ts';
export { DEFAULT_LOCAL_CREDENTIALS, type LocalEbsOptions } from './local-server/local-options.ts';
export type { ErrorFault, Fault, FaultRule } from './local-server/faults.ts';
export type { RequestCounters, RequestRecord } from './local-server/history.ts';
export { NO_LAGS, OBSERVED_LAGS, type Lags } from './local-server/snapshot-record.ts';
export { StoreError } from './local-server/store-folder.ts';
export type { LocalCredentials } from './local-server/verify-signature.ts';

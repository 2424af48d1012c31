import { isDeepStrictEqual } from 'node:util';
import type { ManifestFacts } from './manifest-facts.ts';
import { isSameSource } from './source-identity.ts';

/** What a run expects a manifest to tell; what is left out may be anything. */
export type ExpectedFacts = Partial<
  Pick<
    ManifestFacts,
    | 'snapshotId'
    | 'clientToken'
    | 'volumeSizeGiB'
    | 'zeroBlocks'
    | 'range'
    | 'parameters'
    | 'source'
  >
>;

const PLAIN_FACTS = [
  'snapshotId',
  'clientToken',
  'volumeSizeGiB',
  'zeroBlocks',
  'range',
  'parameters',
] as const;

/**
 * Tells the first fact that is not as expected; undefined when all are. A source may have changed, for what differs is
 * sent again; it may not be another.
 */
export function differenceOf(facts: ManifestFacts, expected: ExpectedFacts): string | undefined {
  for (const name of PLAIN_FACTS) {
    const wanted = expected[name];
    if (wanted === undefined || isDeepStrictEqual(facts[name], wanted)) continue;
    return `its ${name} is ${textOf(facts[name])}, not ${textOf(wanted)}`;
  }
  const { source } = expected;
  if (source === undefined || facts.source === undefined) return undefined;
  if (isSameSource(facts.source, source)) return undefined;
  return `its source is "${facts.source.path}", not "${source.path}"`;
}

function textOf(value: unknown): string {
  if (value === undefined) return 'not known';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

import { isDeepStrictEqual } from 'node:util';
import { kindOf, type ManifestFacts, type ManifestKind } from './manifest-facts.ts';
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
> & { readonly kind?: ManifestKind };

const KIND_WORDS: Readonly<Record<ManifestKind, string>> = {
  upload: 'an upload',
  restore: 'a restore',
  snapshot: 'a snapshot that was read',
};

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
  const kind = kindOf(facts);
  const { kind: wantedKind = kind } = expected;
  if (kind !== wantedKind) return `it is of ${KIND_WORDS[kind]}, not of ${KIND_WORDS[wantedKind]}`;
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

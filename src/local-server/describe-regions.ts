import type { Answer } from './answers.ts';
import { ec2Refusal, listParameter, type Ec2Call } from './ec2-call.ts';
import { readFilters, type Filters } from './ec2-filters.ts';
import { ec2Answer, itemSet } from './ec2-xml.ts';
import type { Service } from './service.ts';

interface Region {
  readonly name: string;
  readonly optInStatus: 'opt-in-not-required' | 'opted-in' | 'not-opted-in';
}

/** The regions of the `aws` partition that every account has. */
const ALWAYS_ON: readonly string[] = [
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-northeast-3',
  'ap-south-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ca-central-1',
  'eu-central-1',
  'eu-north-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'sa-east-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
];
/** Those that an account must opt in to. */
const OPT_IN: readonly string[] = [
  'af-south-1',
  'ap-east-1',
  'ap-south-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ca-west-1',
  'eu-central-2',
  'eu-south-1',
  'eu-south-2',
  'il-central-1',
  'me-central-1',
  'me-south-1',
];

const FILTERS: Filters<Region> = new Map([
  ['region-name', ({ name }: Region) => [name]],
  ['endpoint', ({ name }: Region) => [endpointOf(name)]],
  ['opt-in-status', ({ optInStatus }: Region) => [optInStatus]],
]);

/**
 * EC2's DescribeRegions. The region that is asked is always among them, whatever its name, for tools look themselves
 * up in the answer.
 */
export function describeRegions(_service: Service, { form, region }: Ec2Call): Answer {
  const regions = regionsSeenFrom(region);
  const names = listParameter(form, 'RegionName');
  const unknown = names.find((name) => !regions.some((known) => known.name === name));
  if (unknown !== undefined) {
    throw ec2Refusal('InvalidParameterValue', `Invalid region provided: ${unknown}`);
  }
  const hasAll = form.get('AllRegions') === 'true';
  const passes = readFilters(form, FILTERS);
  const found = regions.filter(
    (candidate) =>
      (names.length === 0
        ? hasAll || candidate.optInStatus !== 'not-opted-in'
        : names.includes(candidate.name)) && passes(candidate),
  );
  const items = found.map(({ name, optInStatus }) => ({
    regionName: name,
    regionEndpoint: endpointOf(name),
    optInStatus,
  }));
  return ec2Answer('DescribeRegions', { regionInfo: itemSet(items) });
}

function regionsSeenFrom(region: string): Region[] {
  const regions: Region[] = ALWAYS_ON.map((name) => ({ name, optInStatus: 'opt-in-not-required' }));
  for (const name of new Set([...OPT_IN, region])) {
    if (ALWAYS_ON.includes(name)) continue;
    regions.push({ name, optInStatus: name === region ? 'opted-in' : 'not-opted-in' });
  }
  return regions;
}

function endpointOf(region: string): string {
  return `ec2.${region}.amazonaws.com`;
}

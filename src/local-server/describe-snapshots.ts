import type { Answer } from './answers.ts';
import {
  checkSnapshotId,
  ec2Refusal,
  ec2SnapshotNotFound,
  listParameter,
  type Ec2Call,
  type Form,
} from './ec2-call.ts';
import { readFilters, type Filters, type FilterValues } from './ec2-filters.ts';
import { cutPage } from './ec2-paging.ts';
import { ec2Answer, itemSet } from './ec2-xml.ts';
import { stateOf, type Service } from './service.ts';
import type { SnapshotRecord, SnapshotState } from './snapshot-record.ts';
import type { StoredSnapshot } from './snapshot-store.ts';
import { BLOCK_SIZE } from './wire-table.ts';
import type { XmlElements, XmlValue } from './xml.ts';

interface View {
  readonly record: SnapshotRecord;
  readonly state: SnapshotState;
}

const VOLUME_ID = 'vol-ffffffff';

/** The filters beside `tag:KEY`. */
const FILTERS: Filters<View> = new Map<string, FilterValues<View>>([
  ['snapshot-id', ({ record }) => [record.snapshotId]],
  ['status', ({ state }) => [state.status]],
  ['progress', ({ state }) => [progressOf(state)]],
  ['description', ({ record }) => [record.description ?? '']],
  ['volume-size', ({ record }) => [String(record.volumeSizeGiB)]],
  ['volume-id', () => [VOLUME_ID]],
  ['owner-id', ({ record }) => [record.ownerId]],
  ['owner-alias', () => []],
  ['encrypted', ({ record }) => [String(record.encrypted)]],
  ['start-time', ({ record }) => [isoTime(record.startTimeMs)]],
  ['storage-tier', () => ['standard']],
  ['transfer-type', () => ['standard']],
  ['tag-key', ({ record }) => record.tags.map(({ Key }) => Key)],
]);

/** Words that stand for accounts, beside 12 digits. */
const OWNER_WORDS: Readonly<Record<'Owner' | 'RestorableBy', readonly string[]>> = {
  Owner: ['self', 'amazon', 'aws-marketplace'],
  RestorableBy: ['self', 'all'],
};

/** EC2's DescribeSnapshots: by ids, owners and filters, in pages when MaxResults asks for them. */
export function describeSnapshots(service: Service, { form, region }: Ec2Call): Answer {
  const ids = listParameter(form, 'SnapshotId');
  if (ids.length > 0 && form.has('MaxResults')) {
    throw ec2Refusal(
      'InvalidParameterCombination',
      'The parameter snapshotIds cannot be used with the parameter maxResults',
    );
  }
  ids.forEach(checkSnapshotId);
  const isWanted = isOwned(form, service);
  const passes = readFilters(form, FILTERS, ({ record }: View) => record.tags);
  const found: View[] = [];
  for (const snapshot of selectById(service, ids, region)) {
    const view = { record: snapshot.record, state: stateOf(service, snapshot) };
    if (isWanted && passes(view)) found.push(view);
  }
  found.sort((a, b) => (a.record.snapshotId < b.record.snapshotId ? -1 : 1));
  const { page, nextToken } = cutPage(form, found, ({ record }) => record.snapshotId);
  return ec2Answer('DescribeSnapshots', {
    snapshotSet: itemSet(page.map(toItem)),
    ...(nextToken === undefined ? {} : { nextToken }),
  });
}

function* selectById(
  { store }: Service,
  ids: readonly string[],
  region: string,
): Generator<StoredSnapshot> {
  if (ids.length === 0) yield* store.list(region);
  for (const id of new Set(ids)) {
    const snapshot = store.find(id, region);
    if (snapshot === undefined) throw ec2SnapshotNotFound(id);
    yield snapshot;
  }
}

/** There is one account, so owners either take everything in or leave everything out. */
function isOwned(form: Form, { account }: Service): boolean {
  return (['Owner', 'RestorableBy'] as const).every((name) => {
    const owners = listParameter(form, name);
    const wrong = owners.find((id) => !OWNER_WORDS[name].includes(id) && !/^\d{12}$/.test(id));
    if (wrong !== undefined) {
      throw ec2Refusal('InvalidUserID.Malformed', `Invalid user id: "${wrong}"`);
    }
    return owners.length === 0 || owners.includes('self') || owners.includes(account.accountId);
  });
}

/** Elements in the order in which EC2 writes them. */
function toItem({ record, state }: View): XmlElements {
  const item: Record<string, XmlValue> = {
    snapshotId: record.snapshotId,
    volumeId: VOLUME_ID,
    status: state.status,
    ...(state.statusMessage === null ? {} : { statusMessage: state.statusMessage }),
    startTime: isoTime(record.startTimeMs),
    progress: progressOf(state),
    ownerId: record.ownerId,
    volumeSize: String(record.volumeSizeGiB),
    description: record.description ?? '',
    encrypted: String(record.encrypted),
  };
  if (record.kmsKeyArn !== null) item.kmsKeyId = record.kmsKeyArn;
  if (record.tags.length > 0) {
    item.tagSet = itemSet(record.tags.map(({ Key, Value }) => ({ key: Key, value: Value })));
  }
  item.storageTier = 'standard';
  item.transferType = 'standard';
  if (state.completionTimeMs !== null) {
    item.completionTime = isoTime(state.completionTimeMs);
    const blockCount = record.verdict?.totalBlockCount ?? 0;
    item.fullSnapshotSizeInBytes = String(blockCount * BLOCK_SIZE);
  }
  return item;
}

/** Nothing but completion moves the progress, whatever x-amz-Progress says. */
function progressOf({ status }: SnapshotState): string {
  return status === 'completed' ? '100%' : '0%';
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

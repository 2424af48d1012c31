import type { Answer } from './answers.ts';
import {
  checkSnapshotId,
  Ec2Refusal,
  ec2SnapshotNotFound,
  listParameter,
  type Ec2Call,
} from './ec2-call.ts';
import { ec2Answer, itemSet, type XmlElements, type XmlValue } from './ec2-xml.ts';
import { stateOf, type Service } from './service.ts';
import type { SnapshotRecord, SnapshotState } from './snapshot-record.ts';
import type { StoredSnapshot } from './snapshot-store.ts';
import { BLOCK_SIZE } from './wire-table.ts';

interface View {
  readonly record: SnapshotRecord;
  readonly state: SnapshotState;
}

const VOLUME_ID = 'vol-ffffffff';

/** The filters, each giving the values of a snapshot that a filter value may match. `tag:KEY` is apart. */
const FILTERS: Readonly<Record<string, (view: View) => readonly string[]>> = {
  'snapshot-id': ({ record }) => [record.snapshotId],
  status: ({ state }) => [state.status],
  progress: ({ state }) => [progressOf(state)],
  description: ({ record }) => [record.description ?? ''],
  'volume-size': ({ record }) => [String(record.volumeSizeGiB)],
  'volume-id': () => [VOLUME_ID],
  'owner-id': ({ record }) => [record.ownerId],
  'owner-alias': () => [],
  encrypted: ({ record }) => [String(record.encrypted)],
  'start-time': ({ record }) => [isoTime(record.startTimeMs)],
  'storage-tier': () => ['standard'],
  'transfer-type': () => ['standard'],
  'tag-key': ({ record }) => record.tags.map(({ Key }) => Key),
};

/** EC2's DescribeSnapshots: by ids, owners and filters, in pages when MaxResults asks for them. */
export function describeSnapshots(service: Service, { form, region }: Ec2Call): Answer {
  const ids = listParameter(form, 'SnapshotId');
  ids.forEach(checkSnapshotId);
  const filters = readFilters(form);
  const found: View[] = [];
  for (const snapshot of selectById(service, ids, region)) {
    const view = { record: snapshot.record, state: stateOf(service, snapshot) };
    if (isOwned(form, service) && filters.every((filter) => filter(view))) found.push(view);
  }
  found.sort((a, b) => (a.record.snapshotId < b.record.snapshotId ? -1 : 1));
  const { page, nextToken } = cutPage(form, found);
  return ec2Answer('DescribeSnapshots', {
    snapshotSet: page.length === 0 ? '' : itemSet(page.map(toItem)),
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
function isOwned(form: URLSearchParams, { account }: Service): boolean {
  return ['Owner', 'RestorableBy'].every((name) => {
    const owners = listParameter(form, name);
    if (owners.length === 0 || owners.includes('self')) return true;
    return owners.includes(account.accountId);
  });
}

function readFilters(form: URLSearchParams): ((view: View) => boolean)[] {
  const filters: ((view: View) => boolean)[] = [];
  for (let n = 1; ; n += 1) {
    const name = form.get(`Filter.${n}.Name`);
    if (name === null) return filters;
    const patterns = listParameter(form, `Filter.${n}.Value`).map(wildcard);
    const valuesOf = name.startsWith('tag:') ? tagValues(name.slice(4)) : FILTERS[name];
    if (valuesOf === undefined) {
      throw new Ec2Refusal({
        status: 400,
        code: 'InvalidParameterValue',
        message: `The filter '${name}' is invalid`,
      });
    }
    filters.push((view) =>
      valuesOf(view).some((value) => patterns.some((pattern) => pattern.test(value))),
    );
  }
}

function tagValues(key: string): (view: View) => readonly string[] {
  return ({ record }) => record.tags.filter(({ Key }) => Key === key).map(({ Value }) => Value);
}

/** A filter value: `*` stands for any text, `?` for one character, a backslash takes the next one literally. */
function wildcard(text: string): RegExp {
  const source = text.replace(/\\?[^]/g, (token) => {
    if (token === '*') return '.*';
    if (token === '?') return '.';
    const character = token.length > 1 ? token.slice(1) : token;
    return character.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 's');
}

function cutPage(
  form: URLSearchParams,
  views: readonly View[],
): { page: readonly View[]; nextToken?: string } {
  const maxResults = Number(form.get('MaxResults') ?? views.length);
  const after = Buffer.from(form.get('NextToken') ?? '', 'base64url').toString();
  const rest = views.filter(({ record }) => record.snapshotId > after);
  const page = rest.slice(0, maxResults);
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { page };
  return { page, nextToken: Buffer.from(last.record.snapshotId).toString('base64url') };
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

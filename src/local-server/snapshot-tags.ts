import type { Answer } from './answers.ts';
import {
  checkSnapshotId,
  ec2Refusal,
  ec2SnapshotNotFound,
  requiredList,
  type Ec2Call,
  type Form,
} from './ec2-call.ts';
import { readFilters, type Filters } from './ec2-filters.ts';
import { cutPage } from './ec2-paging.ts';
import { ec2Answer, itemSet } from './ec2-xml.ts';
import type { Service } from './service.ts';
import type { Tag } from './snapshot-record.ts';
import type { StoredSnapshot } from './snapshot-store.ts';

/** A tag and the snapshot that has it. */
interface TaggedResource extends Tag {
  readonly resourceId: string;
}

/** EC2's limits: tags of one resource, characters of a key and of a value. */
const LIMIT = { tags: 50, key: 128, value: 256 };

const FILTERS: Filters<TaggedResource> = new Map([
  ['key', ({ Key }: TaggedResource) => [Key]],
  ['value', ({ Value }: TaggedResource) => [Value]],
  ['resource-id', ({ resourceId }: TaggedResource) => [resourceId]],
  ['resource-type', () => ['snapshot']],
]);

/** EC2's CreateTags: adds tags or overwrites their values, on all resources or on none. */
export async function createTags(service: Service, call: Ec2Call): Promise<Answer> {
  const snapshots = findResources(service, call);
  const added = readTags(call.form).map(({ Key, Value = '' }) => ({ Key, Value }));
  if (added.length === 0) requiredList(call.form, 'Tag');
  added.forEach(checkTag);
  const changes = snapshots.map((snapshot) => {
    const tags = new Map(snapshot.record.tags.map(({ Key, Value }) => [Key, Value]));
    for (const { Key, Value } of added) tags.set(Key, Value);
    if (tags.size > LIMIT.tags) {
      throw ec2Refusal(
        'TagLimitExceeded',
        'The maximum number of Tags for a resource has been reached.',
      );
    }
    return { snapshot, tags: [...tags].map(([Key, Value]) => ({ Key, Value })) };
  });
  await Promise.all(changes.map(({ snapshot, tags }) => service.store.retag(snapshot, tags)));
  return ec2Answer('CreateTags', { return: 'true' });
}

/** EC2's DeleteTags: by key, by key and value, or all of them; a tag that is not there is no error. */
export async function deleteTags(service: Service, call: Ec2Call): Promise<Answer> {
  const snapshots = findResources(service, call);
  const removed = readTags(call.form);
  const isKept = ({ Key, Value }: Tag): boolean =>
    removed.length > 0 &&
    !removed.some((tag) => tag.Key === Key && (tag.Value === undefined || tag.Value === Value));
  await Promise.all(
    snapshots.map((snapshot) => service.store.retag(snapshot, snapshot.record.tags.filter(isKept))),
  );
  return ec2Answer('DeleteTags', { return: 'true' });
}

/** EC2's DescribeTags: the tags of every snapshot of the region. */
export function describeTags({ store }: Service, { form, region }: Ec2Call): Answer {
  const passes = readFilters(form, FILTERS, (tag) => [tag]);
  const found: TaggedResource[] = [];
  for (const { record } of store.list(region)) {
    const tags = record.tags.map((tag) => ({ ...tag, resourceId: record.snapshotId }));
    found.push(...tags.filter(passes));
  }
  const keyOf = ({ resourceId, Key }: TaggedResource): string => `${resourceId}/${Key}`;
  found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const { page, nextToken } = cutPage(form, found, keyOf);
  const items = page.map(({ resourceId, Key, Value }) => ({
    resourceId,
    resourceType: 'snapshot',
    key: Key,
    value: Value,
  }));
  return ec2Answer('DescribeTags', {
    tagSet: itemSet(items),
    ...(nextToken === undefined ? {} : { nextToken }),
  });
}

function findResources({ store }: Service, { form, region }: Ec2Call): StoredSnapshot[] {
  const ids = [...new Set(requiredList(form, 'ResourceId'))];
  for (const id of ids) {
    if (!id.startsWith('snap-')) throw ec2Refusal('InvalidID', `The ID '${id}' is not valid`);
    checkSnapshotId(id);
  }
  return ids.map((id) => {
    const snapshot = store.find(id, region);
    if (snapshot === undefined) throw ec2SnapshotNotFound(id);
    return snapshot;
  });
}

/** Reads `Tag.N.Key` and `Tag.N.Value`; a value that was not sent is told from an empty one. */
function readTags(form: Form): { Key: string; Value: string | undefined }[] {
  const tags: { Key: string; Value: string | undefined }[] = [];
  for (let n = 1; ; n += 1) {
    const Key = form.get(`Tag.${n}.Key`);
    if (Key === undefined) return tags;
    tags.push({ Key, Value: form.get(`Tag.${n}.Value`) });
  }
}

function checkTag({ Key, Value }: Tag): void {
  if (Key.toLowerCase().startsWith('aws:')) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Tag keys starting with 'aws:' are reserved for internal use`,
    );
  }
  if (Key === '' || Key.length > LIMIT.key) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Tag key must have 1 to ${LIMIT.key} characters, received ${Key.length}`,
    );
  }
  if (Value.length > LIMIT.value) {
    throw ec2Refusal(
      'InvalidParameterValue',
      `Tag value must have at most ${LIMIT.value} characters, received ${Value.length}`,
    );
  }
}

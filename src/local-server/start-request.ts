import { Constraints, serializationError } from './constraints.ts';
import { invalid } from './refusal.ts';
import type { Tag } from './snapshot-record.ts';
import { DEFAULT_TIMEOUT_MINUTES, MAX_VOLUME_SIZE_GIB, PATTERN } from './wire-table.ts';

/** StartSnapshot's body, read and judged member by member. */
export interface StartRequest {
  readonly volumeSizeGiB: number;
  readonly parentSnapshotId: string | undefined;
  readonly tags: readonly Tag[] | undefined;
  readonly description: string | undefined;
  readonly clientToken: string | undefined;
  readonly encrypted: boolean | undefined;
  readonly kmsKeyArn: string | undefined;
  readonly timeoutMinutes: number;
}

const TAGS_MAX = 50;

/**
 * Reads the JSON body.
 * @throws {Refusal} SerializationException for what is no JSON object or has members of a wrong type, or a constraint
 * error.
 */
export function readStartRequest(bytes: Uint8Array): StartRequest {
  const body = parseObject(bytes);
  const constraints = new Constraints();
  const volumeSizeGiB = integerMember(body, 'VolumeSize');
  constraints.required('volumeSize', volumeSizeGiB);
  constraints.range('volumeSize', volumeSizeGiB, { min: 1 });
  const parentSnapshotId = textMember(body, 'ParentSnapshotId');
  constraints.text('parentSnapshotId', parentSnapshotId, {
    maxLength: 64,
    pattern: PATTERN.snapshotId,
  });
  const description = textMember(body, 'Description');
  constraints.text('description', description, { maxLength: 255, pattern: PATTERN.description });
  const clientToken = textMember(body, 'ClientToken');
  constraints.text('clientToken', clientToken, { maxLength: 255, pattern: PATTERN.clientToken });
  const kmsKeyArn = textMember(body, 'KmsKeyArn');
  constraints.text('kmsKeyArn', kmsKeyArn, { maxLength: 2048, pattern: PATTERN.kmsKeyArn });
  const timeoutMinutes = integerMember(body, 'Timeout');
  constraints.range('timeout', timeoutMinutes, { min: 10, max: 4320 });
  const tags = readTags(body.Tags, constraints);
  const encrypted = booleanMember(body, 'Encrypted');
  constraints.check();
  return {
    volumeSizeGiB: volumeSizeGiB ?? 0,
    parentSnapshotId,
    tags,
    description,
    clientToken,
    encrypted,
    kmsKeyArn,
    timeoutMinutes: timeoutMinutes ?? DEFAULT_TIMEOUT_MINUTES,
  };
}

/**
 * Judges what no constraint of the model covers. A known ClientToken is answered before that.
 * @throws {Refusal} INVALID_VOLUME_SIZE or INVALID_TAG.
 */
export function checkStartValues({ volumeSizeGiB, tags }: StartRequest): void {
  checkVolumeSize(volumeSizeGiB);
  checkTags(tags ?? []);
}

function checkVolumeSize(volumeSizeGiB: number): void {
  if (volumeSizeGiB <= MAX_VOLUME_SIZE_GIB) return;
  throw invalid(
    'INVALID_VOLUME_SIZE',
    `Volume size ${volumeSizeGiB} is not valid, the maximum is ${MAX_VOLUME_SIZE_GIB} GiB`,
  );
}

function checkTags(tags: readonly Tag[]): void {
  const keys = new Set<string>();
  for (const { Key } of tags) {
    if (Key.toLowerCase().startsWith('aws:')) {
      throw invalid('INVALID_TAG', `Tag keys starting with 'aws:' are reserved: ${Key}`);
    }
    if (keys.has(Key)) throw invalid('INVALID_TAG', `Duplicate tag key: ${Key}`);
    keys.add(Key);
  }
}

function readTags(value: unknown, constraints: Constraints): Tag[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType('Tags', 'List');
  const tags = value.map(readTag);
  // The error prints the list: never as it was sent, for it may be nested deeper than the stack.
  constraints.listLength('tags', tags, TAGS_MAX);
  return tags.map(({ Key, Value }, i) => {
    const member = `tags.${i + 1}.member`;
    constraints.text(`${member}.key`, Key, { maxLength: 127, pattern: PATTERN.tagKey });
    constraints.text(`${member}.value`, Value, { maxLength: 255 });
    constraints.required(`${member}.key`, Key);
    return { Key: Key ?? '', Value: Value ?? '' };
  });
}

function readTag(entry: unknown): { Key: string | undefined; Value: string | undefined } {
  if (!isObject(entry)) throw wrongType('Tags', 'Structure');
  return { Key: textMember(entry, 'Key'), Value: textMember(entry, 'Value') };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw serializationError('The request body is no JSON in UTF-8.');
  }
  if (!isObject(value)) throw serializationError('Start of structure or map expected.');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function integerMember(body: Record<string, unknown>, name: string): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw wrongType(name, 'Integer');
  return value;
}

function textMember(body: Record<string, unknown>, name: string): string | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && typeof value !== 'string') throw wrongType(name, 'String');
  return value;
}

function booleanMember(body: Record<string, unknown>, name: string): boolean | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && typeof value !== 'boolean') throw wrongType(name, 'Boolean');
  return value;
}

function wrongType(member: string, type: string): Error {
  return serializationError(`The value of ${member} can not be converted to ${type}.`);
}

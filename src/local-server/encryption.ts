import { createHash } from 'node:crypto';
import type { Account, EncryptionSettings } from './account.ts';
import { invalidParameter } from './refusal.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import type { StartRequest } from './start-request.ts';

/** Whether a snapshot is encrypted, and with which key. */
export interface Encryption {
  readonly encrypted: boolean;
  readonly kmsKeyArn: string | null;
}

/** What the outcome depends on beside the request. */
export interface EncryptionContext {
  readonly account: Account;
  readonly region: string;
  /** Tells the managed keys of two stores apart. */
  readonly storeId: string;
}

/**
 * Refuses combinations that are wrong whatever the parent is.
 * @throws {Refusal} INVALID_PARAMETER_VALUE; a key beside a parent is reported before `Encrypted` beside a parent.
 */
export function checkEncryptionRequest(
  { encrypted, kmsKeyArn, parentSnapshotId }: StartRequest,
  { encryptionByDefault }: EncryptionSettings,
): void {
  if (parentSnapshotId !== undefined) {
    if (kmsKeyArn !== undefined) throw together('KmsKeyArn');
    if (encrypted !== undefined) throw together('Encrypt');
    return;
  }
  if (encrypted !== false) return;
  if (kmsKeyArn !== undefined) {
    throw invalidParameter('Encrypt cannot be false when KmsKeyArn is specified');
  }
  if (encryptionByDefault) {
    throw invalidParameter('Encrypt cannot be false when encryption by default is enabled');
  }
}

/**
 * Decides the encryption of a new snapshot whose request has passed {@link checkEncryptionRequest}.
 * @throws {Refusal} when the account encrypts by default and the parent is not encrypted.
 */
export function decideEncryption(
  { encrypted, kmsKeyArn }: StartRequest,
  parent: SnapshotRecord | undefined,
  context: EncryptionContext,
): Encryption {
  const { encryptionByDefault } = context.account.encryptionIn(context.region);
  if (parent !== undefined) {
    if (encryptionByDefault && !parent.encrypted) {
      throw invalidParameter(
        'ParentSnapshotId must be encrypted when encryption by default is enabled',
      );
    }
    return { encrypted: parent.encrypted, kmsKeyArn: parent.kmsKeyArn };
  }
  if (kmsKeyArn !== undefined) return { encrypted: true, kmsKeyArn };
  if (encrypted === true || encryptionByDefault) {
    return { encrypted: true, kmsKeyArn: accountKeyArn(context) };
  }
  return { encrypted: false, kmsKeyArn: null };
}

/** The account's default key: the one set, else a stand-in for the AWS managed `alias/aws/ebs`. */
function accountKeyArn({ account, region, storeId }: EncryptionContext): string {
  const { defaultKmsKeyArn } = account.encryptionIn(region);
  if (defaultKmsKeyArn !== null) return defaultKmsKeyArn;
  const hex = createHash('sha256').update(`${storeId}/${region}`).digest('hex');
  const keyId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return `arn:aws:kms:${region}:${account.accountId}:key/${keyId}`;
}

function together(member: string): Error {
  return invalidParameter(`ParentSnapshotId and ${member} cannot be specified together`);
}

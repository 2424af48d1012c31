import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { Metadata } from './block-records.ts';
import { VolumeFiles } from './volume-files.ts';

/** The folder cannot be used; the message is one sentence for the user. */
export class StoreError extends Error {
  /** Why: another server has it, it is not ours, it is damaged, or the system refuses. */
  readonly code: 'STORE_LOCKED' | 'STORE_FOREIGN' | 'STORE_DAMAGED' | 'STORE_UNUSABLE';

  constructor(code: StoreError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}

/** What makes a store the same store after a restart. */
export interface StoreIdentity {
  readonly formatVersion: number;
  readonly storeId: string;
  /** Hex of the 32 secret bytes behind block and page tokens. */
  readonly tokenKey: string;
}

/** What the marker says. */
interface Marker {
  readonly format: string;
  readonly version: number;
  /** What was found lost, once it was. */
  readonly damage?: string;
}

/** An opened and locked folder. */
export interface StoreFolder {
  readonly metadata: Metadata;
  readonly volumes: VolumeFiles;
  readonly identity: StoreIdentity;
}

const FORMAT_VERSION = 1;
const MARKER = 'ebs-local.json';
const IDENTITY_KEY = 'identity';

/**
 * Opens the folder of a store, making it when it is missing or empty:
 *
 *     ebs-local.json   says that the folder is a store, and its format version
 *     metadata/        LevelDB: identity, snapshots, client tokens, blocks; its LOCK keeps a second server out
 *     volumes/         sparse files with the bytes of the blocks
 *
 * @throws {StoreError} when another server uses it, it holds something else, or parts are missing or unreadable.
 */
export async function openStoreFolder(directory: string): Promise<StoreFolder> {
  const isNew = await claim(directory);
  const volumes = new VolumeFiles(join(directory, 'volumes'));
  await volumes.prepare();
  const metadata = await openMetadata(directory);
  try {
    await checkRecovery(directory);
    const identity = await readIdentity(metadata);
    if (identity !== undefined) return { metadata, volumes, identity };
    if (!isNew && !(await volumes.isEmpty())) {
      throw new StoreError('STORE_DAMAGED', `${directory} is damaged: its metadata is gone.`);
    }
    return { metadata, volumes, identity: await writeIdentity(metadata) };
  } catch (error) {
    await metadata.close();
    if (error instanceof StoreError) throw error;
    throw new StoreError('STORE_DAMAGED', `${directory} is damaged: ${reasonOf(error)}.`, error);
  }
}

/** Makes sure that the folder is a store or can become one. Returns whether it is new. */
async function claim(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true });
    const names = await readdir(directory);
    if (names.includes(MARKER)) {
      checkMarker(directory, await readFile(join(directory, MARKER), 'utf8'));
      return false;
    }
    if (names.some((name) => name !== `${MARKER}.new`)) {
      throw new StoreError(
        'STORE_FOREIGN',
        `${directory} is not a folder of the local EBS service: it holds other files.`,
      );
    }
    await writeMarker(directory);
    return true;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      'STORE_UNUSABLE',
      `${directory} cannot be used as a folder: ${reasonOf(error)}.`,
      error,
    );
  }
}

/** Renamed into place, so that a crash leaves either the marker that was there or a whole new one. */
async function writeMarker(directory: string, facts: Partial<Marker> = {}): Promise<void> {
  const marker: Marker = { format: 'ebs-local', version: FORMAT_VERSION, ...facts };
  await writeFile(join(directory, `${MARKER}.new`), `${JSON.stringify(marker)}\n`);
  await rename(join(directory, `${MARKER}.new`), join(directory, MARKER));
}

function checkMarker(directory: string, text: string): void {
  let version: unknown;
  let damage: unknown;
  try {
    ({ version, damage } = JSON.parse(text) as Partial<Marker>);
  } catch (error) {
    throw new StoreError('STORE_DAMAGED', `${directory} is damaged: ${MARKER} is no JSON.`, error);
  }
  if (version !== FORMAT_VERSION) {
    throw new StoreError(
      'STORE_FOREIGN',
      `${directory} has format version ${String(version)}, this release reads ${FORMAT_VERSION}.`,
    );
  }
  if (typeof damage === 'string') {
    throw new StoreError('STORE_DAMAGED', `${directory} is damaged: ${damage}.`);
  }
}

/**
 * LevelDB opens without the records of its log that it cannot read, and says so in its file LOG alone. The log is gone by
 * then, so the marker remembers.
 * @throws {StoreError} when records are lost.
 */
async function checkRecovery(directory: string): Promise<void> {
  const report = await readFile(join(directory, 'metadata', 'LOG'), 'utf8');
  const lost = /dropping (\d+) bytes/.exec(report)?.[1];
  if (lost === undefined) return;
  const damage = `${lost} bytes of its metadata cannot be read`;
  await writeMarker(directory, { damage });
  throw new StoreError('STORE_DAMAGED', `${directory} is damaged: ${damage}.`);
}

async function openMetadata(directory: string): Promise<Metadata> {
  const metadata: Metadata = new ClassicLevel(join(directory, 'metadata'), {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    // Digests do not compress.
    compression: false,
  });
  try {
    await metadata.open();
    return metadata;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if ((cause as { code?: unknown } | undefined)?.code === 'LEVEL_LOCKED') {
      throw new StoreError('STORE_LOCKED', `${directory} is in use by another server.`, error);
    }
    throw new StoreError('STORE_DAMAGED', `${directory} is damaged: ${reasonOf(cause)}.`, error);
  }
}

async function readIdentity(metadata: Metadata): Promise<StoreIdentity | undefined> {
  const value = await metadata.get(IDENTITY_KEY);
  return value === undefined ? undefined : (JSON.parse(value.toString()) as StoreIdentity);
}

async function writeIdentity(metadata: Metadata): Promise<StoreIdentity> {
  const identity: StoreIdentity = {
    formatVersion: FORMAT_VERSION,
    storeId: randomUUID(),
    tokenKey: randomBytes(32).toString('hex'),
  };
  await metadata.put(IDENTITY_KEY, Buffer.from(JSON.stringify(identity)));
  return identity;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}

import { randomBytes } from 'node:crypto';
import { rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ManifestError } from '../base/errors.ts';
import { syncFolder } from '../base/sync-folder.ts';
import { lockFile, type TryLock } from './file-lock.ts';
import { mendHeader, readHeader, writeHeader } from './header-copies.ts';
import { encodeHeader, type Header } from './header.ts';
import { MANIFEST_ID_SIZE, PAGE_SIZE, PAGES_OFFSET, pageCountOf, pageOffset } from './layout.ts';
import { lockedError, writeHolder } from './lock-holder.ts';
import {
  HandleFile,
  manifestFailure,
  openHandle,
  type ManifestFile,
  type OpenMode,
} from './manifest-file.ts';
import type { ManifestFacts } from './manifest-facts.ts';
import { SegmentMap } from './segment-map.ts';

/** An open manifest whose header is known. */
export interface OpenedManifest {
  readonly file: ManifestFile;
  readonly header: Header;
  readonly segments: SegmentMap;
  readonly isWritable: boolean;
  /** Whether it was made now. */
  readonly isNew: boolean;
}

/** Opens a manifest to look at it, without a lock. */
export async function openForReading(path: string): Promise<OpenedManifest> {
  const handle = await openHandle(path, 'read');
  return closingOnFailure(handle, async () => {
    const file = new HandleFile(handle, path);
    const found = await readHeader(file);
    if (found === undefined) throw blankError(path);
    const header = await distrustMissingPages(file, found.header);
    const segments = await SegmentMap.read(file, header.manifestId);
    return { file, header, segments, isWritable: false, isNew: false };
  });
}

/** How a manifest is opened for writing. */
export interface OpenForWritingOptions {
  /** What a new manifest says; without it the manifest must be there. */
  readonly factsIfNew: ManifestFacts | undefined;
  /** Whether it may be there already. */
  readonly mayExist: boolean;
  readonly tryLock: TryLock | undefined;
}

/** Locks a manifest and opens it, or makes a new one. */
export async function openForWriting(
  path: string,
  { factsIfNew, mayExist, tryLock }: OpenForWritingOptions,
): Promise<OpenedManifest> {
  // Before a file comes into being for nothing.
  const first = factsIfNew === undefined ? undefined : firstHeader(factsIfNew);
  const mode: OpenMode = first === undefined ? 'write' : 'write-or-create';
  const handle = await openHandle(path, mode);
  return closingOnFailure(handle, async () => {
    const file = new HandleFile(handle, path);
    await lock(handle, file, tryLock);
    if (first !== undefined && (await isUnwritten(file, first))) return createOrRemove(file, first);
    if (!mayExist) throw existsError(path);
    return resume(file);
  });
}

async function lock(
  { fd }: FileHandle,
  file: ManifestFile,
  tryLock: TryLock | undefined,
): Promise<void> {
  const { path } = file;
  const isOurs = await lockFile(fd, tryLock).catch((error: unknown) => {
    throw manifestFailure(error, {
      code: 'ERR_EBS_MANIFEST_OPEN',
      what: `locking "${path}"`,
      path,
    });
  });
  if (!isOurs) throw await lockedError(file);
}

function firstHeader(facts: ManifestFacts): Header {
  const manifestId = randomBytes(MANIFEST_ID_SIZE);
  const trustedPages = pageCountOf(facts.volumeSizeGiB);
  const header = { sequence: 1, manifestId, trustedPages, facts };
  encodeHeader(header);
  return header;
}

/** Whether the file was made just now, or by a run that ended before it had written a header. */
async function isUnwritten(file: ManifestFile, { facts }: Header): Promise<boolean> {
  const sizeBytes = await file.size();
  if (sizeBytes === 0) return true;
  return sizeBytes === fileSizeOf(facts) && (await readHeader(file)) === undefined;
}

/** On a full disk nothing stays that the next run would take for the manifest of an upload. */
async function createOrRemove(file: ManifestFile, header: Header): Promise<OpenedManifest> {
  try {
    return await create(file, header);
  } catch (error) {
    await rm(file.path, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function create(file: ManifestFile, header: Header): Promise<OpenedManifest> {
  // Of full size from the beginning, as one hole: so that a file that was cut off shows it.
  await file.resize(fileSizeOf(header.facts));
  await writeHeader(file, header);
  await writeHolder(file);
  await syncFolder(dirname(file.path));
  const segments = SegmentMap.empty(header.manifestId);
  return { file, header, segments, isWritable: true, isNew: true };
}

async function resume(file: ManifestFile): Promise<OpenedManifest> {
  const found = await readHeader(file);
  if (found === undefined) throw blankError(file.path);
  await mendHeader(file, found);
  const header = await distrustMissingPages(file, found.header);
  if (header !== found.header) {
    // Written before the file is made whole again: from then on nothing else tells that pages were lost.
    await writeHeader(file, header);
    await file.resize(fileSizeOf(header.facts));
  }
  await writeHolder(file);
  const segments = await SegmentMap.read(file, header.manifestId);
  return { file, header, segments, isWritable: true, isNew: false };
}

/** The header as it is, or, of a file that was cut off, one that trusts no page that may have been lost. */
async function distrustMissingPages(file: ManifestFile, header: Header): Promise<Header> {
  const sizeBytes = await file.size();
  if (sizeBytes >= fileSizeOf(header.facts)) return header;
  const pagesThere = Math.max(0, Math.floor((sizeBytes - PAGES_OFFSET) / PAGE_SIZE));
  const trustedPages = Math.min(header.trustedPages, pagesThere);
  return { ...header, sequence: header.sequence + 1, trustedPages };
}

function fileSizeOf({ volumeSizeGiB }: ManifestFacts): number {
  return pageOffset(pageCountOf(volumeSizeGiB));
}

function existsError(path: string): ManifestError {
  const message = `"${path}" exists and is not written over`;
  return new ManifestError('ERR_EBS_MANIFEST_EXISTS', message, { path });
}

function blankError(path: string): ManifestError {
  const message = `"${path}" holds no manifest: it is empty, or zeros`;
  return new ManifestError('ERR_EBS_MANIFEST_FOREIGN', message, { path });
}

async function closingOnFailure<Result>(
  handle: FileHandle,
  use: () => Promise<Result>,
): Promise<Result> {
  try {
    return await use();
  } catch (error) {
    await handle.close();
    throw error;
  }
}

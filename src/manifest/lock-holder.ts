import { hostname } from 'node:os';
import { ManifestError, type ManifestHolder } from '../base/errors.ts';
import { HOLDER_OFFSET, PAGE_SIZE } from './layout.ts';
import type { ManifestFile } from './manifest-file.ts';

/**
 * Writes who holds the lock, for whoever is refused. The lock decides, never this text: what a killed process left there
 * means nothing.
 */
export async function writeHolder(file: ManifestFile): Promise<void> {
  const holder: ManifestHolder = {
    pid: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
  };
  const page = Buffer.alloc(PAGE_SIZE);
  page.write(JSON.stringify(holder), 'utf8');
  await file.write(page, HOLDER_OFFSET);
}

/** Takes the text away again. */
export async function clearHolder(file: ManifestFile): Promise<void> {
  await file.write(Buffer.alloc(PAGE_SIZE), HOLDER_OFFSET);
}

/** Makes the error of a manifest that another run has locked: it names that run, as far as it has told. */
export async function lockedError(file: ManifestFile): Promise<ManifestError> {
  const holder = await readHolder(file);
  const who =
    holder === undefined
      ? 'another run'
      : `process ${holder.pid} on ${holder.host}, since ${holder.since}`;
  const message = `"${file.path}" is in use by ${who}`;
  return new ManifestError('ERR_EBS_MANIFEST_LOCKED', message, { path: file.path, holder });
}

/** Undefined while the holder has not told yet, or when there is none. */
async function readHolder(file: ManifestFile): Promise<ManifestHolder | undefined> {
  const page = Buffer.alloc(PAGE_SIZE);
  await file.read(page, HOLDER_OFFSET);
  try {
    const text = page.toString('utf8').replace(/\0.*$/s, '');
    const { pid, host, since } = JSON.parse(text) as Partial<ManifestHolder>;
    if (typeof pid === 'number' && typeof host === 'string' && typeof since === 'string') {
      return { pid, host, since };
    }
  } catch {
    // Torn, or not written yet.
  }
  return undefined;
}

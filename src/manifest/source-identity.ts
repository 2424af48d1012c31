import { readFile, realpath, stat } from 'node:fs/promises';

/** What tells one source from another, and one state of a file from the next. 64-bit numbers are decimal text. */
export interface SourceIdentity {
  readonly kind: 'file' | 'device' | 'snapshot';
  /** Absolute, links resolved; of a snapshot its id. */
  readonly path: string;
  /** Bytes when the upload began. */
  readonly sizeBytes: number;
  /** Of a file: its file system, its inode there, and its last change in nanoseconds since 1970. */
  readonly fileSystem?: string;
  readonly inode?: string;
  readonly modifiedAtNs?: string;
  /** Of a device: major:minor, and its serial number where the kernel knows one. */
  readonly deviceNumber?: string;
  readonly serial?: string;
}

/** Where Linux tells a disk's serial number, NVMe first; a partition has its disk's. */
const SERIAL_PATHS = ['device/serial', '../device/serial', 'serial', 'device/wwid', 'wwid'];

/**
 * Learns what a file or block device is.
 * @param sizeBytes - of a device, which stat(2) does not tell.
 * @throws the errno of a path that cannot be examined.
 */
export async function identifySource(path: string, sizeBytes: number): Promise<SourceIdentity> {
  const facts = await stat(path, { bigint: true });
  const common = { path: await realpath(path), sizeBytes };
  if (!facts.isBlockDevice()) {
    return {
      kind: 'file',
      ...common,
      fileSystem: String(facts.dev),
      inode: String(facts.ino),
      modifiedAtNs: String(facts.mtimeNs),
    };
  }
  const deviceNumber = deviceNumberText(facts.rdev);
  const serial = await serialOf(deviceNumber);
  return { kind: 'device', ...common, deviceNumber, ...(serial === undefined ? {} : { serial }) };
}

/**
 * Whether both are the same file or disk, whatever it holds by now. A file is known by its path, or by its inode when it
 * was moved; a disk by its serial number, since names and numbers change when a machine starts.
 */
export function isSameSource(a: SourceIdentity, b: SourceIdentity): boolean {
  if (a.kind !== b.kind) return false;
  if (a.serial !== undefined && b.serial !== undefined) {
    // Partitions share their disk's serial number; the path then says which.
    return a.serial === b.serial && (a.path === b.path || a.sizeBytes === b.sizeBytes);
  }
  if (a.path === b.path) return true;
  return a.kind === 'file' && a.inode === b.inode && a.fileSystem === b.fileSystem;
}

/** Whether a header's member has the form of a SourceIdentity. */
export function isSourceIdentity(value: unknown): value is SourceIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, path, sizeBytes } = value as Partial<SourceIdentity>;
  const isKnownKind = kind === 'file' || kind === 'device' || kind === 'snapshot';
  return isKnownKind && typeof path === 'string' && typeof sizeBytes === 'number';
}

/** `major:minor`, as Linux splits a 64-bit device number (makedev(3)). */
function deviceNumberText(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

async function serialOf(deviceNumber: string): Promise<string | undefined> {
  for (const name of SERIAL_PATHS) {
    const text = await readFile(`/sys/dev/block/${deviceNumber}/${name}`, 'utf8').catch(() => '');
    if (text.trim() !== '') return text.trim();
  }
  return undefined;
}

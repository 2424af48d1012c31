import { ManifestError } from '../base/errors.ts';
import { decodeHeader, encodeHeader, type Header, type HeaderCopy } from './header.ts';
import { FORMAT_VERSION, HEADER_COPY_OFFSETS, HEADER_COPY_SIZE } from './layout.ts';
import type { ManifestFile } from './manifest-file.ts';

/**
 * Writes both copies of the header, each through to the disk before the next is touched: at any instant one of them is
 * whole, and afterwards either may be lost. Both must be whole before, or neither: {@link mendHeader}.
 */
export async function writeHeader(file: ManifestFile, header: Header): Promise<void> {
  const bytes = encodeHeader(header);
  for (const offset of HEADER_COPY_OFFSETS) {
    await file.write(bytes, offset);
    await file.sync();
  }
}

/** Makes the copy that is older or damaged, if one is, the same as the other. */
export async function mendHeader(
  file: ManifestFile,
  { header, staleCopyOffset }: FoundHeader,
): Promise<void> {
  if (staleCopyOffset === undefined) return;
  await file.write(encodeHeader(header), staleCopyOffset);
  await file.sync();
}

/** What both copies came to. */
export interface FoundHeader {
  readonly header: Header;
  /** Where the other copy lies, if it is not the same. */
  readonly staleCopyOffset: number | undefined;
}

/**
 * Reads the newer of the whole copies; undefined when there is none because nothing was ever written.
 * @throws {ManifestError} ERR_EBS_MANIFEST_FOREIGN when the file is no manifest, or of another version;
 * ERR_EBS_MANIFEST_DAMAGED when it is one, and neither copy is whole.
 */
export async function readHeader(file: ManifestFile): Promise<FoundHeader | undefined> {
  const copies: HeaderCopy[] = [];
  for (const offset of HEADER_COPY_OFFSETS) {
    const bytes = Buffer.alloc(HEADER_COPY_SIZE);
    copies.push(decodeHeader(bytes.subarray(0, await file.read(bytes, offset))));
  }
  const [first, second] = copies.map((copy) => (copy.kind === 'whole' ? copy.header : undefined));
  const newer = newerOf(first, second);
  if (newer !== undefined) return newer;
  if (copies.every(({ kind }) => kind === 'blank')) return undefined;
  throw whyNone(copies, file.path);
}

function newerOf(first: Header | undefined, second: Header | undefined): FoundHeader | undefined {
  const ahead = (first?.sequence ?? -1) - (second?.sequence ?? -1);
  const header = ahead >= 0 ? first : second;
  if (header === undefined) return undefined;
  if (ahead === 0) return { header, staleCopyOffset: undefined };
  return { header, staleCopyOffset: HEADER_COPY_OFFSETS[ahead > 0 ? 1 : 0] };
}

function whyNone(copies: readonly HeaderCopy[], path: string): ManifestError {
  for (const copy of copies) {
    if (copy.kind !== 'foreign-version') continue;
    const message = `"${path}" is a manifest of version ${copy.version}; this program knows version ${FORMAT_VERSION}`;
    return new ManifestError('ERR_EBS_MANIFEST_FOREIGN', message, { path });
  }
  for (const copy of copies) {
    if (copy.kind !== 'damaged') continue;
    const message = `neither copy of the header of "${path}" is whole (${copy.fault})`;
    return new ManifestError('ERR_EBS_MANIFEST_DAMAGED', message, { path });
  }
  return new ManifestError('ERR_EBS_MANIFEST_FOREIGN', `"${path}" is not a manifest`, { path });
}

import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlockReader } from './block-reader.ts';
import { GIB, VOLUME_SIZE_GIB_MAX } from './base/constants.ts';
import { SourceError } from './base/errors.ts';
import { blockCountCeil, blockOffset, volumeBlockCount, volumeSizeGiBCeil } from './base/units.ts';
import type { Block } from './engine/engine.ts';
import { zeroBlock } from './engine/zero-block.ts';
import type { UploadEvents } from './events.ts';
import type { Job } from './job.ts';
import { identifySource } from './manifest/source-identity.ts';
import type { SnapshotResult, SnapshotWriterOptions, UploadOptions } from './options.ts';
import { validateUploadOptions } from './options-validation.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import { findChangedBlocks, type ChangedBlocks } from './source/changed-blocks.ts';
import type { UploadSource } from './upload-manifest.ts';

/**
 * Uploads a file, a block device or a stream of bytes into a new snapshot and resolves when it can be read.
 * Nothing is created when the source is missing, empty or larger than the volume.
 * @throws TypeError, RangeError for wrong options; SourceError, ServiceError, TransportError, CompletionError; AbortError.
 */
export async function uploadSnapshot(options: UploadOptions): Promise<SnapshotResult> {
  validateUploadOptions(options);
  return typeof options.source === 'string'
    ? uploadDisk(options.source, options)
    : uploadStream(options.source, options);
}

async function uploadDisk(path: string, options: UploadOptions): Promise<SnapshotResult> {
  const { engine, maxInFlightBytes, signal, range, changed: map } = options;
  const { firstBlock = 0, endBlock = Infinity } = range ?? {};
  const reader = new BlockReader(path, {
    ...(engine === undefined ? {} : { engine }),
    ...(maxInFlightBytes === undefined ? {} : { maxBufferBytes: maxInFlightBytes }),
    ...(signal === undefined ? {} : { signal }),
    firstBlock,
    blockCount: endBlock - firstBlock,
  });
  try {
    const { sizeBytes } = await reader.open();
    const volumeSizeGiB = options.params?.VolumeSize ?? volumeSizeGiBCeil(sizeBytes);
    checkSize(path, sizeBytes, volumeSizeGiB);
    const end = Math.min(endBlock, volumeBlockCount(volumeSizeGiB));
    const changed = map === undefined ? undefined : await findChangedBlocks(map, sizeBytes);
    const bytesOfRange = range === undefined ? sizeBytes : blockOffset(end - firstBlock);
    const bytesToCome = changed === undefined ? bytesOfRange : changedBytes(changed);
    const writer = new DiskWriter(writerOptions(options, volumeSizeGiB, bytesToCome), {
      path,
      sizeBytes,
      endBlock: Math.max(firstBlock, Math.min(end, blockCountCeil(sizeBytes))),
      changed,
    });
    listen(options, writer);
    tellStart(options, writer, jobOf(writer, reader));
    // A generator between the two streams would cost more for each block than the streams themselves.
    const isWhole = options.resume !== true && changed === undefined;
    const result = await finished(isWhole ? reader : writer.blocksOf(reader), writer);
    const isPartial = result.bytesRead === 0 || range !== undefined || changed !== undefined;
    return isPartial ? result : { ...result, bytesRead: sizeBytes };
  } finally {
    reader.destroy();
  }
}

async function uploadStream(
  source: Readable | AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<SnapshotResult> {
  const volumeSizeGiB = options.params?.VolumeSize;
  if (volumeSizeGiB === undefined) {
    throw Object.assign(
      new TypeError('params.VolumeSize must be given for a stream, whose length is unknown'),
      { code: 'ERR_INVALID_ARG_TYPE' },
    );
  }
  const writer = new SnapshotWriter(writerOptions(options, volumeSizeGiB));
  listen(options, writer);
  tellStart(options, writer, writer);
  return finished(notEmpty(source), writer);
}

/** Whatever ends the pipeline ends the writer, which tells the outcome once everything is closed. */
async function finished(
  source: AsyncIterable<unknown>,
  writer: SnapshotWriter,
): Promise<SnapshotResult> {
  await Promise.allSettled([pipeline(source, writer)]);
  return writer.done();
}

/** A file or device, or what has changed of it. */
interface Disk {
  readonly path: string;
  readonly sizeBytes: number;
  /** The first block behind those that are the upload's to read, what has not changed included. */
  readonly endBlock: number;
  readonly changed: ChangedBlocks | undefined;
}

/** A writer of a file or device, which is known, and stands for the whole volume. */
class DiskWriter extends SnapshotWriter {
  readonly #disk: Disk;

  constructor(options: SnapshotWriterOptions, disk: Disk) {
    super(options);
    this.#disk = disk;
  }

  protected override get coversVolume(): boolean {
    return true;
  }

  protected override get sourceEndBlock(): number {
    return this.#disk.endBlock;
  }

  protected override async identifySource(): Promise<UploadSource> {
    const { path, sizeBytes, endBlock } = this.#disk;
    return { identity: await identifySource(path, sizeBytes), endBlock };
  }

  /** What of the disk has to be read: nothing when an earlier run has sent it all. */
  async *blocksOf(reader: BlockReader): AsyncGenerator<Block> {
    if (await this.isSealed()) return;
    const { changed } = this.#disk;
    if (changed !== undefined) {
      // What an earlier run has sent may have changed back since, and its map may have been another.
      for await (const index of this.sentBefore()) {
        if (index < this.sourceEndBlock) changed.data.add(index);
      }
      (await reader.open()).select(changed.data);
      for (const index of changed.zeros) {
        if (!changed.data.has(index)) yield zeroBlock(index, 'zero');
      }
    }
    yield* reader as AsyncIterable<Block>;
  }
}

function changedBytes({ data, zeros }: ChangedBlocks): number {
  return blockOffset(data.size + zeros.size);
}

function writerOptions(
  { source: _source, changed: _changed, on: _on, params, ...rest }: UploadOptions,
  volumeSizeGiB: number,
  sourceSizeBytes?: number,
): SnapshotWriterOptions {
  return {
    ...rest,
    params: { ...params, VolumeSize: volumeSizeGiB },
    ...(sourceSizeBytes === undefined ? {} : { sourceSizeBytes }),
  };
}

function listen({ on = {} }: UploadOptions, writer: SnapshotWriter): void {
  const { start: _start, ...events } = on;
  for (const name of Object.keys(events) as (keyof UploadEvents)[]) {
    writer.on(name, (event) => (events[name] as ((event: unknown) => void) | undefined)?.(event));
  }
}

/** A listener that throws ends the upload, as those of the other events do. */
function tellStart({ on }: UploadOptions, writer: SnapshotWriter, job: Job): void {
  try {
    on?.start?.(job);
  } catch (error) {
    writer.destroy(error as Error);
  }
}

/** The writer, with the reader's memory under the same bound: blocks are in the reader's until they are acknowledged. */
function jobOf(writer: SnapshotWriter, reader: BlockReader): Job {
  return {
    get limits() {
      return writer.limits;
    },
    set limits(limits) {
      writer.limits = limits;
      reader.maxBufferBytes = writer.limits.maxInFlightBytes ?? reader.maxBufferBytes;
    },
    get state() {
      return writer.state;
    },
  };
}

function checkSize(path: string, sizeBytes: number, volumeSizeGiB: number): void {
  if (sizeBytes === 0) {
    throw new SourceError('ERR_EBS_SOURCE_SIZE', `${path} is empty`, { path });
  }
  if (volumeSizeGiB > VOLUME_SIZE_GIB_MAX) {
    throw new SourceError(
      'ERR_EBS_SOURCE_SIZE',
      `${path} is larger than the largest volume of ${VOLUME_SIZE_GIB_MAX} GiB`,
      { path },
    );
  }
  if (sizeBytes > volumeSizeGiB * GIB) {
    throw new SourceError(
      'ERR_EBS_SOURCE_SIZE',
      `${path} has ${sizeBytes} bytes, more than a volume of ${volumeSizeGiB} GiB holds`,
      { path },
    );
  }
}

/** An empty stream is a mistake upstream, not an empty disk: it is refused before anything is created. */
async function* notEmpty(source: Readable | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isEmpty = true;
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    if (chunk.length > 0) isEmpty = false;
    yield chunk;
  }
  if (isEmpty) throw new SourceError('ERR_EBS_SOURCE_SIZE', 'the source is empty');
}

import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlockReader } from './block-reader.ts';
import { GIB, VOLUME_SIZE_GIB_MAX } from './base/constants.ts';
import { SourceError } from './base/errors.ts';
import { blockCountCeil, volumeSizeGiBCeil } from './base/units.ts';
import type { Block } from './engine/engine.ts';
import type { UploadEvents } from './events.ts';
import type { Job } from './job.ts';
import { identifySource } from './manifest/source-identity.ts';
import type { SnapshotResult, SnapshotWriterOptions, UploadOptions } from './options.ts';
import { validateUploadOptions } from './options-validation.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
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
  const { engine, maxInFlightBytes, signal } = options;
  const reader = new BlockReader(path, {
    ...(engine === undefined ? {} : { engine }),
    ...(maxInFlightBytes === undefined ? {} : { maxBufferBytes: maxInFlightBytes }),
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    const { sizeBytes } = await reader.open();
    const volumeSizeGiB = options.params?.VolumeSize ?? volumeSizeGiBCeil(sizeBytes);
    checkSize(path, sizeBytes, volumeSizeGiB);
    const writer = new DiskWriter(writerOptions(options, volumeSizeGiB, sizeBytes), path);
    listen(options, writer);
    tellStart(options, writer, jobOf(writer, reader));
    // A generator between the two streams would cost more for each block than the streams themselves.
    const source = options.resume === true ? writer.blocksOf(reader) : reader;
    const result = await finished(source, writer);
    return result.bytesRead === 0 ? result : { ...result, bytesRead: sizeBytes };
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

/** A writer of a file or device, which is known, and stands for the whole volume. */
class DiskWriter extends SnapshotWriter {
  readonly #path: string;
  readonly #sizeBytes: number;

  constructor(options: SnapshotWriterOptions, path: string) {
    super(options);
    this.#path = path;
    this.#sizeBytes = options.sourceSizeBytes ?? 0;
  }

  protected override get coversVolume(): boolean {
    return true;
  }

  protected override async identifySource(): Promise<UploadSource> {
    const identity = await identifySource(this.#path, this.#sizeBytes);
    return { identity, endBlock: blockCountCeil(this.#sizeBytes) };
  }

  /** What of the disk has to be read: nothing when an earlier run has sent it all. */
  async *blocksOf(reader: AsyncIterable<Block>): AsyncGenerator<Block> {
    if (!(await this.isSealed())) yield* reader;
  }
}

function writerOptions(
  { source: _source, on: _on, params, ...rest }: UploadOptions,
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

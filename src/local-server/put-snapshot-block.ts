import { jsonAnswer, type Answer } from './answers.ts';
import { Constraints, parseInteger } from './constraints.ts';
import type { HashedBytes } from './hashed-bytes.ts';
import { frameworkError, invalid, invalidParameter, snapshotNotFound } from './refusal.ts';
import {
  alreadyCompleted,
  headerOf,
  requireWritable,
  type EbsCall,
  type Service,
} from './service.ts';
import { BLOCK_SIZE, BLOCKS_PER_GIB, DIGEST_SIZE, HEADER, PATTERN } from './wire-table.ts';

interface PutRequest {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly dataLength: number;
  readonly checksum: string;
  readonly algorithm: string;
}

/** PutSnapshotBlock: stores one block after comparing its bytes with the digest that came along. */
export async function putSnapshotBlock(service: Service, call: EbsCall): Promise<Answer> {
  const request = readRequest(call);
  const { snapshotId, blockIndex } = request;
  const snapshot = requireWritable(service, snapshotId, call.region);
  checkEncoding(headerOf(call, 'content-encoding'));
  checkBody(request, call);
  if (blockIndex >= snapshot.record.volumeSizeGiB * BLOCKS_PER_GIB) {
    throw invalid('INVALID_BLOCK', `Block index ${blockIndex} is beyond the volume size extent`);
  }
  if (request.algorithm !== 'SHA256') {
    throw invalidParameter(
      `Unsupported Checksum Algorithm '${request.algorithm}', supported algorithms are SHA256`,
    );
  }
  const { content } = call.body;
  const expectedDigest = await readChecksum(request.checksum, content);
  const block = { index: blockIndex, content, expectedDigest };
  switch (await service.store.putBlock(snapshot, block, service.now())) {
    case 'stored':
      return jsonAnswer(
        'PutSnapshotBlock',
        {},
        { [HEADER.checksum]: request.checksum, [HEADER.checksumAlgorithm]: 'SHA256' },
      );
    case 'mismatch':
      throw await checksumMismatch(request.checksum, content);
    case 'sealed':
      throw alreadyCompleted();
    case 'deleted':
      throw snapshotNotFound(snapshotId);
    case 'conflict':
      throw invalid(
        'CONFLICTING_BLOCK_UPDATE',
        `Block index ${blockIndex} is being updated by another request`,
      );
  }
}

function readRequest(call: EbsCall): PutRequest {
  const { SnapshotId: snapshotId = '', BlockIndex } = call.path;
  const blockIndex = parseInteger(BlockIndex);
  const dataLength = parseInteger(headerOf(call, HEADER.dataLength));
  const checksum = headerOf(call, HEADER.checksum);
  const algorithm = headerOf(call, HEADER.checksumAlgorithm);
  const constraints = new Constraints();
  constraints.text('snapshotId', snapshotId, { maxLength: 64, pattern: PATTERN.snapshotId });
  constraints.range('blockIndex', blockIndex, { min: 0 });
  constraints.required('dataLength', dataLength);
  constraints.range('progress', parseInteger(headerOf(call, HEADER.progress)), {
    min: 0,
    max: 100,
  });
  constraints.required('checksum', checksum);
  constraints.text('checksum', checksum, { maxLength: 64, pattern: PATTERN.checksum });
  constraints.required('checksumAlgorithm', algorithm);
  constraints.check();
  return {
    snapshotId,
    blockIndex: blockIndex ?? 0,
    dataLength: dataLength ?? 0,
    checksum: checksum ?? '',
    algorithm: algorithm ?? '',
  };
}

/** A block travels as it is: what is compressed would not be the block that its length and digest tell of. */
function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === 'identity') return;
  throw invalid('INVALID_CONTENT_ENCODING', `Content encoding ${encoding} is not supported`);
}

/** A short body is reported before a wrong DataLength. */
function checkBody({ dataLength }: PutRequest, { body }: EbsCall): void {
  if (body.isTooLong) {
    throw invalid(
      'INVALID_BLOCK',
      `Block data is longer than the block size, expected ${BLOCK_SIZE}`,
    );
  }
  if (body.isCut || body.content.bytes.length < BLOCK_SIZE) {
    throw invalidParameter('Failed to read block data');
  }
  if (dataLength !== BLOCK_SIZE) {
    throw invalid(
      'INVALID_BLOCK',
      `Block data length ${dataLength} is not valid, expected ${BLOCK_SIZE}`,
    );
  }
}

/** Only the one way of writing a digest in base64 that the service itself uses is the digest. */
async function readChecksum(checksum: string, content: HashedBytes): Promise<Buffer> {
  const digest = Buffer.from(checksum, 'base64');
  if (digest.length === DIGEST_SIZE && digest.toString('base64') === checksum) return digest;
  throw await checksumMismatch(checksum, content);
}

async function checksumMismatch(expected: string, content: HashedBytes): Promise<Error> {
  const computed = (await content.digest()).toString('base64');
  return frameworkError(
    403,
    'InvalidSignatureException',
    `The value passed in as ${HEADER.checksum} does not match the computed checksum. ` +
      `Computed checksum: ${computed} expected checksum: ${expected}`,
  );
}

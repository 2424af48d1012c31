import { jsonAnswer, type Answer } from './answers.ts';
import { Constraints, parseInteger } from './constraints.ts';
import { frameworkError, invalid, invalidParameter, snapshotNotFound } from './refusal.ts';
import {
  alreadyCompleted,
  headerOf,
  requireWritable,
  type EbsCall,
  type Service,
} from './service.ts';
import { BLOCK_SIZE, BLOCKS_PER_GIB, HEADER, PATTERN } from './wire-table.ts';

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
  const computed = call.body.digest.toString('base64');
  if (computed !== request.checksum) throw checksumMismatch(computed, request.checksum);
  const block = { index: blockIndex, data: call.body.bytes, digest: call.body.digest };
  switch (await service.store.putBlock(snapshot, block, service.now())) {
    case 'stored':
      return jsonAnswer(
        'PutSnapshotBlock',
        {},
        { [HEADER.checksum]: computed, [HEADER.checksumAlgorithm]: 'SHA256' },
      );
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
  if (body.isCut || body.bytes.length < BLOCK_SIZE) {
    throw invalidParameter('Failed to read block data');
  }
  if (dataLength !== BLOCK_SIZE) {
    throw invalid(
      'INVALID_BLOCK',
      `Block data length ${dataLength} is not valid, expected ${BLOCK_SIZE}`,
    );
  }
}

function checksumMismatch(computed: string, expected: string): Error {
  return frameworkError(
    403,
    'InvalidSignatureException',
    `The value passed in as ${HEADER.checksum} does not match the computed checksum. ` +
      `Computed checksum: ${computed} expected checksum: ${expected}`,
  );
}

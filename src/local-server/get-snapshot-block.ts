import type { Answer } from './answers.ts';
import { Constraints, parseInteger } from './constraints.ts';
import { internalError, invalid } from './refusal.ts';
import { requireReadable, type EbsCall, type Service } from './service.ts';
import { BLOCK_SIZE, BLOCKS_PER_GIB, HEADER, OPERATIONS, PATTERN } from './wire-table.ts';

/** GetSnapshotBlock: the bytes of one block, for who holds a token of this very block. */
export async function getSnapshotBlock(service: Service, call: EbsCall): Promise<Answer> {
  const { SnapshotId: snapshotId = '', BlockIndex } = call.path;
  const blockIndex = parseInteger(BlockIndex) ?? 0;
  const blockToken = call.query.get('blockToken');
  const constraints = new Constraints();
  constraints.text('snapshotId', snapshotId, { maxLength: 64, pattern: PATTERN.snapshotId });
  constraints.range('blockIndex', blockIndex, { min: 0 });
  constraints.required('blockToken', blockToken);
  constraints.text('blockToken', blockToken, { maxLength: 256, pattern: PATTERN.blockToken });
  constraints.check();
  const { volumeSizeGiB } = requireReadable(service, snapshotId, call.region).record;
  const isMeant =
    blockIndex < volumeSizeGiB * BLOCKS_PER_GIB &&
    service.tokens.opensBlock(blockToken ?? '', { snapshotId, blockIndex }, service.now());
  const block = isMeant ? service.store.locate(snapshotId, blockIndex) : undefined;
  if (block === undefined) {
    throw invalid('INVALID_BLOCK_TOKEN', `The block token ${blockToken ?? ''} is invalid.`);
  }
  const buffer = await service.buffers.lease();
  try {
    await service.store.readBlock(block, buffer);
  } catch (error) {
    service.buffers.release(buffer);
    throw internalError(`Block ${blockIndex} of ${snapshotId} cannot be read: ${String(error)}`);
  }
  return {
    status: OPERATIONS.GetSnapshotBlock.status,
    contentType: 'application/octet-stream',
    headers: {
      [HEADER.dataLength]: String(BLOCK_SIZE),
      [HEADER.checksum]: block.digest.toString('base64'),
      [HEADER.checksumAlgorithm]: 'SHA256',
    },
    body: buffer,
    release: () => service.buffers.release(buffer),
  };
}

import { jsonAnswer, type Answer } from './answers.ts';
import { Constraints } from './constraints.ts';
import { readPageRequest, startOfPage } from './paging.ts';
import { requireReadable, type EbsCall, type Service } from './service.ts';
import { EpochTime, type WireObject } from './wire-json.ts';
import { BLOCK_SIZE, BLOCK_TOKEN_LIFE_MS, BLOCKS_PER_GIB, PATTERN } from './wire-table.ts';

/** ListSnapshotBlocks: one page of the blocks that a snapshot has or inherits, each with a token to read it. */
export async function listSnapshotBlocks(service: Service, call: EbsCall): Promise<Answer> {
  const { SnapshotId: snapshotId = '' } = call.path;
  const constraints = new Constraints();
  constraints.text('snapshotId', snapshotId, { maxLength: 64, pattern: PATTERN.snapshotId });
  const page = readPageRequest(call, constraints);
  constraints.check();
  const { volumeSizeGiB } = requireReadable(service, snapshotId, call.region).record;
  const listing = { operation: 'ListSnapshotBlocks', snapshotIds: [snapshotId] } as const;
  const start = startOfPage(service, page, listing);

  const nowMs = service.now();
  const blocks: WireObject[] = [];
  let nextToken: string | null = null;
  if (start < volumeSizeGiB * BLOCKS_PER_GIB) {
    for await (const { blockIndex } of service.store.walk(snapshotId, start)) {
      if (blocks.length === page.maxResults) {
        nextToken = service.tokens.forPage({ ...listing, nextIndex: blockIndex }, nowMs);
        break;
      }
      const BlockToken = service.tokens.forBlock({ snapshotId, blockIndex }, nowMs);
      blocks.push({ BlockIndex: blockIndex, BlockToken });
    }
  }
  return jsonAnswer('ListSnapshotBlocks', {
    BlockSize: BLOCK_SIZE,
    Blocks: blocks,
    ExpiryTime: new EpochTime(blocks.length === 0 ? nowMs : nowMs + BLOCK_TOKEN_LIFE_MS),
    NextToken: nextToken,
    VolumeSize: volumeSizeGiB,
  });
}

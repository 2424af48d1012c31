import { jsonAnswer, type Answer } from './answers.ts';
import type { OwnedBlock } from './block-records.ts';
import { Constraints } from './constraints.ts';
import { readPageRequest, startOfPage, type PageRequest } from './paging.ts';
import { invalid, notFound } from './refusal.ts';
import { stateOf, type EbsCall, type Service } from './service.ts';
import type { SnapshotRecord } from './snapshot-record.ts';
import { EpochTime, type WireObject, type WireValue } from './wire-json.ts';
import { BLOCK_SIZE, BLOCK_TOKEN_LIFE_MS, BLOCKS_PER_GIB, PATTERN } from './wire-table.ts';

interface Pair {
  readonly first: SnapshotRecord;
  readonly second: SnapshotRecord;
}

interface ChangedPage {
  readonly changes: readonly WireObject[];
  /** Where the next page starts; null at the end. */
  readonly nextIndex: number | null;
}

/**
 * ListChangedBlocks: one page of the blocks that were written on either side since the two snapshots had a common
 * ancestor. Writing decides, not content. A page is cut over all allocated blocks before the unchanged ones are
 * dropped, so it can be short or empty and still have a successor.
 */
export async function listChangedBlocks(service: Service, call: EbsCall): Promise<Answer> {
  const { SecondSnapshotId: secondId = '' } = call.path;
  const firstId = call.query.get('firstSnapshotId');
  const constraints = new Constraints();
  const idRule = { maxLength: 64, pattern: PATTERN.snapshotId };
  if (firstId !== '') constraints.text('firstSnapshotId', firstId, idRule);
  constraints.text('secondSnapshotId', secondId, idRule);
  const page = readPageRequest(call, constraints);
  constraints.check();
  if (firstId === undefined || firstId === '') {
    throw invalid('INVALID_SNAPSHOT_ID', 'First snapshot should not be empty or null');
  }
  const pair = requirePair(service, { firstId, secondId, region: call.region });
  const listing = { operation: 'ListChangedBlocks', snapshotIds: [firstId, secondId] } as const;
  const start = startOfPage(service, page, listing);

  const { changes, nextIndex } = await collectPage(service, pair, { ...page, start });
  const isNothingLeft = changes.length === 0 && nextIndex === null;
  const nowMs = service.now();
  const tail: Record<string, WireValue> = isNothingLeft
    ? { BlockSize: null, ExpiryTime: null, NextToken: null, VolumeSize: null }
    : {
        BlockSize: BLOCK_SIZE,
        ExpiryTime: new EpochTime(nowMs + BLOCK_TOKEN_LIFE_MS),
        NextToken:
          nextIndex === null ? null : service.tokens.forPage({ ...listing, nextIndex }, nowMs),
        VolumeSize: pair.second.volumeSizeGiB,
      };
  return jsonAnswer('ListChangedBlocks', {
    ChangedBlocks: changes,
    LastEvaluatedBlockIndex: null,
    ...tail,
  });
}

function requirePair(
  service: Service,
  ids: { readonly firstId: string; readonly secondId: string; readonly region: string },
): Pair {
  const { firstId, secondId, region } = ids;
  const first = service.store.find(firstId, region);
  const second = service.store.find(secondId, region);
  if (
    first === undefined ||
    second === undefined ||
    !stateOf(service, first).isReadable ||
    !stateOf(service, second).isReadable
  ) {
    throw notFound(`The snapshot '${firstId}' or '${secondId}' does not exist.`);
  }
  if (first.record.lineage !== second.record.lineage) {
    throw invalid(
      'UNRELATED_SNAPSHOTS',
      `The snapshot ${firstId} and ${secondId} are not related.`,
    );
  }
  return { first: first.record, second: second.record };
}

async function collectPage(
  service: Service,
  pair: Pair,
  page: PageRequest & { readonly start: number },
): Promise<ChangedPage> {
  const { first, second } = pair;
  const volumeSizeGiB = Math.max(first.volumeSizeGiB, second.volumeSizeGiB);
  const isSame = first.snapshotId === second.snapshotId;
  if (page.start >= volumeSizeGiB * BLOCKS_PER_GIB || (!isSame && !differs(service, pair))) {
    return { changes: [], nextIndex: null };
  }
  const changes: WireObject[] = [];
  let seen = 0;
  let end = page.start;
  for await (const [mine, theirs] of walkBoth(service, pair, page.start)) {
    const blockIndex = (mine ?? theirs)?.blockIndex ?? 0;
    if (seen === page.maxResults) return { changes, nextIndex: blockIndex };
    seen += 1;
    end = blockIndex + 1;
    if (mine?.ownerId === theirs?.ownerId) continue;
    changes.push({
      BlockIndex: blockIndex,
      FirstBlockToken: blockToken(service, first.snapshotId, mine),
      SecondBlockToken: blockToken(service, second.snapshotId, theirs),
    });
  }
  // A snapshot against itself answers an empty page with a token before the last page, however few blocks it has.
  return { changes, nextIndex: isSame && seen > 0 ? end : null };
}

/** Whether anything was put to a snapshot that only one of the two descends from. */
function differs({ store }: Service, { first, second }: Pair): boolean {
  const mine = store.chainOf(first.snapshotId);
  const theirs = store.chainOf(second.snapshotId);
  const apart = [
    ...mine.filter((id) => !theirs.includes(id)),
    ...theirs.filter((id) => !mine.includes(id)),
  ];
  return apart.some((id) => (store.recordOf(id)?.verdict?.ownBlockCount ?? 0) > 0);
}

function blockToken(
  service: Service,
  snapshotId: string,
  block: OwnedBlock | undefined,
): string | null {
  if (block === undefined) return null;
  return service.tokens.forBlock({ snapshotId, blockIndex: block.blockIndex }, service.now());
}

/** Walks the union of both sides, ascending; a side without the block is undefined. */
async function* walkBoth(
  { store }: Service,
  { first, second }: Pair,
  start: number,
): AsyncGenerator<[OwnedBlock | undefined, OwnedBlock | undefined]> {
  const mine = store.walk(first.snapshotId, start);
  const theirs = store.walk(second.snapshotId, start);
  try {
    let a = await take(mine);
    let b = await take(theirs);
    while (a !== undefined || b !== undefined) {
      const index = Math.min(a?.blockIndex ?? Infinity, b?.blockIndex ?? Infinity);
      const isInFirst = a?.blockIndex === index;
      const isInSecond = b?.blockIndex === index;
      yield [isInFirst ? a : undefined, isInSecond ? b : undefined];
      if (isInFirst) a = await take(mine);
      if (isInSecond) b = await take(theirs);
    }
  } finally {
    await Promise.all([mine.return(undefined), theirs.return(undefined)]);
  }
}

async function take(blocks: AsyncGenerator<OwnedBlock>): Promise<OwnedBlock | undefined> {
  const next = await blocks.next();
  return next.done === true ? undefined : next.value;
}

import { zeroBlock } from './engine/zero-block.ts';
import type { UploadPipeline } from './pipeline/upload-pipeline.ts';
import type { UploadManifest } from './upload-manifest.ts';

/** Where the source has ended, and what may lie behind its end. */
export interface BehindSource {
  readonly firstBlock: number;
  /** The first block behind those that are the upload's to write. */
  readonly endBlock: number;
  /** Whether blocks that are not sent may read as a parent's. */
  readonly mayShowParent: boolean;
  /** Knows what earlier runs have sent. */
  readonly manifest: UploadManifest | undefined;
}

/** Sends the zeros that follow a source which stands for the whole: neither the parent's data nor an earlier run's may show. */
export async function clearBehind(
  pipeline: UploadPipeline,
  { firstBlock, endBlock, mayShowParent, manifest }: BehindSource,
): Promise<void> {
  if (mayShowParent) {
    for (let index = firstBlock; index < endBlock; index += 1) {
      await pipeline.put(zeroBlock(index, 'hole'));
    }
  } else if (manifest !== undefined) {
    await pipeline.settle();
    for await (const index of manifest.sentFrom(firstBlock)) {
      await pipeline.put(zeroBlock(index, 'hole'));
    }
  }
}

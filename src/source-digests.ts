import type { Readable } from 'node:stream';
import { BlockReader } from './block-reader.ts';
import { BlockAssembler } from './engine/block-assembler.ts';
import { BlockPool, type Lease } from './engine/block-pool.ts';
import type { Block, Engine } from './engine/engine.ts';
import type { Manifest } from './manifest/manifest.ts';
import type { BlockDigest } from './pipeline/compare-blocks.ts';
import { mapAhead } from './pipeline/map-ahead.ts';

/** A source whose blocks are wanted for nothing but their digests; zero blocks are left out. */
export interface DigestSource {
  readonly digests: AsyncIterable<BlockDigest>;
  /** Bytes of the source; of a stream, those that have come. */
  readonly sizeBytes: () => number;
  /** Ends reading, now. */
  readonly stop: () => void;
  readonly setMaxBytes: (maxBytes: number) => void;
}

/** How a source is read. */
export interface DigestSourceOptions {
  readonly engine: Engine;
  /** Bytes of blocks held at one time. */
  readonly maxBytes: number;
}

/** Opens a file or block device, or takes a stream of bytes. */
export async function openDigestSource(
  source: string | Readable | AsyncIterable<Uint8Array>,
  options: DigestSourceOptions,
): Promise<DigestSource> {
  if (typeof source !== 'string') return streamSource(source, options);
  const { engine, maxBytes } = options;
  const reader = new BlockReader(source, { engine: engine.name, maxBufferBytes: maxBytes });
  const { sizeBytes } = await reader.open();
  return {
    digests: diskDigests(reader),
    sizeBytes: () => sizeBytes,
    stop: () => void reader.destroy(),
    setMaxBytes: (bytes) => (reader.maxBufferBytes = bytes),
  };
}

/** What a manifest knows of its snapshot; blocks of which it must not be believed are without a digest. */
export async function* manifestDigests(manifest: Manifest): AsyncGenerator<BlockDigest, void> {
  for await (const run of manifest.records()) {
    for (const { blockIndex, state, digest } of run) {
      if (state !== 'absent') yield digest === undefined ? { blockIndex } : { blockIndex, digest };
    }
  }
}

/** Whether blocks without a record read as zeros: not where they are a parent's of which the manifest knows nothing. */
export function knowsAllBlocks({ facts: { parameters, base } }: Manifest): boolean {
  if (parameters.ParentSnapshotId === undefined) return true;
  return base?.isInherited === true && base.absentIsZero;
}

/** Nothing at all is expected. */
export async function* noDigests(): AsyncGenerator<BlockDigest, void> {
  // A snapshot that is checked by itself.
}

async function* diskDigests(reader: BlockReader): AsyncGenerator<BlockDigest, void> {
  for await (const block of reader as AsyncIterable<Block>) {
    const { index: blockIndex, kind, digest } = block;
    block.release();
    if (kind === 'data') yield { blockIndex, digest };
  }
}

function streamSource(
  source: Readable | AsyncIterable<Uint8Array>,
  { engine, maxBytes }: DigestSourceOptions,
): DigestSource {
  const pool = new BlockPool({ maxBytes });
  const assembler = new BlockAssembler(pool);
  const stopping = new AbortController();
  const stop = (): void => {
    stopping.abort();
    // A stream that brings nothing would otherwise be waited for.
    if ('destroy' in source) source.destroy();
  };
  const work = async ({ lease, blockIndex }: Numbered): Promise<BlockDigest | undefined> => {
    try {
      const [facts] = await engine.inspect([lease.bytes]);
      return facts === undefined || facts.isZero ? undefined : { blockIndex, digest: facts.digest };
    } finally {
      lease.release();
    }
  };
  const leases = cut(source as AsyncIterable<Uint8Array>, assembler, stopping.signal);
  const hashed = mapAhead(leases, { work, aheadMax: () => pool.slotCount, stop });
  async function* digests(): AsyncGenerator<BlockDigest, void> {
    try {
      for await (const block of hashed) if (block !== undefined) yield block;
    } finally {
      assembler.discard();
      pool.retire();
    }
  }
  return {
    digests: digests(),
    sizeBytes: () => assembler.bytesTaken,
    stop,
    setMaxBytes: (bytes) => pool.resize(bytes),
  };
}

interface Numbered {
  readonly lease: Lease;
  readonly blockIndex: number;
}

async function* cut(
  source: AsyncIterable<Uint8Array>,
  assembler: BlockAssembler,
  signal: AbortSignal,
): AsyncGenerator<Numbered, void> {
  let blockIndex = 0;
  for await (const chunk of source) {
    for await (const lease of assembler.push(chunk, signal))
      yield { lease, blockIndex: blockIndex++ };
  }
  const tail = assembler.finish();
  if (tail !== undefined) yield { lease: tail, blockIndex };
}

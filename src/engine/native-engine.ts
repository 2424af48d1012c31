import type { FileHandle } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { DIGEST_SIZE } from '../base/constants.ts';
import { ZERO_BLOCK_DIGEST } from '../base/digest.ts';
import type {
  BlockDestination,
  BlockFacts,
  Engine,
  EngineReader,
  EngineWriter,
  ReadOptions,
} from './engine.ts';
import type { NativeBinding, NativeInspectorHandle, NativeKernels } from './native-binding.ts';
import { NativeReader } from './native-reader.ts';
import { NativeWriter } from './native-writer.ts';
import { checkReadOptions } from './read-range.ts';
import { holdSlot } from './slot-memory.ts';
import { systemError } from './system-error.ts';

/**
 * Threads of one reader: each reads, then hashes, so there are more than cores, and the disk is busy while some hash;
 * beyond eight, neither a disk nor the sockets gain.
 */
export const READER_THREADS: number = Math.min(8, Math.max(4, availableParallelism()));

/** Writes to one target at a time: with blocks this large, four keep a disk busy that is not striped. */
const WRITER_THREADS = 4;

/** Threads that hash what was written; they do nothing else, so more than cores would be in vain. */
const INSPECTOR_THREADS = Math.min(4, availableParallelism());

/** Names of the kernels to use in place of the fastest, for tests and benchmarks. */
export interface KernelNames {
  readonly sha256?: string;
  readonly zeroScan?: string;
}

/** The engine over the addon: O_DIRECT reads, zero scan and SHA-256 on threads of its own. */
export class NativeEngine implements Engine {
  readonly name = 'native';
  readonly #binding: NativeBinding;
  readonly #inspector: NativeInspectorHandle;
  readonly #kernels: NativeKernels;

  /** @throws {RangeError} when a kernel is named that this CPU cannot run. */
  constructor(binding: NativeBinding, kernelNames: KernelNames = {}) {
    this.#binding = binding;
    this.#inspector = inspectorOf(binding);
    this.#kernels = {
      sha256Kernel: kernelIndex(binding.sha256Kernels, kernelNames.sha256),
      zeroScanKernel: kernelIndex(binding.zeroScanKernels, kernelNames.zeroScan),
    };
  }

  async openReader(path: string, options: ReadOptions = {}): Promise<EngineReader> {
    return await NativeReader.open(this.#binding, {
      ...checkReadOptions(options),
      ...this.#kernels,
      path,
      threadCount: READER_THREADS,
    });
  }

  openWriter({ fd }: FileHandle): EngineWriter {
    return new NativeWriter(new this.#binding.BlockWriter({ fd, threadCount: WRITER_THREADS }));
  }

  alignSlots(memory: Uint8Array): number {
    return this.#binding.alignSlots(memory);
  }

  inspect(blocks: readonly Uint8Array[]): Promise<BlockFacts[]> {
    if (blocks.length === 0) return Promise.resolve([]);
    // An owner may release a block too early; its slot is still not filled anew before the hash is done.
    const letGo = blocks.map(holdSlot);
    return new Promise((resolve) => {
      this.#inspector.inspect([...blocks], this.#kernels, (zeroFlags, digests) => {
        for (const done of letGo) done();
        resolve(Array.from(blocks, (_, i) => factsOf(i, zeroFlags, digests)));
      });
    });
  }

  save(block: Uint8Array, { fd, offset, expectedDigest }: BlockDestination): Promise<BlockFacts> {
    const isZeroExpected = Buffer.compare(ZERO_BLOCK_DIGEST, expectedDigest) === 0;
    const destination = { fd, offset, expectedDigest: isZeroExpected ? NO_DIGEST : expectedDigest };
    const letGo = holdSlot(block);
    return new Promise((resolve, reject) => {
      this.#inspector.save(block, this.#kernels, destination, (zeroFlags, digests, failure) => {
        letGo();
        if (failure === undefined) resolve(factsOf(0, zeroFlags, digests));
        else reject(systemError(failure));
      });
    });
  }
}

const NO_DIGEST = new Uint8Array(0);

/** One set of hashing threads for all engines of an environment. */
const inspectors = new WeakMap<NativeBinding, NativeInspectorHandle>();

function inspectorOf(binding: NativeBinding): NativeInspectorHandle {
  const known = inspectors.get(binding);
  if (known !== undefined) return known;
  const inspector = new binding.BlockInspector({ threadCount: INSPECTOR_THREADS });
  inspectors.set(binding, inspector);
  return inspector;
}

function kernelIndex(available: readonly string[], name: string | undefined): number {
  const index = name === undefined ? 0 : available.indexOf(name);
  if (index >= 0) return index;
  throw new RangeError(`Expected a kernel among ${available.join(', ')}, got ${name}`);
}

function factsOf(i: number, zeroFlags: Uint8Array, digests: Uint8Array): BlockFacts {
  return zeroFlags[i] === 1
    ? { isZero: true, digest: ZERO_BLOCK_DIGEST }
    : { isZero: false, digest: digests.subarray(i * DIGEST_SIZE, (i + 1) * DIGEST_SIZE) };
}

import { DIGEST_SIZE } from '../base/constants.ts';
import { abortError } from '../base/errors.ts';
import { slotCountFloor } from './block-pool.ts';
import type { BlockSet } from './block-set.ts';
import type { Block, EngineReader } from './engine.ts';
import { SLOT_OF_HOLE } from './native-binding.ts';
import type {
  NativeBatch,
  NativeBinding,
  NativeFailure,
  NativeReaderHandle,
  NativeReaderSetup,
  NativeSourceInfo,
} from './native-binding.ts';
import { SlotMemory } from './slot-memory.ts';
import { openError, readError } from './source-failure.ts';
import { zeroBlock } from './zero-block.ts';

/** Blocks that one call of next() returns at most: a hole of terabytes is handed out in pieces. */
const BLOCKS_PER_CALL = 256;

/** Numbers of one run in a batch. */
const RUN_FIELDS = 3;

/**
 * Reads a source through the addon.
 *
 * A slot is in exactly one place: with the native threads, which may fill it, or in one Block, from the moment it is
 * handed out until that block is released (and whoever else holds it has let go). Native code refuses a slot that it
 * has already.
 */
export class NativeReader implements EngineReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isBlockDevice: boolean;
  readonly isDirect: boolean;
  readonly #handle: NativeReaderHandle;
  readonly #memory: SlotMemory;
  /** Taken from native code, but not yet handed out. */
  #runs = new RunCursor({ runs: new Float64Array(0), digests: new Uint8Array(0) });
  #isClosed = false;
  #closing: Promise<void> | undefined;

  private constructor(path: string, info: NativeSourceInfo, native: NativeParts) {
    this.path = path;
    this.sizeBytes = info.sizeBytes;
    this.isBlockDevice = info.isBlockDevice;
    this.isDirect = info.isDirect;
    this.#handle = native.handle;
    this.#memory = native.memory;
  }

  /** Opens a source on a thread of its own. */
  static async open(
    binding: NativeBinding,
    setup: Omit<NativeReaderSetup, 'memory'>,
  ): Promise<NativeReader> {
    const native = makeParts(binding, setup);
    let info = native.handle.opened();
    while (info === undefined) {
      await changeOf(native.handle);
      info = native.handle.opened();
    }
    if (!isFailure(info)) return new NativeReader(setup.path, info, native);
    await stop(native.handle);
    native.memory.retire();
    throw openError(setup.path, info);
  }

  select(blocks: BlockSet): void {
    this.#handle.select(blocks.bits);
  }

  async next(): Promise<readonly Block[]> {
    if (this.#isClosed) throw abortError();
    if (this.#runs.isEmpty) this.#runs = new RunCursor(await this.#take());
    return this.#runs.take(BLOCKS_PER_CALL, this.#memory);
  }

  setMaxBufferBytes(maxBufferBytes: number): void {
    const slotCount = slotCountFloor(maxBufferBytes);
    const before = this.#memory.slotCount;
    if (slotCount > before) {
      this.#memory.grow(slotCount - before);
      this.#handle.addSlots(this.#memory.view(before), slotCount - before);
    }
    this.#handle.limitSlots(slotCount);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return (this.#closing ??= stop(this.#handle).then(() => this.#memory.retire()));
  }

  async #take(): Promise<NativeBatch> {
    for (;;) {
      const batch = this.#handle.take();
      // Made here, after the await, so that its stack names whoever called next().
      if (batch !== undefined && isFailure(batch)) throw readError(this.path, batch);
      if (batch !== undefined) return batch;
      await changeOf(this.#handle);
      if (this.#isClosed) throw abortError();
    }
  }
}

interface NativeParts {
  readonly handle: NativeReaderHandle;
  readonly memory: SlotMemory;
}

function makeParts(binding: NativeBinding, setup: Omit<NativeReaderSetup, 'memory'>): NativeParts {
  const memory = new SlotMemory({
    slotCount: setup.slotCount,
    // Weak, for native code keeps the memory: a reader that was abandoned could never be collected.
    onFree: (slot) => handleRef.deref()?.giveBack(slot),
    align: (memory) => binding.alignSlots(memory),
  });
  const handle = new binding.BlockReader({ ...setup, memory: memory.view(0) });
  const handleRef = new WeakRef(handle);
  return { handle, memory };
}

function changeOf(handle: NativeReaderHandle): Promise<void> {
  return new Promise((resolve) => handle.wait(resolve));
}

async function stop(handle: NativeReaderHandle): Promise<void> {
  handle.stop();
  while (!handle.stopped()) await changeOf(handle);
  handle.dispose();
}

function isFailure(
  result: NativeFailure | NativeBatch | NativeSourceInfo,
): result is NativeFailure {
  return 'errno' in result;
}

/** Makes blocks of a batch, as many at a time as are asked for. */
class RunCursor {
  readonly #runs: Float64Array;
  readonly #digests: Uint8Array;
  #runAt = 0;
  #digestAt = 0;
  /** Blocks of the present run that were handed out. */
  #takenOfRun = 0;

  constructor(batch: NativeBatch) {
    this.#runs = batch.runs;
    this.#digests = batch.digests;
  }

  get isEmpty(): boolean {
    return this.#runAt >= this.#runs.length;
  }

  take(countMax: number, memory: SlotMemory): Block[] {
    const blocks: Block[] = [];
    while (!this.isEmpty && blocks.length < countMax) {
      const index = this.#field(0) + this.#takenOfRun;
      const slot = this.#field(2);
      blocks.push(slot < 0 ? zeroBlock(index, kindOf(slot)) : this.#dataBlock(index, slot, memory));
      this.#takenOfRun += 1;
      if (this.#takenOfRun >= this.#field(1)) {
        this.#runAt += RUN_FIELDS;
        this.#takenOfRun = 0;
      }
    }
    return blocks;
  }

  #field(position: number): number {
    return this.#runs[this.#runAt + position] ?? 0;
  }

  #dataBlock(index: number, slot: number, memory: SlotMemory): Block {
    const digest = this.#digests.subarray(this.#digestAt, this.#digestAt + DIGEST_SIZE);
    this.#digestAt += DIGEST_SIZE;
    memory.hold(slot);
    return new SlotBlock({ index, digest, slot, memory });
  }
}

function kindOf(slot: number): 'zero' | 'hole' {
  return slot === SLOT_OF_HOLE ? 'hole' : 'zero';
}

/** A block of data in a slot of the reader. */
class SlotBlock implements Block {
  readonly index: number;
  readonly kind = 'data';
  readonly data: Uint8Array;
  readonly digest: Uint8Array;
  readonly #slot: number;
  #memory: SlotMemory | undefined;

  constructor(parts: { index: number; digest: Uint8Array; slot: number; memory: SlotMemory }) {
    this.index = parts.index;
    this.data = parts.memory.view(parts.slot);
    this.digest = parts.digest;
    this.#slot = parts.slot;
    this.#memory = parts.memory;
  }

  release(): void {
    const memory = this.#memory;
    this.#memory = undefined;
    memory?.letGo(this.#slot);
  }
}

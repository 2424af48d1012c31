import { constants } from 'node:fs';
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_SIZE } from './wire-table.ts';

/**
 * Which of the two copies of a volume holds a block. A block that is put again goes to the other copy, so that the bytes
 * acknowledged before stay whole until the new ones are recorded.
 */
export type Slot = 0 | 1;

/** One block in the files of a snapshot. */
export interface BlockPlace {
  readonly snapshotId: string;
  readonly blockIndex: number;
  readonly slot: Slot;
}

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/** Blocks in one file: 1 TiB, because ext4 ends a file at 16 TiB and a volume may have 64. */
const BLOCKS_PER_FILE = 2_097_152;
const OPEN_FILES_MAX = 64;

/**
 * The bytes of all snapshots: sparse files in one folder, block i at byte i × 524,288 of its volume. A volume over 1 TiB
 * continues in further files. Few files are open at a time, however many snapshots there are.
 */
export class VolumeFiles {
  readonly #folder: string;
  /** In order of last use, oldest first. */
  readonly #openFiles = new Map<string, OpenFile>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder when it is missing. */
  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
  }

  /**
   * Opens the file that is to hold a block, makes it when it is missing, and lets `write` write the block in place. Returns
   * what that returns.
   */
  write<T>(place: BlockPlace, write: (fd: number, offset: number) => Promise<T>): Promise<T> {
    return this.#withFile(this.#path(place), constants.O_RDWR | constants.O_CREAT, ({ fd }) =>
      write(fd, offsetInFile(place.blockIndex)),
    );
  }

  /**
   * Reads one block into `buffer`.
   * @throws {Error} when the file is missing or ends before the block does.
   */
  async read(place: BlockPlace, buffer: Uint8Array): Promise<void> {
    await this.#withFile(this.#path(place), constants.O_RDWR, async (file) => {
      let done = 0;
      while (done < BLOCK_SIZE) {
        const position = offsetInFile(place.blockIndex) + done;
        const { bytesRead } = await file.read(buffer, done, BLOCK_SIZE - done, position);
        if (bytesRead === 0) throw new Error(`${this.#path(place)} ends at byte ${position}`);
        done += bytesRead;
      }
    });
  }

  /** Whether the file that should hold a block is there and long enough. */
  async holds(place: BlockPlace): Promise<boolean> {
    const facts = await stat(this.#path(place)).catch(() => undefined);
    return facts !== undefined && facts.size >= offsetInFile(place.blockIndex) + BLOCK_SIZE;
  }

  /** Removes every file of a snapshot. */
  async remove(snapshotId: string): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => name.startsWith(`${snapshotId}.`));
    for (const name of names) {
      const path = join(this.#folder, name);
      const file = this.#openFiles.get(path);
      this.#openFiles.delete(path);
      if (file !== undefined) await (await file.handle).close();
      await rm(path, { force: true });
    }
  }

  /** Whether any file is there. */
  async isEmpty(): Promise<boolean> {
    return (await readdir(this.#folder)).length === 0;
  }

  /** Closes the open files; nothing may be reading or writing. */
  async close(): Promise<void> {
    const files = [...this.#openFiles.values()];
    this.#openFiles.clear();
    await Promise.all(files.map(async ({ handle }) => (await handle).close()));
  }

  #path({ snapshotId, blockIndex, slot }: BlockPlace): string {
    const part = String(Math.floor(blockIndex / BLOCKS_PER_FILE)).padStart(2, '0');
    return join(this.#folder, `${snapshotId}.${part}${slot === 0 ? '' : '.again'}`);
  }

  async #withFile<T>(
    path: string,
    flags: number,
    use: (file: FileHandle) => Promise<T>,
  ): Promise<T> {
    const file = this.#openFiles.get(path) ?? { handle: open(path, flags), users: 0 };
    file.users += 1;
    this.#openFiles.delete(path);
    this.#openFiles.set(path, file);
    try {
      const handle = await file.handle.catch((error: unknown) => {
        this.#openFiles.delete(path);
        throw error;
      });
      return await use(handle);
    } finally {
      file.users -= 1;
      await this.#closeIdleFiles();
    }
  }

  async #closeIdleFiles(): Promise<void> {
    for (const [path, file] of this.#openFiles) {
      if (this.#openFiles.size <= OPEN_FILES_MAX) return;
      if (file.users > 0) continue;
      this.#openFiles.delete(path);
      await (await file.handle).close();
    }
  }
}

function offsetInFile(blockIndex: number): number {
  return (blockIndex % BLOCKS_PER_FILE) * BLOCK_SIZE;
}

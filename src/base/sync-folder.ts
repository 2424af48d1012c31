import { open } from 'node:fs/promises';

/** Makes the names in a folder durable: syncing a file does not sync the folder that names it (fsync(2)). */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems cannot sync a folder and say so; the file itself is on the disk by now.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    await folder.close();
  }
}

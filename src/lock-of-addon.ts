import { loadNative } from './engine/load-native.ts';
import type { TryLock } from './manifest/file-lock.ts';

/** What locks a manifest; undefined without the addon. */
export function lockOfAddon(): TryLock | undefined {
  try {
    return loadNative().lockFile;
  } catch {
    // The engine that is used instead has been announced; a program of the system takes the lock.
    return undefined;
  }
}

import { loadNative } from './load-native.ts';

/** The addon's lock for files; undefined without the addon, and a program of the system takes the lock. */
export function lockOfAddon(): ((fd: number) => number) | undefined {
  try {
    return loadNative().lockFile;
  } catch {
    // The engine that is used instead has been announced.
    return undefined;
  }
}

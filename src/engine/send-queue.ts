import { loadNative } from './load-native.ts';

/**
 * Returns what tells the bytes on a TCP socket, given its descriptor, that the other side has not acknowledged yet: undefined for
 * a socket that does not say. Undefined itself where the addon cannot be loaded.
 */
export function loadSendQueue(): ((fd: number) => number | undefined) | undefined {
  try {
    const binding = loadNative();
    return (fd) => {
      const bytes = binding.unacknowledgedBytes(fd);
      return bytes < 0 ? undefined : bytes;
    };
  } catch {
    return undefined;
  }
}

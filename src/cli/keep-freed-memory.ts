/** Just below the largest size that glibc looks at, 32 MiB where pointers have 64 bits. */
const LARGE_BYTES = 31 * 1_048_576;

/**
 * Lets the process keep up to 62 MiB of what it frees, for what it allocates next. Node copies each piece of a body into
 * memory of its own and frees many at a time; glibc then gives all beyond 128 KiB back to the system, and each page costs a
 * fault when it is needed again. Once memory of some size was mapped for one allocation and freed, glibc keeps twice that:
 * mallopt(3), M_MMAP_THRESHOLD. Other allocators free it and think nothing of it.
 */
export function keepFreedMemory(): void {
  // Nothing holds it, so the next collection frees it; until something is written there, it is no memory at all.
  Buffer.allocUnsafeSlow(LARGE_BYTES);
}

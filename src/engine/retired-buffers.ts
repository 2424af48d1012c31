/**
 * Shared memory that was retired, for the next who wants as much. A job after another then works in memory that the
 * system has committed already, and a process does not grow until its garbage is collected, which V8 puts off since
 * its own heap stays small. Held weakly: what nobody takes is collected all the same.
 */
export class RetiredBuffers {
  readonly #buffers = new Set<WeakRef<SharedArrayBuffer>>();

  /** Takes over a buffer that nobody writes to or reads from any more. */
  add(buffer: SharedArrayBuffer): void {
    this.#buffers.add(new WeakRef(buffer));
  }

  /** Hands over a buffer of exactly that size, holding whatever was left in it, or makes one. */
  take(sizeBytes: number): SharedArrayBuffer {
    for (const ref of this.#buffers) {
      const buffer = ref.deref();
      if (buffer !== undefined && buffer.byteLength !== sizeBytes) continue;
      this.#buffers.delete(ref);
      if (buffer !== undefined) return buffer;
    }
    return new SharedArrayBuffer(sizeBytes);
  }
}

/** Those of this environment. */
export const retiredBuffers: RetiredBuffers = new RetiredBuffers();

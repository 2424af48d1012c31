import { createCipheriv, createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

const MIB = 1024 * 1024;
const SEED = 'ebs-snapshot demo';
const GROUP_COUNT = 8;
/** Each group is data, then zeros that were written, then a hole. */
const GROUP_MIB = { data: 24, zeros: 8, hole: 32 } as const;
/** Neither a whole block nor a whole sector, as the end of many an image is not. */
const TAIL_BYTES = 12_345;

/** What the image is made of, in bytes. */
export interface DemoImage {
  readonly sizeBytes: number;
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly holeBytes: number;
}

/** Writes the demo's disk image: the same bytes every time, from a seed. */
export async function makeDemoImage(path: string, signal: AbortSignal): Promise<DemoImage> {
  const key = createHash('sha256').update(SEED).digest().subarray(0, 16);
  // The key stream of a cipher: fast, without pattern, and repeatable.
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(MIB);
  const groupBytes = (GROUP_MIB.data + GROUP_MIB.zeros + GROUP_MIB.hole) * MIB;
  const file = await open(path, 'wx');
  try {
    for (let group = 0; group < GROUP_COUNT; group += 1) {
      signal.throwIfAborted();
      const offset = group * groupBytes;
      await fill(file, offset, { mib: GROUP_MIB.data, next: () => cipher.update(zeros) });
      await fill(file, offset + GROUP_MIB.data * MIB, { mib: GROUP_MIB.zeros, next: () => zeros });
    }
    const tail = cipher.update(zeros.subarray(0, TAIL_BYTES));
    await file.write(tail, 0, TAIL_BYTES, GROUP_COUNT * groupBytes);
  } finally {
    await file.close();
  }
  return {
    sizeBytes: GROUP_COUNT * groupBytes + TAIL_BYTES,
    dataBytes: GROUP_COUNT * GROUP_MIB.data * MIB + TAIL_BYTES,
    zeroBytes: GROUP_COUNT * GROUP_MIB.zeros * MIB,
    holeBytes: GROUP_COUNT * GROUP_MIB.hole * MIB,
  };
}

async function fill(
  file: FileHandle,
  offset: number,
  { mib, next }: { readonly mib: number; readonly next: () => Uint8Array },
): Promise<void> {
  for (let index = 0; index < mib; index += 1) {
    await file.write(next(), 0, MIB, offset + index * MIB);
  }
}

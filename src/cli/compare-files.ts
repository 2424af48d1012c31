import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

const READ_SIZE = 1024 * 1024;

/** Two digests of the same length of bytes, and what lies behind them. */
export interface Comparison {
  readonly sourceSha256: string;
  readonly restoredSha256: string;
  /** Whether the volume reads as zeros behind the source's end. */
  readonly isRestZero: boolean;
  readonly isEqual: boolean;
}

/** Compares a source with what was restored of it, whose volume may be longer: that part must be zero. */
export async function compareFiles(
  source: string,
  restored: string,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<Comparison> {
  const [sourceSha256, restoredSha256, isRestZero] = await Promise.all([
    sha256(source, { sizeBytes, signal }),
    sha256(restored, { sizeBytes, signal }),
    isZeroFrom(restored, { sizeBytes, signal }),
  ]);
  const isEqual = sourceSha256 === restoredSha256 && isRestZero;
  return { sourceSha256, restoredSha256, isRestZero, isEqual };
}

async function sha256(
  path: string,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<string> {
  const hash = createHash('sha256');
  const stream = createReadStream(path, { end: sizeBytes - 1, highWaterMark: READ_SIZE, signal });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function isZeroFrom(
  path: string,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const zeros = Buffer.alloc(READ_SIZE);
  const stream = createReadStream(path, { start: sizeBytes, highWaterMark: READ_SIZE, signal });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (!chunk.equals(zeros.subarray(0, chunk.length))) return false;
  }
  return true;
}

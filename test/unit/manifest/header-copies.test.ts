import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/manifest/crc32c.ts';
import { mendHeader, readHeader, writeHeader } from '../../../src/manifest/header-copies.ts';
import { encodeHeader, type Header } from '../../../src/manifest/header.ts';
import { HEADER_COPY_SIZE, HOLDER_OFFSET } from '../../../src/manifest/layout.ts';
import { plannedFacts, RecordingFile } from '../../support/manifest.ts';

const MANIFEST_ID = Buffer.alloc(16, 7);

function header(sequence: number, state: Header['facts']['state'] = 'planned'): Header {
  return {
    sequence,
    manifestId: MANIFEST_ID,
    trustedPages: 17,
    facts: plannedFacts({ state, parameters: { Description: 'x'.repeat(5000) } }),
  };
}

function fileOf(...copies: readonly (Buffer | undefined)[]): RecordingFile {
  const bytes = Buffer.alloc(HOLDER_OFFSET);
  for (const [at, copy] of copies.entries()) if (copy) bytes.set(copy, at * HEADER_COPY_SIZE);
  return new RecordingFile(bytes);
}

describe('writeHeader', () => {
  it('leaves the old or the new header, wherever it is cut off', async () => {
    for (const before of [header(1), header(2)]) {
      const after = header(before.sequence + 1, 'started');
      const start = fileOf(encodeHeader(before), encodeHeader(before));
      const whole = new RecordingFile(Buffer.from(start.bytes));
      await writeHeader(whole, after);
      let outcomes = '';
      for (const file of allCuts(start.bytes, whole)) {
        const found = await readHeader(file);
        expect([before, after]).toContainEqual(found?.header);
        outcomes += found?.header.sequence === after.sequence ? 'n' : 'o';
        // A second crash, while the first one is being mended, costs nothing either.
        if (found === undefined) continue;
        const mended = new RecordingFile(Buffer.from(file.bytes));
        await mendHeader(mended, found);
        for (const again of allCuts(file.bytes, mended)) {
          expect((await readHeader(again))?.header).toEqual(found.header);
        }
        expect(await readHeader(mended)).toEqual({
          header: found.header,
          staleCopyOffset: undefined,
        });
      }
      expect(outcomes).toMatch(/^o+n+$/);
    }
  });

  it('syncs each copy before it touches the other', async () => {
    const file = fileOf();
    await writeHeader(file, header(1));
    expect(file.log.map((one) => (one === 'sync' ? one : one.offset))).toEqual([
      0,
      'sync',
      HEADER_COPY_SIZE,
      'sync',
    ]);
  });

  it('refuses facts that do not fit, and takes the largest request of the service', async () => {
    const tags = Array.from({ length: 50 }, () => ({
      Key: 'ü'.repeat(127),
      Value: '語'.repeat(255),
    }));
    const parameters = { Tags: tags, Description: '語'.repeat(255) };
    const largest = { ...header(1), facts: plannedFacts({ parameters }) };
    const file = fileOf();
    await writeHeader(file, largest);
    expect((await readHeader(file))?.header).toEqual(largest);
    const facts = plannedFacts({ parameters: { Description: 'x'.repeat(HEADER_COPY_SIZE) } });
    expect(() => encodeHeader({ ...largest, facts })).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
    );
  });
});

describe('readHeader', () => {
  it('finds nothing where nothing was written', async () => {
    expect(await readHeader(fileOf())).toBeUndefined();
    expect(await readHeader(new RecordingFile(Buffer.alloc(0)))).toBeUndefined();
  });

  it('takes the other copy when any bit of one is wrong', async () => {
    const copy = encodeHeader({ ...header(3), facts: plannedFacts() });
    for (let bit = 0; bit < copy.byteLength * 8; bit += 1) {
      const bent = flipped(copy, bit);
      expect((await readHeader(fileOf(bent, copy)))?.staleCopyOffset).toBe(0);
      expect((await readHeader(fileOf(copy, bent)))?.staleCopyOffset).toBe(HEADER_COPY_SIZE);
    }
  });

  it('says that a header is damaged when both copies are', async () => {
    const copy = encodeHeader(header(3));
    const cut = copy.subarray(0, copy.byteLength - 1);
    for (const copies of [[flipped(copy, 999)], [cut, flipped(copy, 5000)]]) {
      await expect(readHeader(fileOf(...copies))).rejects.toMatchObject({
        name: 'ManifestError',
        code: 'ERR_EBS_MANIFEST_DAMAGED',
      });
    }
    const facts = { ...plannedFacts(), state: 'half-done' } as unknown as Header['facts'];
    const unknown = encodeHeader({ ...header(1), facts });
    await expect(readHeader(fileOf(unknown))).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_DAMAGED',
      message: expect.stringContaining('state') as unknown,
    });
  });

  it('tells a newer version, and what is no manifest', async () => {
    const newer = encodeHeader(header(3));
    newer.writeUInt32LE(2, 16);
    newer.writeUInt32LE(0, 20);
    newer.writeUInt32LE(crc32c(newer), 20);
    await expect(readHeader(fileOf(newer, newer))).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_FOREIGN',
      message: '"in memory" is a manifest of version 2; this program knows version 1',
    });
    await expect(readHeader(fileOf(Buffer.from('{"json": true}')))).rejects.toMatchObject({
      code: 'ERR_EBS_MANIFEST_FOREIGN',
      message: '"in memory" is not a manifest',
    });
  });
});

/** The file after each write, and after parts of it: a disk writes 512 bytes as a whole, a killed process a page. */
function* allCuts(before: Buffer, { log }: RecordingFile): Generator<RecordingFile> {
  const bytes = Buffer.from(before);
  yield new RecordingFile(Buffer.from(bytes));
  for (const step of log) {
    if (step === 'sync') continue;
    for (let done = 0; done < step.bytes.byteLength; done += 512) {
      bytes.set(step.bytes.subarray(done, done + 512), step.offset + done);
      yield new RecordingFile(Buffer.from(bytes));
    }
  }
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >>> 3] = (copy[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

import { execFile, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip, createGzip } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  restoreSnapshot,
  SnapshotWriter,
  uploadSnapshot,
  type UploadOptions,
} from '../../src/index.ts';
import { fill } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';
import { attachLoopDevice, canUseLoopDevices } from '../support/loop-device.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
const hasMkfs = await run('mkfs.ext4', ['-V']).then(
  () => true,
  () => false,
);

/** Bytes of the image, a small part of the volume: what goes through streams takes its time by the gibibyte. */
const IMAGE_BYTES = 64 * 1_048_576;

/** Makes an ext4 image with files in it. */
async function makeExt4(folder: string): Promise<string> {
  const content = join(folder, 'content');
  await mkdir(join(content, 'deep', 'er'), { recursive: true });
  await writeFile(join(content, 'big.bin'), fill(Buffer.alloc(20_000_003), 3));
  await writeFile(join(content, 'deep', 'er', 'zeros'), Buffer.alloc(3_000_000));
  await writeFile(join(content, 'hello'), 'hello, snapshot\n');
  const image = join(folder, 'disk.img');
  await run('mkfs.ext4', ['-q', '-d', content, image, `${IMAGE_BYTES / 1024}k`]);
  return image;
}

describe.skipIf(!hasMkfs)('an ext4 image comes back byte for byte, and e2fsck is content', () => {
  type Upload = (image: string, options: Omit<UploadOptions, 'source'>) => Promise<string>;

  const uploadFrom =
    (makeSource: (image: string) => Promise<UploadOptions['source']>): Upload =>
    async (image, options) => {
      const source = await makeSource(image);
      return (await uploadSnapshot({ ...options, source })).snapshotId;
    };

  const uploads: Record<string, Upload> = {
    'from a file': uploadFrom((image) => Promise.resolve(image)),
    'from the output of another process': uploadFrom((image) =>
      Promise.resolve(spawn('cat', [image]).stdout),
    ),
    'from a gzip stream through node:zlib': uploadFrom((image) =>
      Promise.resolve(
        createReadStream(image)
          .pipe(createGzip({ level: 1 }))
          .pipe(createGunzip()),
      ),
    ),
    'from fetch().body.pipeTo(...)': async (image, options) => {
      const server = createServer((_request, response) => {
        void pipeline(createReadStream(image), response);
      });
      onTestFinished(() => void server.close());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const { body } = await fetch(`http://127.0.0.1:${port}/`);
      const writer = new SnapshotWriter({ ...options, params: { VolumeSize: 1 } });
      await body?.pipeTo(SnapshotWriter.toWeb(writer) as WritableStream<Uint8Array>);
      return (await writer.done()).snapshotId;
    },
    ...(canUseLoopDevices && { 'from a loop device': uploadFrom(attachLoopDevice) }),
  };

  test.each(Object.entries(uploads))('%s', { timeout: 300_000 }, async (name, upload) => {
    const folder = await temporaryFolder();
    const image = await makeExt4(folder);
    const { client } = await startLocalService();
    // Every block is written once here; leaving zeros out keeps the other ways short.
    const zeroBlocks = name === 'from a file' ? 'write' : 'omit';
    const snapshotId = await upload(image, { client, zeroBlocks, params: { VolumeSize: 1 } });
    const target = join(folder, 'restored.img');
    await restoreSnapshot({ client, snapshotId, target });
    const sameBytes = run('cmp', [`--bytes=${IMAGE_BYTES}`, image, target]);
    await expect(sameBytes).resolves.toBeDefined();
    await expect(run('e2fsck', ['-fn', target])).resolves.toBeDefined();
    // Zeros came back as holes, those of the volume behind the image too.
    const { size, blocks } = await stat(target);
    expect(size).toBe(1_073_741_824);
    expect(blocks * 512).toBeLessThan(IMAGE_BYTES);
  });
});

describe('a source', () => {
  test('with a tail comes back padded with zeros to the volume', { timeout: 300_000 }, async () => {
    const folder = await temporaryFolder();
    const { client } = await startLocalService();
    const source = join(folder, 'tail.img');
    const bytes = fill(Buffer.alloc(1_000_001), 5);
    await writeFile(source, bytes);
    const { snapshotId, bytesRead } = await uploadSnapshot({ client, source });
    expect(bytesRead).toBe(1_000_001);
    const target = join(folder, 'restored.img');
    await restoreSnapshot({ client, snapshotId, target });
    const restored = await readFile(target);
    expect(restored.length).toBe(1_073_741_824);
    expect(restored.subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(
      Buffer.alloc(restored.length - bytes.length).equals(restored.subarray(bytes.length)),
    ).toBe(true);
  });

  test(
    'shorter than its parent hides the parent behind its end',
    { timeout: 300_000 },
    async () => {
      const folder = await temporaryFolder();
      const { client, requests } = await startLocalService();
      const write = async (name: string, length: number, seed: number) => {
        const path = join(folder, name);
        await writeFile(path, fill(Buffer.alloc(length), seed));
        return path;
      };
      const parent = await uploadSnapshot({ client, source: await write('a', 5_000_000, 1) });
      const source = await write('b', 700_000, 2);
      const child = await uploadSnapshot({
        client,
        source,
        params: { ParentSnapshotId: parent.snapshotId },
      });
      expect(child.changedBlocksCount).toBe(2048);
      const target = join(folder, 'restored.img');
      await restoreSnapshot({ client, snapshotId: child.snapshotId, target });
      const restored = await readFile(target);
      expect(restored.subarray(0, 700_000).equals(await readFile(source))).toBe(true);
      const behind = restored.subarray(700_000);
      expect(Buffer.alloc(behind.length).equals(behind)).toBe(true);
      expect(requests('StartSnapshot')).toBe(2);
    },
  );

  test.each([
    ['missing', (folder: string) => join(folder, 'none'), /no such file/i, 'ERR_EBS_SOURCE_OPEN'],
    ['a folder', (folder: string) => folder, /director|folder/i, 'ERR_EBS_SOURCE_OPEN'],
    ['empty', (folder: string) => join(folder, 'empty'), /empty/, 'ERR_EBS_SOURCE_SIZE'],
    [
      'too large',
      (folder: string) => join(folder, 'large'),
      /more than a volume of 1 GiB/,
      'ERR_EBS_SOURCE_SIZE',
    ],
  ])('that is %s is refused before anything is created', async (name, path, says, code) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'empty'), '');
    await writeFile(join(folder, 'large'), '');
    await truncate(join(folder, 'large'), 2 ** 30 + 1);
    const { client, ebs } = await startLocalService();
    const params = name === 'too large' ? { VolumeSize: 1 } : {};
    const upload = uploadSnapshot({ client, source: path(folder), params });
    await expect(upload).rejects.toMatchObject({
      code,
      message: expect.stringMatching(says) as string,
    });
    expect(ebs.counters().requests).toBe(0);
  });

  test('that is an empty stream is refused before anything is created', async () => {
    const { client, ebs } = await startLocalService();
    const upload = uploadSnapshot({ client, source: Readable.from([]), params: { VolumeSize: 1 } });
    await expect(upload).rejects.toMatchObject({ code: 'ERR_EBS_SOURCE_SIZE' });
    expect(ebs.counters().requests).toBe(0);
  });
});

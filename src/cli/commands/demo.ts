import { basename, join, relative } from 'node:path';
import {
  BLOCK_SIZE,
  restoreSnapshot,
  uploadSnapshot,
  type RestoreResult,
  type SnapshotResult,
} from '../../index.ts';
import { LocalEbs } from '../../local.ts';
import { clientOf } from '../client.ts';
import { compareFiles, type Comparison } from '../compare-files.ts';
import type { Context } from '../context.ts';
import { makeDemoImage } from '../demo-image.ts';
import { EXIT } from '../exit-codes.ts';
import { formatBytes, formatDuration, formatRate } from '../output.ts';
import { withProgress } from '../progress-view.ts';
import { makeTemporaryFolder } from '../temporary-folder.ts';

/** `ebs-snapshot demo [PATH]`: there and back on a local service, in a folder that is removed at the end. */
export async function run(
  [path]: readonly (string | undefined)[],
  _flags: object,
  context: Context,
): Promise<number> {
  const { output, stop } = context;
  const folder = makeTemporaryFolder();
  try {
    output.event('start', { command: 'demo', source: path });
    output.message('This demo runs on this machine alone: no AWS account, no credentials.');
    const source = path ?? (await prepareSource(join(folder.path, 'disk.img'), context));
    const restored = join(folder.path, 'restored.img');
    const { upload, restore } = await thereAndBack(
      { source, restored, folder: folder.path },
      context,
    );
    output.message('comparing');
    const comparison = await compareFiles(source, restored, {
      sizeBytes: upload.bytesRead,
      signal: stop.signal,
    });
    output.event('end', { ...comparison, upload, restore });
    output.result(summary({ path, upload, restore, comparison }));
    return comparison.isEqual ? EXIT.done : EXIT.different;
  } finally {
    folder.remove();
  }
}

async function prepareSource(path: string, { output, stop }: Context): Promise<string> {
  const image = await makeDemoImage(path, stop.signal);
  const { sizeBytes, dataBytes, zeroBytes, holeBytes } = image;
  output.event('image', image);
  output.message(
    `made a disk image of ${formatBytes(sizeBytes)}: ${formatBytes(dataBytes)} data, ` +
      `${formatBytes(zeroBytes)} zeros, ${formatBytes(holeBytes)} holes`,
  );
  return path;
}

async function thereAndBack(
  paths: { readonly source: string; readonly restored: string; readonly folder: string },
  context: Context,
): Promise<{ upload: SnapshotResult; restore: RestoreResult }> {
  const { output, stop } = context;
  const service = await LocalEbs.start({ directory: join(paths.folder, 'service') });
  const client = clientOf(service);
  const job = { client, signal: stop.signal };
  try {
    const upload = await withProgress(context, 'upload  ', (on) =>
      uploadSnapshot({
        ...job,
        source: paths.source,
        on: {
          ...on,
          snapshot: ({ SnapshotId }) => output.event('snapshot', { snapshotId: SnapshotId }),
        },
      }),
    );
    const restore = await withProgress(context, 'download', (on) =>
      restoreSnapshot({ ...job, snapshotId: upload.snapshotId, target: paths.restored, on }),
    );
    return { upload, restore };
  } finally {
    client.destroy();
    await service.close();
  }
}

function summary(demo: {
  readonly path: string | undefined;
  readonly upload: SnapshotResult;
  readonly restore: RestoreResult;
  readonly comparison: Comparison;
}): string {
  const { path, upload, restore, comparison } = demo;
  const zeroBytes = upload.zeroBlocks * BLOCK_SIZE;
  const restoredBytes = restore.blocksRead * BLOCK_SIZE;
  const rows = [
    ['snapshot', `${upload.snapshotId}, ${upload.volumeSizeGiB} GiB, ${upload.status}`],
    ['read', `${formatBytes(upload.bytesRead)}${path === undefined ? '' : ` of ${path}`}`],
    [
      'sent',
      `${formatBytes(upload.bytesSent)} in ${upload.changedBlocksCount} blocks, ` +
        timing(upload.bytesSent, upload.elapsedMs),
    ],
    ['zeros', `${formatBytes(zeroBytes)} of that, ${upload.omittedBlocks} blocks left out`],
    [
      'restored',
      `${formatBytes(restoredBytes)} in ${restore.blocksRead} checked blocks, ` +
        timing(restoredBytes, restore.elapsedMs),
    ],
    ['absent', `${restore.absentBlocks} blocks of the volume, which read as zeros`],
    ['retries', `${upload.retries + restore.retries}`],
    ['SHA-256', `${comparison.sourceSha256}  source`],
    ['', `${comparison.restoredSha256}  restored`],
    ['equal', verdict(comparison)],
  ];
  const lines = rows.map(([label = '', text = '']) => `  ${label.padEnd(9)} ${text}`.trimEnd());
  const next = nextCommands(path ?? 'disk.img').map((command) => `  ${command}`);
  return ['', ...lines, '', 'Next, still without an account:', ...next, ''].join('\n');
}

function timing(bytes: number, elapsedMs: number): string {
  return `${formatDuration(elapsedMs)}, ${formatRate(bytes, elapsedMs)}`;
}

function verdict({ isEqual, isRestZero }: Comparison): string {
  if (isEqual) return 'yes';
  return isRestZero ? 'NO' : 'NO: bytes behind the end of the source are not zero';
}

function nextCommands(disk: string): string[] {
  const script = process.argv[1] ?? '';
  const name =
    basename(script) === 'ebs-snapshot' ? 'ebs-snapshot' : `node ${relative('.', script)}`;
  return [
    `${name} upload ${disk} --local ./snapshots`,
    `${name} download SNAPSHOT copy.img --local ./snapshots`,
    `${name} serve --data ./snapshots`,
    `${name} --help`,
  ];
}

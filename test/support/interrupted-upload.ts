import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import {
  complaints,
  envOf,
  jsonLines,
  startCommand,
  type CommandResult,
  type RunningCommand,
} from './command.ts';
import type { LocalService } from './local-service.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Blocks in flight at most: what `--memory 4M` holds. */
export const WINDOW_BLOCKS = 8;

/** Slow enough that an upload of some blocks is under way when something happens to it. */
export const SLOWLY = ['--max-rate', '16M'];

/** A disk in a folder, to be uploaded by the command with a manifest. */
export interface DiskOnItsWay {
  /** Its path. */
  readonly source: string;
  /** Starts the command; it is killed, at the latest, when the test ends. */
  readonly start: (service: LocalService, flags?: readonly string[]) => RunningCommand;
  /** Runs it to its end, on with a manifest, and returns the snapshot's id, which is all that it prints. */
  readonly goOn: (service: LocalService, from?: { readonly manifest: string }) => Promise<string>;
}

/** @param how.manifest - Its path. Default: beside the disk. */
export async function putDiskOnItsWay(
  disk: Uint8Array,
  {
    manifest = 'disk.manifest',
    env = {},
  }: { manifest?: string; env?: Record<string, string> } = {},
): Promise<DiskOnItsWay> {
  const cwd = await temporaryFolder();
  const source = join(cwd, 'disk.img');
  await writeFile(source, disk);
  const upload = ['upload', 'disk.img', '--manifest', manifest, '--memory', '4M'];
  const start: DiskOnItsWay['start'] = (service, flags = []) => {
    const options = { cwd, env: { ...envOf(service.ebs), ...env } };
    const command = startCommand([...upload, ...flags], options);
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  const goOn: DiskOnItsWay['goOn'] = async (service, from) => {
    const flags = from === undefined ? [] : ['--manifest', from.manifest];
    const { result } = start(service, ['--resume', '--quiet', ...flags]);
    const { exitCode, stdout, stderr } = await result;
    expect({ exitCode, complaints: complaints(stderr) }).toEqual({ exitCode: 0, complaints: [] });
    return stdout.trim();
  };
  return { source, start, goOn };
}

/** How many blocks the service has acknowledged since it was started, repeats included. */
export function acknowledgements({ ebs }: LocalService): number {
  return ebs
    .history()
    .filter(({ operation, status }) => operation === 'PutSnapshotBlock' && status === 201).length;
}

/** How a run with `--json` ended that said one sentence, what it leaves and how to go on. */
export function endOf({ exitCode, stdout, stderr }: CommandResult): {
  readonly exitCode: number;
  readonly sentence: string;
  readonly event: Record<string, unknown>;
} {
  const [sentence = '', ...rest] = complaints(stderr);
  const event = jsonLines(stdout).at(-1) ?? {};
  const { snapshotId, resumeCommand } = event as { snapshotId?: string; resumeCommand?: string };
  expect(rest).toEqual([
    `ebs-snapshot: snapshot ${snapshotId} is left pending; AWS cancels it after 60 minutes without a block`,
    `ebs-snapshot: go on with: ${resumeCommand}`,
  ]);
  return { exitCode, sentence, event };
}

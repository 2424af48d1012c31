import { readdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startCommand, type CommandResult } from './command.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Whether the system tells the memory and the descriptors of a process. */
export const CAN_WATCH_PROCESSES: boolean = existsSync('/proc/self/status');

/** `ebs-snapshot serve` in a process of its own, watched from outside. */
export interface ServeProcess {
  readonly endpoint: string;
  readonly pid: number;
  /** The folder of its data. */
  readonly data: string;
  /** The folder that the data's folder is in; nothing else is. */
  readonly parent: string;
  /** Ends it with SIGTERM. */
  readonly stop: () => Promise<CommandResult>;
}

/** Starts the built command on a folder of its own; it is ended when the test is. */
export async function startServe(args: readonly string[] = []): Promise<ServeProcess> {
  const parent = await temporaryFolder();
  const data = join(parent, 'data');
  const { child, result, lineWith } = startCommand(['serve', '--data', data, ...args], {
    cwd: parent,
  });
  const stop = (): Promise<CommandResult> => {
    child.kill('SIGTERM');
    return result;
  };
  onTestFinished(async () => {
    await stop();
  });
  const endpoint = (await lineWith('listening on')).replace('listening on ', '');
  return { endpoint, pid: child.pid ?? 0, data, parent, stop };
}

/** The most memory that a process ever had, in bytes. */
export async function peakResidentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** How many descriptors a process has open. */
export async function openDescriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

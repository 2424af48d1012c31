import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';

/** Where Linux tells what a device is used for; tests have folders of their own. */
export interface DeviceRecords {
  readonly sys: string;
  readonly proc: string;
}

const SYSTEM: DeviceRecords = { sys: '/sys/class/block', proc: '/proc' };

/**
 * Says what keeps a block device, or a partition of it, in use, as `sdb1 is mounted on "/srv"`; undefined when that cannot
 * be told. The kernel has refused it already: this is for the message alone.
 */
export async function useOfDevice(
  path: string,
  records: DeviceRecords = SYSTEM,
): Promise<string | undefined> {
  const name = basename(await realpath(path).catch(() => path));
  const [mounts, swaps] = await Promise.all([mountPoints(records), swapDevices(records)]);
  for (const part of [name, ...(await partitionsOf(name, records))]) {
    const number = await text(`${records.sys}/${part}/dev`);
    const mountPoint = mounts.get(number.trim());
    if (mountPoint !== undefined) return `${part} is mounted on "${mountPoint}"`;
    if (swaps.has(part)) return `${part} is swap space`;
    const [holder] = await names(`${records.sys}/${part}/holders`);
    if (holder !== undefined) return `${part} is a part of ${await nameOfHolder(holder, records)}`;
  }
  return undefined;
}

async function partitionsOf(name: string, { sys }: DeviceRecords): Promise<string[]> {
  const entries = await names(`${sys}/${name}`);
  return entries.filter((entry) => entry.startsWith(name));
}

/** Mount points by `major:minor`: the third and the fifth field of a line (proc_pid_mountinfo(5)). */
async function mountPoints({ proc }: DeviceRecords): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const line of (await text(`${proc}/self/mountinfo`)).split('\n')) {
    const [, , number, , mountPoint] = line.split(' ');
    if (number !== undefined && mountPoint !== undefined) found.set(number, unescape(mountPoint));
  }
  return found;
}

async function swapDevices({ proc }: DeviceRecords): Promise<Set<string>> {
  const [, ...lines] = (await text(`${proc}/swaps`)).split('\n');
  return new Set(lines.map((line) => basename(line.split(/\s/)[0] ?? '')));
}

/** A logical volume or another mapping goes by the name that was given to it. */
async function nameOfHolder(holder: string, { sys }: DeviceRecords): Promise<string> {
  const mapped = (await text(`${sys}/${holder}/dm/name`)).trim();
  return mapped === '' ? holder : `${holder} (${mapped})`;
}

/** Spaces and the like are written as a backslash and three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(parseInt(digits, 8)),
  );
}

function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function names(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

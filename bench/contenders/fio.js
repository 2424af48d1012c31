import { run } from '../harness.js';

/**
 * Returns whether fio, which tells what a device can do, is installed.
 * @returns {Promise<boolean>}
 */
export async function hasFio() {
  return await run('fio', ['--version']).then(
    () => true,
    () => false,
  );
}

/**
 * Reads a file or device once with fio, past the page cache, and does nothing with what it reads.
 * @param {string} path
 * @param {{ depth: number, sizeBytes: number }} options `depth` reads of 1 MiB under way
 * @returns {Promise<Record<string, number>>}
 */
export async function readWithFio(path, { depth, sizeBytes }) {
  const text = await run('fio', [
    '--name=read',
    `--filename=${path}`,
    `--size=${sizeBytes}`,
    `--iodepth=${depth}`,
    '--ioengine=libaio',
    '--rw=read',
    '--bs=1M',
    '--direct=1',
    '--readonly',
    '--output-format=json',
  ]);
  // Remarks may go before the object.
  const { jobs } = JSON.parse(text.slice(text.indexOf('{')));
  const [{ error, read }] = jobs;
  if (error !== 0) throw new Error(`fio failed with error ${error} on ${path}`);
  return { 'GiB/s': read.bw_bytes / 2 ** 30 };
}

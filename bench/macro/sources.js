import { execFileSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdtempSync, openSync } from 'node:fs';
import { rmSync, writeSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { ZERO_BLOCK_DIGEST } from '../../dist/base/digest.js';

/**
 * Something to read, and what must come of it.
 * @typedef {object} Source
 * @property {string} title
 * @property {string} path
 * @property {number} sizeBytes
 * @property {string} aggregate SHA-256 over the digests of its blocks, by node:crypto, hexadecimal
 * @property {() => void} evict drops what the page cache has of it, where reading from the cache is not the point
 * @property {() => void} remove
 */

/** Where a file is memory. */
const MEMORY_FOLDER = '/dev/shm';

/** One block of so many is zero, as on a disk that has been in use. */
const ZERO_EVERY = 8;

/** A sparse file has so many times the size of what is allocated in it. */
const SPARSE_FACTOR = 8;

/** It has less data than the others, or the loops that read its holes would take minutes. */
const SPARSE_DATA_SHARE = 0.25;

/**
 * The kinds of sources. Each makes one with `sizeMiB` of data, or returns a word on why this machine has none.
 * @type {Record<string, (options: { sizeMiB: number, folder: string }) => Source | string>}
 */
export const SOURCES = {
  file: ({ sizeMiB, folder }) => makeFile(`file of ${sizeMiB} MiB on a disk`, { sizeMiB, folder }),
  memory: ({ sizeMiB }) =>
    needMemory(sizeMiB) ??
    makeFile(`file of ${sizeMiB} MiB in memory`, { sizeMiB, folder: MEMORY_FOLDER }),
  loop: ({ sizeMiB }) => needMemory(sizeMiB) ?? needRoot() ?? makeLoop(sizeMiB),
  sparse: ({ sizeMiB, folder }) => makeSparseFile(sizeMiB * SPARSE_DATA_SHARE, folder),
};

function makeSparseFile(sizeMiB, folder) {
  const title = `sparse file of ${SPARSE_FACTOR * sizeMiB} MiB, 1/${SPARSE_FACTOR} of it data`;
  return makeFile(title, { sizeMiB, folder, holeFactor: SPARSE_FACTOR });
}

/**
 * Makes a source, or returns a word on why this machine has none.
 * @param {string} kind
 * @param {{ sizeMiB: number, folder: string }} options
 * @returns {Source | string}
 * @throws {RangeError} for a kind that there is not.
 */
export function makeSource(kind, options) {
  if (kind in SOURCES) return SOURCES[kind](options);
  throw new RangeError(`Expected a source among ${Object.keys(SOURCES).join(', ')}, got ${kind}`);
}

/** Extents of 16 MiB, each followed by a hole if there are to be holes. */
function makeFile(title, { sizeMiB, folder, holeFactor = 1 }) {
  const home = mkdtempSync(join(folder, 'ebs-bench-'));
  const path = join(home, 'source');
  const extent = randomFillSync(Buffer.alloc(16 * 2 ** 20));
  const blocksPerExtent = extent.length / BLOCK_SIZE;
  const extentCount = Math.ceil((sizeMiB * 2 ** 20) / extent.length);
  const holeDigests = Buffer.concat(
    Array(blocksPerExtent * (holeFactor - 1)).fill(ZERO_BLOCK_DIGEST),
  );
  const aggregate = createHash('sha256');
  const file = openSync(path, 'wx');
  for (let i = 0; i < extentCount; i += 1) {
    fillExtent(extent, i, aggregate);
    writeSync(file, extent, 0, extent.length, i * extent.length * holeFactor);
    aggregate.update(holeDigests);
  }
  const sizeBytes = extentCount * extent.length * holeFactor;
  ftruncateSync(file, sizeBytes);
  fsyncSync(file);
  closeSync(file);
  const remove = removeAtExit(() => rmSync(home, { recursive: true, force: true }));
  const evict = folder === MEMORY_FOLDER ? () => undefined : () => dropCache(path);
  return { title, path, sizeBytes, aggregate: aggregate.digest('hex'), evict, remove };
}

/** Makes each block of an extent unlike any other of the file, or zero, and notes its digest. */
function fillExtent(extent, number, aggregate) {
  for (let offset = 0, i = 0; offset < extent.length; offset += BLOCK_SIZE, i += 1) {
    const block = extent.subarray(offset, offset + BLOCK_SIZE);
    if (i % ZERO_EVERY === ZERO_EVERY - 1) {
      aggregate.update(ZERO_BLOCK_DIGEST);
      block.fill(0);
    } else {
      block.writeUInt32LE(number, 0);
      aggregate.update(createHash('sha256').update(block).digest());
    }
  }
}

function makeLoop(sizeMiB) {
  const title = `loop device of ${sizeMiB} MiB over memory`;
  const file = makeFile(title, { sizeMiB, folder: MEMORY_FOLDER });
  const attach = ['--find', '--show', '--read-only', file.path];
  const path = execFileSync('losetup', attach, { encoding: 'utf8' }).trim();
  const detach = removeAtExit(() => execFileSync('losetup', ['--detach', path]));
  const remove = () => {
    detach();
    file.remove();
  };
  return { ...file, path, remove };
}

/** What is measured needs memory as well. */
function needMemory(sizeMiB) {
  if (!existsSync(MEMORY_FOLDER)) return `there is no ${MEMORY_FOLDER}`;
  const freeMiB = Math.floor(freemem() / 2 ** 20);
  return sizeMiB <= freeMiB / 2 ? undefined : `${sizeMiB} MiB are much of ${freeMiB} free ones`;
}

function needRoot() {
  return process.getuid() === 0 ? undefined : 'attaching a loop device needs root';
}

/** coreutils, dd: with iflag=nocache and count=0 it drops what is cached of the whole file. */
function dropCache(path) {
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
}

/** Returns a function that does `work` once; the end of the process does it too, even an end by Ctrl-C. */
function removeAtExit(work) {
  let isDone = false;
  const once = () => {
    if (isDone) return;
    isDone = true;
    work();
  };
  process.once('exit', once);
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  return once;
}

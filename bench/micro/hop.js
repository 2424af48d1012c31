import { randomFillSync } from 'node:crypto';
import { read as readWithCallback } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { loadNative } from '../../dist/engine/load-native.js';
import { NativeEngine } from '../../dist/engine/native-engine.js';
import { mainCpuSeconds } from '../contenders/trial.js';
import { compare } from '../harness.js';
import { SOURCES } from '../macro/sources.js';
import { uncachedMemory } from './memory-bound.js';

export const summary = 'the way between native threads and JavaScript, in processor time a block';

const native = loadNative();
const engine = new NativeEngine(native);
const FASTEST = 0;
const MEMORY = uncachedMemory();

/** Blocks that are with the hashing threads at a time: as many as a busy upload has. */
const BLOCKS_UNDER_WAY = 32;

/** Blocks behind one sample: processor time is told in microseconds at best. */
const BLOCKS_PER_SAMPLE = 2048;

const MICROS_PER_BLOCK = 'CPU µs/block';
const MILLIS_PER_GIB = 'CPU ms/GiB';

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 7, folder }) {
  const zeros = Array(2).fill(Buffer.alloc(BLOCK_SIZE, 1).fill(0));
  const data = Array.from({ length: 2 }, () => randomFillSync(Buffer.alloc(BLOCK_SIZE)));
  const comparisons = [
    await compareInspect('inspect, a zero block: little but the hop', rounds, zeros),
    await compareInspect('inspect, random data', rounds, data),
  ];
  const source = SOURCES.memory({ sizeMiB: 512, folder });
  if (typeof source === 'string') {
    console.log(`The hop of a reader is left out: ${source}.\n`);
    return comparisons;
  }
  try {
    return [...comparisons, await compareReaders(source, rounds)];
  } finally {
    source.remove();
  }
}

/** Processor time of all threads: what the hop costs is what a call costs more than the same work without one. */
async function compareInspect(title, rounds, pair) {
  const inspecting = (blocksPerCall) => ({
    role: 'ours',
    name: `inspect, ${blocksPerCall} a call`,
    measure: () => cpuPerBlock(processSeconds, () => inspectAll(pair, blocksPerCall)),
  });
  const onThisThread = {
    role: 'alternative',
    name: 'the same without a hop',
    measure: () => cpuPerBlock(processSeconds, () => inspectHere(pair)),
  };
  const contenders = [...[1, 4, 16].map(inspecting), onThisThread, bound()];
  return await compare({ title, rounds, contenders });
}

async function inspectAll(pair, blocksPerCall) {
  const blocks = Array.from({ length: blocksPerCall }, (_, i) => pair[i % 2]);
  let left = BLOCKS_PER_SAMPLE / blocksPerCall;
  const lane = async () => {
    while (left-- > 0) await engine.inspect(blocks);
  };
  await Promise.all(Array.from({ length: BLOCKS_UNDER_WAY / blocksPerCall }, lane));
  return BLOCKS_PER_SAMPLE;
}

function inspectHere(pair) {
  for (let i = 0; i < BLOCKS_PER_SAMPLE; i += 2) {
    const dataBlocks = pair.filter((block) => !native.isZero(FASTEST, block));
    if (dataBlocks.length > 0) native.sha256(FASTEST, dataBlocks);
  }
  return BLOCKS_PER_SAMPLE;
}

/** Processor time of the main thread alone: the work itself is done by others in all of them. */
async function compareReaders(source, rounds) {
  const onMainThread = (role, name, work) => ({
    role,
    name,
    measure: () => cpuPerBlock(mainCpuSeconds, () => work(source)),
  });
  const contenders = [
    onMainThread('ours', 'reader, next and release', readWithEngine),
    onMainThread('alternative', 'fs.read of each block, callback', readWith(callbackRead)),
    onMainThread('alternative', 'FileHandle.read of each block', readWith(promiseRead)),
    bound(),
  ];
  const title = 'blocks of a file in memory, main thread (without hashing, but for ours)';
  return await compare({ title, rounds, contenders });
}

async function readWithEngine({ path }) {
  const reader = await engine.openReader(path);
  let blockCount = 0;
  for (let blocks = await reader.next(); blocks.length > 0; blocks = await reader.next()) {
    for (const block of blocks) block.release();
    blockCount += blocks.length;
  }
  await reader.close();
  return blockCount;
}

function readWith(readBlock) {
  return async ({ path, sizeBytes }) => {
    const file = await open(path);
    let offset = 0;
    const lane = async () => {
      const buffer = Buffer.allocUnsafeSlow(BLOCK_SIZE);
      while (offset < sizeBytes) {
        const here = offset;
        offset += BLOCK_SIZE;
        await readBlock(file, buffer, here);
      }
    };
    await Promise.all(Array.from({ length: 4 }, lane));
    await file.close();
    return sizeBytes / BLOCK_SIZE;
  };
}

const readPromised = promisify(readWithCallback);
const callbackRead = (file, buffer, offset) => readPromised(file.fd, buffer, 0, BLOCK_SIZE, offset);
const promiseRead = (file, buffer, offset) => file.read(buffer, 0, BLOCK_SIZE, offset);

/** `work` returns how many blocks it did. */
async function cpuPerBlock(readClock, work) {
  const before = readClock();
  const blockCount = await work();
  const micros = ((readClock() - before) * 1e6) / blockCount;
  return { [MICROS_PER_BLOCK]: micros, [MILLIS_PER_GIB]: gibFrom(micros) };
}

/** Milliseconds for the 2048 blocks of a GiB. */
function gibFrom(microsPerBlock) {
  return (microsPerBlock * 2 ** 30) / BLOCK_SIZE / 1000;
}

function processSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Processor time too: a clock on the wall would count what the neighbours do. */
function bound() {
  const scan = () => {
    native.isZero(FASTEST, MEMORY);
    return MEMORY.length / BLOCK_SIZE;
  };
  const measure = () => cpuPerBlock(processSeconds, scan);
  return { role: 'bound', name: 'memory read, one core', measure };
}

import { BLOCK_SIZE } from '../../dist/base/constants.js';
import { BlockPool, DEFAULT_BUFFER_BYTES } from '../../dist/engine/block-pool.js';
import { SlotMemory } from '../../dist/engine/slot-memory.js';
import { compare } from '../harness.js';
import { memoryBoundPerBlock } from './memory-bound.js';
import { secondsPerCall } from './throughput.js';

export const summary = 'block buffers: lease and release, with their pages touched, views of slots';

const FIGURE = 'ns/block';
const PAGE_SIZE = 4096;

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 7 }) {
  return [
    await compare({ title: 'get a buffer', rounds, contenders: buffers(() => undefined) }),
    await compare({
      title: 'get a buffer, write one byte a page',
      rounds,
      contenders: buffers(touchPages),
    }),
    await compare({ title: 'view of a slot', rounds, contenders: views() }),
  ];
}

/** Ways to get a buffer for a block; `use` gets it while it is owned. */
function buffers(use) {
  const pool = new BlockPool({ maxBytes: DEFAULT_BUFFER_BYTES });
  return [
    timed('ours', 'lease and release', () => {
      const lease = pool.tryLease();
      use(lease.bytes);
      lease.release();
    }),
    timed('alternative', 'Buffer.allocUnsafe', () => use(Buffer.allocUnsafe(BLOCK_SIZE))),
    timed('alternative', 'Buffer.alloc', () => use(Buffer.alloc(BLOCK_SIZE))),
    timed('alternative', 'new SharedArrayBuffer', () =>
      use(new Uint8Array(new SharedArrayBuffer(BLOCK_SIZE))),
    ),
    memoryBoundPerBlock(FIGURE),
  ];
}

function views() {
  const slotCount = 256;
  const memory = new SlotMemory({ slotCount, onFree: () => undefined });
  const shared = new SharedArrayBuffer(slotCount * BLOCK_SIZE);
  let next = 0;
  const nextSlot = () => next++ % slotCount;
  return [
    timed('ours', 'SlotMemory.view', () => memory.view(nextSlot())),
    timed('alternative', 'Buffer.from', () =>
      Buffer.from(shared, nextSlot() * BLOCK_SIZE, BLOCK_SIZE),
    ),
    memoryBoundPerBlock(FIGURE),
  ];
}

function timed(role, name, work) {
  return { role, name, measure: () => ({ [FIGURE]: secondsPerCall(work) * 1e9 }) };
}

function touchPages(bytes) {
  for (let offset = 0; offset < BLOCK_SIZE; offset += PAGE_SIZE) bytes[offset] = 1;
}

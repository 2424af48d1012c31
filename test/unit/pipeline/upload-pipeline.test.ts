import { expect, it } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { zeroBlock } from '../../../src/engine/zero-block.ts';
import { AcknowledgedBlocks } from '../../../src/pipeline/acknowledged-blocks.ts';
import { UploadPipeline } from '../../../src/pipeline/upload-pipeline.ts';
import type { CallOptions, PutBlockRequest, Transport } from '../../../src/transport/transport.ts';

it('takes blocks ahead of the gate, but few', async () => {
  const gate: { admit: () => void; answer: () => void }[] = [];
  const transport = {
    putSnapshotBlock: (_: PutBlockRequest, { onAdmitted }: CallOptions) =>
      new Promise<void>((answer) => gate.push({ admit: () => onAdmitted?.(), answer })),
  } as unknown as Transport;
  const pipeline = new UploadPipeline({
    transport,
    snapshotId: 'snap-0123456789abcdef0',
    records: new AcknowledgedBlocks(),
    maxInFlightBytes: 256 * BLOCK_SIZE,
    onChange: () => undefined,
    onTail: () => undefined,
    onFailure: () => undefined,
  });
  let taken = 0;
  const puts = (async () => {
    for (; taken < 40; taken += 1) await pipeline.put(zeroBlock(taken, 'zero'));
  })();
  await settled();
  expect(gate).toHaveLength(16);
  // Admitted and never answered, as on a long path: each makes room for one more.
  for (const { admit } of gate.slice(0, 5)) admit();
  await settled();
  expect(gate).toHaveLength(21);
  // A second attempt of the same block makes none.
  for (const { admit } of gate.slice(0, 5)) admit();
  await settled();
  expect(gate).toHaveLength(21);
  // One that failed before it was admitted makes room, too: here by an answer.
  gate[5]?.answer();
  await settled();
  expect(gate).toHaveLength(22);
  while (gate.length < 40) {
    for (const { admit } of gate) admit();
    await settled();
  }
  await puts;
  for (const { answer } of gate) answer();
  await pipeline.drain();
  expect(pipeline.counts.blocksSent).toBe(40);
});

/** All promises that can move have moved. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

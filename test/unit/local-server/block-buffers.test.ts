import { expect, test } from 'vitest';
import { BlockBuffers } from '../../../src/local-server/block-buffers.ts';

test('never makes more than its limit; who comes later waits for a release, in order', async () => {
  const buffers = new BlockBuffers(2);
  const [a, b] = [await buffers.lease(), await buffers.lease()];
  const order: string[] = [];
  const third = Promise.resolve(buffers.lease()).then((buffer) => {
    order.push('third');
    return buffer;
  });
  const fourth = Promise.resolve(buffers.lease()).then((buffer) => {
    order.push('fourth');
    return buffer;
  });
  buffers.release(b);
  buffers.release(a);
  expect(await third).toBe(b);
  expect(await fourth).toBe(a);
  expect(order).toEqual(['third', 'fourth']);
});

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { AbortRelay } from '../../../src/pipeline/abort-relay.ts';

test('tells all of an abort through one listener, and listens only while somebody wants to know', () => {
  const job = new AbortController();
  const relay = new AbortRelay(job.signal);
  const told: string[] = [];
  const callbacks = ['a', 'b', 'c'].map((name) => () => void told.push(name));
  for (const callback of callbacks) relay.add(callback);
  expect(getEventListeners(job.signal, 'abort')).toHaveLength(1);
  relay.remove(callbacks[1] as () => void);
  job.abort();
  expect(told).toEqual(['a', 'c']);
  for (const callback of callbacks) relay.remove(callback);
  expect(getEventListeners(job.signal, 'abort')).toHaveLength(0);
});

test('lends a signal again, but none that was aborted', () => {
  const relay = new AbortRelay(undefined);
  const first = relay.lend();
  expect(relay.lend()).not.toBe(first);
  relay.giveBack(first);
  expect(relay.lend()).toBe(first);
  first.abort();
  relay.giveBack(first);
  expect(relay.lend().signal.aborted).toBe(false);
});

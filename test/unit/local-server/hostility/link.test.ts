import { expect, test } from 'vitest';
import { Link } from '../../../../src/local-server/hostility/link.ts';

/** A link whose clock stands still, and the names of what has come through. */
function makeLink(): { link: Link; clock: { ms: number }; through: string[]; send: Send } {
  const clock = { ms: 0 };
  const link = new Link(() => clock.ms);
  const through: string[] = [];
  const send: Send = async (name, byteCount, signal) => {
    await link.pass(byteCount, signal);
    through.push(name);
  };
  return { link, clock, through, send };
}

type Send = (name: string, byteCount: number, signal?: AbortSignal) => Promise<void>;

async function at(
  { link, clock }: { link: Link; clock: { ms: number } },
  ms: number,
): Promise<void> {
  clock.ms = ms;
  link.pump();
  await new Promise((resolve) => setImmediate(resolve));
}

test('without a rate nothing waits', () => {
  expect(new Link(() => 0).pass(1e9)).toBeUndefined();
});

test('bytes take their time, one piece after the other', async () => {
  const path = makeLink();
  path.link.setRate(1000);
  void path.send('a', 500);
  void path.send('b', 500);
  await at(path, 499);
  expect(path.through).toEqual([]);
  await at(path, 500);
  expect(path.through).toEqual(['a']);
  await at(path, 999);
  expect(path.through).toEqual(['a']);
  await at(path, 1000);
  expect(path.through).toEqual(['a', 'b']);
});

test('idle time is not saved up', async () => {
  const path = makeLink();
  path.link.setRate(1000);
  await at(path, 60_000);
  void path.send('late', 500);
  await at(path, 60_490);
  expect(path.through).toEqual([]);
  await at(path, 60_500);
  expect(path.through).toEqual(['late']);
});

test('a late timer costs the bytes that wait no rate', async () => {
  const path = makeLink();
  path.link.setRate(1000);
  void path.send('a', 500);
  void path.send('b', 500);
  void path.send('c', 500);
  await at(path, 1200);
  expect(path.through).toEqual(['a', 'b']);
  await at(path, 1500);
  expect(path.through).toEqual(['a', 'b', 'c']);
});

test('a changed rate rules for the bytes under way', async () => {
  const path = makeLink();
  path.link.setRate(1000);
  void path.send('a', 1000);
  await at(path, 500);
  path.link.setRate(100);
  await at(path, 5490);
  expect(path.through).toEqual([]);
  await at(path, 5500);
  expect(path.through).toEqual(['a']);
});

test('lifting the rate lets everything go', async () => {
  const path = makeLink();
  path.link.setRate(1);
  void path.send('a', 1e6);
  void path.send('b', 1e6);
  path.link.setRate(Infinity);
  await at(path, 0);
  expect(path.through).toEqual(['a', 'b']);
});

test('who has gone does not wait', async () => {
  const path = makeLink();
  path.link.setRate(1);
  const gone = new AbortController();
  void path.send('a', 1e6, gone.signal);
  gone.abort();
  await at(path, 0);
  expect(path.through).toEqual(['a']);
});

import { expect, test } from 'vitest';
import { StallWatch, type Watching } from '../../../src/pipeline/stall-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A watch over attempts that are told apart by name. */
function watchOver() {
  const clock = new FakeClock();
  const watch = new StallWatch(clock);
  const dropped: [string, number][] = [];
  const start = (name: string, isTail = false): Watching =>
    watch.start({
      attempt: 1,
      isTail: () => isTail,
      drop: (idleMs) => dropped.push([name, idleMs]),
    });
  /** Lets others pass, ten a second. */
  const pass = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const other = start('other');
      await clock.advance(100);
      other.end(true);
    }
  };
  return { clock, dropped, start, pass };
}

test('drops the attempt that stands still while others pass', async () => {
  const { dropped, start, pass } = watchOver();
  const still = start('still');
  const moving = start('moving');
  await pass(30);
  moving.progress();
  await pass(19);
  expect(dropped).toEqual([]);
  await pass(1);
  expect(dropped).toEqual([['still', 5000]]);
  still.end(false);
  moving.end(false);
});

test('drops nothing on a path that has become slow for everyone', async () => {
  const { clock, dropped, start, pass } = watchOver();
  await pass(20);
  const all = ['a', 'b', 'c'].map((name) => start(name));
  await clock.advance(50_000);
  expect(dropped).toEqual([]);
  for (const watching of all) watching.end(true);
});

test('drops the last attempt of a job as soon as it is late', async () => {
  const { clock, dropped, start, pass } = watchOver();
  await pass(20);
  const last = start('last', true);
  await clock.advance(900);
  expect(dropped).toEqual([]);
  await clock.advance(100);
  expect(dropped).toEqual([['last', 1000]]);
  last.end(false);
});

test('leaves no timer behind', async () => {
  const { clock, start } = watchOver();
  const only = start('only');
  expect(clock.sleeping).toBe(1);
  only.end(true);
  expect(clock.sleeping).toBe(0);
  await clock.advance(0);
  const next = start('next');
  expect(clock.sleeping).toBe(1);
  next.end(true);
});

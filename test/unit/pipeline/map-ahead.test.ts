import { describe, expect, it } from 'vitest';
import { mapAhead } from '../../../src/pipeline/map-ahead.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** Work that is done when it is told so. */
class HeldWork {
  readonly begun: number[] = [];
  readonly #done = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();

  readonly work = (item: number): Promise<string> => {
    this.begun.push(item);
    return new Promise((resolve, reject) => {
      this.#done.set(item, { resolve: () => resolve(`done ${item}`), reject });
    });
  };

  done(item: number): void {
    this.#done.get(item)?.resolve();
  }

  fail(item: number, error: Error): void {
    this.#done.get(item)?.reject(error);
  }

  readonly stop = (): void => {
    for (const { reject } of this.#done.values()) reject(new Error('stopped'));
  };
}

async function* count(end: number): AsyncGenerator<number> {
  for (let item = 0; item < end; item += 1) {
    await Promise.resolve();
    yield item;
  }
}

/** Lets everything happen that can without another event. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('mapAhead', () => {
  it('yields in order what ends in any order, and holds no more than it may', async () => {
    const seed = 7;
    const random = seededRandom(seed);
    let [underWay, most] = [0, 0];
    const results = mapAhead(count(200), {
      work: async (item) => {
        most = Math.max(most, (underWay += 1));
        for (let turns = Math.floor(random() * 9); turns > 0; turns -= 1) await settle();
        underWay -= 1;
        return item;
      },
      aheadMax: () => 5,
      stop: () => expect.unreachable('nothing has to be stopped'),
    });
    const seen: number[] = [];
    for await (const item of results) seen.push(item);
    expect(seen).toEqual([...Array(200).keys()]);
    expect(most).toBe(5);
  });

  it('goes on with what is ahead while the first is late, and no further', async () => {
    const held = new HeldWork();
    const results = mapAhead(count(10), {
      work: held.work,
      aheadMax: () => 3,
      stop: held.stop,
    });
    const first = results.next();
    await settle();
    held.done(1);
    await settle();
    expect(held.begun).toEqual([0, 1, 2]);
    held.done(0);
    expect(await first).toEqual({ done: false, value: 'done 0' });
    expect(await results.next()).toEqual({ done: false, value: 'done 1' });
    await settle();
    expect(held.begun).toEqual([0, 1, 2, 3, 4]);
    await results.return();
  });

  it('tells a failure in its turn, and ends what is under way', async () => {
    const held = new HeldWork();
    let stops = 0;
    const results = mapAhead(count(10), {
      work: held.work,
      aheadMax: () => 4,
      stop: () => {
        stops += 1;
        held.stop();
      },
    });
    const first = results.next();
    await settle();
    held.fail(1, new Error('broken'));
    held.done(0);
    expect(await first).toEqual({ done: false, value: 'done 0' });
    await expect(results.next()).rejects.toThrow('broken');
    expect(stops).toBe(1);
    expect(await results.next()).toEqual({ done: true, value: undefined });
  });

  it('tells a failure of the source behind the results before it', async () => {
    async function* source(): AsyncGenerator<number> {
      yield* count(2);
      throw new Error('no more');
    }
    const results = mapAhead(source(), {
      work: (item) => Promise.resolve(item),
      aheadMax: () => 9,
      stop: () => undefined,
    });
    expect((await results.next()).value).toBe(0);
    expect((await results.next()).value).toBe(1);
    await expect(results.next()).rejects.toThrow('no more');
  });

  it('stops a source that would never go on when nobody reads on', async () => {
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (release = resolve));
    async function* source(): AsyncGenerator<number> {
      yield 0;
      await waiting;
    }
    const results = mapAhead(source(), {
      work: (item) => Promise.resolve(item),
      aheadMax: () => 2,
      stop: () => release(),
    });
    expect((await results.next()).value).toBe(0);
    await results.return();
  });
});

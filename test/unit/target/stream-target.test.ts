import { once } from 'node:events';
import { constants as osConstants } from 'node:os';
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { loadEngine } from '../../../src/engine/load-engine.ts';
import { planTarget } from '../../../src/target/open-target.ts';
import { StreamTarget } from '../../../src/target/stream-target.ts';
import { settled } from '../../support/fake-clock.ts';
import { filledBlock } from '../../support/memory-snapshot.ts';

const engine = loadEngine({ engine: 'native' });

describe('a stream', () => {
  it('gets bytes and zeros in order, and is ended', async () => {
    const sink = new Sink();
    const plan = await planTarget(sink, { engine, force: false, targetIsZero: true });
    const target = await plan.open(4 * BLOCK_SIZE);
    expect(target).toMatchObject({ isZero: false, isInOrder: true });
    await target.write(0, filledBlock(1));
    await target.clear({ offset: BLOCK_SIZE, length: 2 * BLOCK_SIZE });
    await target.write(3 * BLOCK_SIZE, filledBlock(4));
    await target.finish();

    const expected = Buffer.alloc(4 * BLOCK_SIZE)
      .fill(1, 0, BLOCK_SIZE)
      .fill(4, 3 * BLOCK_SIZE);
    expect(Buffer.concat(sink.chunks).equals(expected)).toBe(true);
    expect(sink.writableFinished).toBe(true);
    expect(sink.listenerCount('error')).toBe(0);
  });

  it('is refused bytes that do not follow those before', async () => {
    const target = new StreamTarget(new Sink());
    await expect(target.write(BLOCK_SIZE, filledBlock(1))).rejects.toThrow(RangeError);
  });

  it('is waited for: a write ends when the stream has let go of the bytes', async () => {
    const sink = new Sink({ highWaterMark: 8 * BLOCK_SIZE });
    sink.isPaused = true;
    const target = new StreamTarget(sink);
    let hasEnded = false;
    const write = target.write(0, filledBlock(1)).then(() => (hasEnded = true));
    await settled();
    expect(hasEnded).toBe(false);
    sink.resume();
    await write;
  });

  it('does not keep an abort waiting when it takes nothing', async () => {
    const sink = new Sink();
    sink.isPaused = true;
    const target = new StreamTarget(sink);
    const stop = new AbortController();
    const write = target.write(0, filledBlock(1), stop.signal);
    stop.abort('enough');
    await expect(write).rejects.toMatchObject({ code: 'ABORT_ERR', cause: 'enough' });

    const reason = new Error('stopped');
    const failed = once(sink, 'error');
    await target.abort(reason);
    expect(await failed).toEqual([reason]);
    expect(sink.destroyed).toBe(true);
  });

  it('does not keep an abort waiting when it never finishes', async () => {
    const sink = new Sink();
    sink.final = () => undefined;
    const target = new StreamTarget(sink);
    const stop = new AbortController();
    const finish = target.finish(stop.signal);
    stop.abort();
    await expect(finish).rejects.toMatchObject({ code: 'ABORT_ERR' });
    await target.abort(new Error('stopped'));
  });

  it('that fails is reported with offset, errno and cause', async () => {
    const broken = Object.assign(new Error('write EPIPE'), {
      code: 'EPIPE',
      errno: -osConstants.errno.EPIPE,
      syscall: 'write',
    });
    const sink = new Sink();
    sink.failure = broken;
    await expect(new StreamTarget(sink).write(0, filledBlock(1))).rejects.toMatchObject({
      name: 'TargetError',
      code: 'ERR_EBS_TARGET_WRITE',
      message: 'writing the output stream at byte 0 failed: broken pipe (EPIPE)',
      errno: osConstants.errno.EPIPE,
      syscall: 'write',
      offset: 0,
      cause: broken,
    });
  });

  it('that is closed while nothing is written fails the next write', async () => {
    const stream = new PassThrough();
    const target = new StreamTarget(stream);
    stream.destroy();
    await once(stream, 'close');
    await expect(target.write(0, filledBlock(1))).rejects.toMatchObject({
      code: 'ERR_EBS_TARGET_WRITE',
      message: 'writing the output stream at byte 0 failed: it was closed before the last byte',
    });
  });

  it('that is closed during a write fails it', async () => {
    const sink = new Sink();
    sink.isPaused = true;
    const write = new StreamTarget(sink).write(0, filledBlock(1));
    sink.destroy();
    await expect(write).rejects.toMatchObject({ code: 'ERR_EBS_TARGET_WRITE' });
  });

  it('that was ended before is refused', async () => {
    const sink = new Sink();
    sink.end();
    const plan = planTarget(sink, { engine, force: false, targetIsZero: false });
    await expect(plan).rejects.toMatchObject({ code: 'ERR_EBS_TARGET_OPEN' });
  });
});

describe("a process's own output", () => {
  it('is neither ended nor destroyed, by success or failure', async () => {
    const sink = processOutput();
    const done = new StreamTarget(sink);
    await done.write(0, filledBlock(1));
    await done.finish();
    const failed = new StreamTarget(sink);
    await failed.write(0, filledBlock(2));
    await failed.abort(new Error('stopped'));
    expect(sink.chunks).toHaveLength(2);
    expect(sink.writable).toBe(true);
  });

  it('that is closed by its reader does not end the process', async () => {
    const sink = processOutput();
    const target = new StreamTarget(sink);
    sink.failure = new Error('write EPIPE');
    await expect(target.write(0, filledBlock(1))).rejects.toMatchObject({ cause: sink.failure });
    await target.abort(new Error('stopped'));
    // Nobody else listens: without the target's own listener this would be an uncaught exception.
    sink.emit('error', sink.failure);
  });
});

/** A stream that is the process's stdout until the test ends. */
function processOutput(): Sink {
  const sink = new Sink();
  const spy = vi.spyOn(process, 'stdout', 'get').mockReturnValue(sink as never);
  onTestFinished(() => spy.mockRestore());
  return sink;
}

/** A Writable that keeps what it gets, and can be told to take nothing or to fail. */
class Sink extends Writable {
  readonly chunks: Buffer[] = [];
  isPaused = false;
  failure: Error | undefined;
  final: (callback: () => void) => void = (callback) => callback();
  #go: (() => void) | undefined;

  resume(): void {
    this.isPaused = false;
    this.#go?.();
  }

  override _write(chunk: Buffer, _: BufferEncoding, callback: (error?: Error) => void): void {
    const take = (): void => {
      this.chunks.push(chunk);
      callback(this.failure);
    };
    if (this.isPaused) this.#go = take;
    else take();
  }

  override _final(callback: () => void): void {
    this.final(callback);
  }
}

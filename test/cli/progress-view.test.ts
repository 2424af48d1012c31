import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { Output, type OutputFlags } from '../../src/cli/output.ts';
import { withProgress, type Watching } from '../../src/cli/progress-view.ts';
import type { Progress } from '../../src/index.ts';

const MIB = 1024 * 1024;

function progressAt(elapsedMs: number, mibDone: number, fields: Partial<Progress> = {}): Progress {
  return {
    bytesDone: mibDone * MIB,
    bytesTotal: 100 * MIB,
    bytesTransferred: mibDone * MIB,
    blocksTransferred: mibDone * 2,
    zeroBlocks: 0,
    omittedBlocks: 0,
    unchangedBlocks: 0,
    inFlight: 64,
    retries: 0,
    elapsedMs,
    ...fields,
  };
}

/** Streams that remember; stderr is a terminal when it has columns. */
function makeOutput(
  flags: OutputFlags & { readonly columns?: number; readonly env?: NodeJS.ProcessEnv },
): { output: Output; stdout: () => string; stderr: () => string } {
  const { columns, env = {}, ...rest } = flags;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  const output = new Output({
    ...rest,
    env,
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: Object.assign(stderr, terminal) as unknown as NodeJS.WriteStream,
  });
  const textOf = (stream: PassThrough): string =>
    (stream.read() as Buffer | null)?.toString() ?? '';
  return { output, stdout: () => textOf(stdout), stderr: () => textOf(stderr) };
}

/** The signal is the process's; here nobody sends it. */
function watching(output: Output): Watching {
  return { output, stateSignal: { answerWith: () => undefined } };
}

async function show(output: Output, reports: readonly Progress[]): Promise<void> {
  await withProgress(watching(output), 'upload', (on) => {
    for (const report of reports) on.progress?.(report);
    return Promise.resolve();
  });
}

describe('on a terminal', () => {
  it('draws a bar as long as the work is done', async () => {
    const { output, stdout, stderr } = makeOutput({ columns: 120 });
    await show(output, [progressAt(0, 0), progressAt(1000, 50, { retries: 2 })]);
    const [start = '', end = ''] = stderr().split('\r').join('').split('\u001b[1G').slice(-2);
    expect(stdout()).toBe('');
    expect(start + end).toContain('█'.repeat(15) + '░'.repeat(15));
    expect(end).toContain('50 % 50 MiB/100 MiB, 50 MiB/s, 2 retries');
  });

  it('tells the rate, the time left and the requests under way while it runs', async () => {
    const { output, stderr } = makeOutput({ columns: 100 });
    const reports = [progressAt(0, 0), progressAt(1000, 20), progressAt(2000, 40)];
    await withProgress(watching(output), 'upload', async (on) => {
      for (const report of reports) on.progress?.(report);
      // The bar draws by a timer of its own.
      await vi.waitFor(() => {
        expect(stderr()).toContain('40 % 40 MiB/100 MiB, 20 MiB/s, 3 s left, 64 in flight');
      });
    });
  });

  it('says 100 % of nothing less', async () => {
    const { output, stderr } = makeOutput({ columns: 100 });
    await show(output, [progressAt(1000, 99.99)]);
    expect(stderr()).toContain('99 %');
  });

  it('draws no bar where there is no total, or no room', async () => {
    const narrow = makeOutput({ columns: 40 });
    await show(narrow.output, [progressAt(1000, 50)]);
    expect(narrow.stderr()).not.toMatch(/[█░]/);
    const endless = makeOutput({ columns: 100 });
    const { bytesTotal: _, ...unknown } = progressAt(1000, 50);
    await show(endless.output, [unknown]);
    const text = endless.stderr();
    expect(text).not.toMatch(/[█░%]/);
    expect(text).toContain('50 MiB, 50 MiB/s');
  });

  it.each([
    ['with TERM=dumb', { env: { TERM: 'dumb' } }],
    ['with --quiet', { quiet: true }],
    ['with --no-progress', { progress: false }],
  ])('sets no cursor %s', async (_how, flags) => {
    const { output, stderr } = makeOutput({ columns: 100, ...flags });
    await show(output, [progressAt(0, 0), progressAt(1000, 100)]);
    expect(stderr()).not.toContain('\u001b');
  });

  it.each([{}, { NO_COLOR: '1' }])('has no colour in an environment of %j', async (env) => {
    const { output, stderr } = makeOutput({ columns: 100, env });
    await show(output, [progressAt(0, 0), progressAt(1000, 100)]);
    // eslint-disable-next-line no-control-regex -- the escape sequence of colours is what is looked for.
    expect(stderr()).not.toMatch(/\u001b\[[\d;]*m/);
  });

  it('gives its line to a message', async () => {
    const { output, stderr } = makeOutput({ columns: 100 });
    await withProgress(watching(output), 'upload', (on) => {
      on.progress?.(progressAt(0, 0));
      stderr();
      output.message('a message');
      expect(stderr()).toBe('\r\u001b[Ka message\n\u001b7');
      return Promise.resolve();
    });
  });
});

describe('elsewhere', () => {
  it('prints a plain line every five seconds, and one at the end', async () => {
    const { output, stderr } = makeOutput({});
    const reports = Array.from({ length: 111 }, (_, tenth) => progressAt(tenth * 100, tenth * 0.5));
    await show(output, reports);
    expect(stderr()).toBe(
      [
        'upload  25 % 25 MiB/100 MiB, 5 MiB/s, 15 s left, 64 in flight',
        'upload  50 % 50 MiB/100 MiB, 5 MiB/s, 10 s left, 64 in flight',
        'upload  55 % 55 MiB/100 MiB, 5 MiB/s',
        '',
      ].join('\n'),
    );
  });

  it('prints an object a second with --json, exact bytes in it, and nothing on stderr', async () => {
    const { output, stdout, stderr } = makeOutput({ json: true });
    const reports = Array.from({ length: 26 }, (_, tenth) => progressAt(tenth * 100, tenth));
    await show(output, reports);
    const events = stdout().trim().split('\n');
    const times = events.map((line) => (JSON.parse(line) as { elapsedMs: number }).elapsedMs);
    expect(times).toEqual([0, 1000, 2000, 2500]);
    expect(JSON.parse(events.at(-1) ?? '')).toEqual({ type: 'progress', ...progressAt(2500, 25) });
    expect(stderr()).toBe('');
  });

  it('tells retries and throttling with --json, even without progress', async () => {
    const { output, stdout } = makeOutput({ json: true, progress: false });
    await withProgress(watching(output), 'upload', (on) => {
      on.progress?.(progressAt(0, 0));
      const error = Object.assign(new Error('reset'), { code: 'ERR_EBS_TRANSPORT' });
      const retry = { operation: 'PutSnapshotBlock', blockIndex: 7, attempt: 1, delayMs: 50 };
      on.retry?.({ ...retry, error });
      on.throttle?.({ scope: 'account', operation: 'PutSnapshotBlock' });
      return Promise.resolve();
    });
    const events = stdout().trim().split('\n');
    expect(events.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        type: 'retry',
        operation: 'PutSnapshotBlock',
        blockIndex: 7,
        attempt: 1,
        delayMs: 50,
        code: 'ERR_EBS_TRANSPORT',
        message: 'reset',
        count: 1,
      },
      { type: 'throttle', scope: 'account', operation: 'PutSnapshotBlock', count: 1 },
    ]);
  });

  it('tells a human of retries, one of a crowd, unless told to be quiet', async () => {
    const retry = { operation: 'PutSnapshotBlock', attempt: 1, delayMs: 50 };
    for (const quiet of [false, true]) {
      const { output, stderr } = makeOutput({ quiet });
      await withProgress(watching(output), 'upload', (on) => {
        for (let count = 0; count < 64; count += 1) {
          on.retry?.({ ...retry, error: new Error('the connection was reset') });
        }
        return Promise.resolve();
      });
      expect(stderr()).toBe(quiet ? '' : 'trying again, attempt 2: the connection was reset\n');
    }
  });

  it('ends with the job, also when that fails', async () => {
    const { output, stderr } = makeOutput({});
    const job = withProgress(watching(output), 'upload', (on) => {
      on.progress?.(progressAt(1000, 50));
      return Promise.reject(new Error('failed'));
    });
    await expect(job).rejects.toThrow('failed');
    expect(stderr()).toContain('50 %');
  });
});

describe('what limits a job', () => {
  it('stands beside the requests in flight, in words', async () => {
    const { output, stderr } = makeOutput({});
    const report = progressAt(6000, 40, { limitedBy: 'snapshot-quota' });
    await show(output, [progressAt(0, 0), report]);
    expect(stderr()).toContain('64 in flight (snapshot quota)');
  });

  it('is the target of a download where it is the source of an upload', async () => {
    for (const [verb, word] of [
      ['upload', 'source'],
      ['download', 'target'],
    ] as const) {
      const { output, stderr } = makeOutput({});
      await withProgress(watching(output), verb, (on) => {
        on.progress?.(progressAt(6000, 40, { limitedBy: 'source' }));
        return Promise.resolve();
      });
      expect(stderr()).toContain(`(${word})`);
    }
  });
});

describe('a crowd of throttles and retries', () => {
  it('is told in few JSON lines, which count every one', async () => {
    const { output, stdout } = makeOutput({ json: true });
    await withProgress(watching(output), 'upload', (on) => {
      for (let i = 0; i < 3000; i += 1) {
        on.throttle?.({
          scope: i % 3 === 0 ? 'account' : 'snapshot',
          operation: 'PutSnapshotBlock',
        });
        const error = Object.assign(new Error('slow'), { code: 'ERR_EBS_THROTTLED' });
        on.retry?.({ operation: 'PutSnapshotBlock', blockIndex: i, attempt: 1, delayMs: 5, error });
      }
      return Promise.resolve();
    });
    const lines = stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; scope?: string; count: number });
    const countOf = (type: string, scope?: string): number =>
      lines
        .filter((line) => line.type === type && line.scope === scope)
        .reduce((sum, { count }) => sum + count, 0);
    expect(countOf('throttle', 'account')).toBe(1000);
    expect(countOf('throttle', 'snapshot')).toBe(2000);
    expect(countOf('retry')).toBe(3000);
    expect(lines.length).toBeLessThan(100);
  });
});

import { describe, expect, test } from 'vitest';
import { Governor, type Ticket } from '../../../src/pipeline/governor.ts';
import type { WaitingLine } from '../../../src/pipeline/waiting-line.ts';
import { FixedWindow } from '../../support/fixed-window.ts';

function makeGovernor({ window = 10, isCpuBusy = false, snapshotPerSecond = Infinity } = {}) {
  const governor = new Governor({
    window: new FixedWindow(window),
    accountPerSecond: Infinity,
    snapshotPerSecond,
    isCpuBusy: () => isCpuBusy,
    nowMs: 0,
  });
  const order: string[] = [];
  const tickets: Ticket[] = [];
  const join = (snapshotId: string, { memoryBlocks = 100, asleep = 0, caps = {} } = {}) =>
    governor.join({ snapshotId, caps, memoryBlocks, retriesAsleep: () => asleep }, 0);
  const wait = (line: WaitingLine, count: number, isRetry = false) => {
    for (let index = 0; index < count; index += 1) {
      line.add({
        bytes: 1000,
        isRetry,
        admit: (ticket) => {
          order.push(line.options.snapshotId);
          tickets.push(ticket);
        },
      });
    }
  };
  return { governor, join, wait, order, tickets };
}

describe('Governor', () => {
  test('serves jobs in turn', () => {
    const { governor, join, wait, order } = makeGovernor({ window: 6 });
    for (const id of ['a', 'b', 'c']) wait(join(id), 5);
    governor.pump(0);
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  test('passes over a snapshot without tokens, and tells when it gets one', () => {
    const { governor, join, wait, order } = makeGovernor({ window: 6 });
    wait(join('a', { caps: { requestsPerSecond: 10 } }), 3);
    wait(join('b'), 3);
    expect(governor.pump(0)).toBe(100);
    expect(order.filter((id) => id === 'b')).toHaveLength(3);
    expect(order.filter((id) => id === 'a')).toHaveLength(1);
  });

  test('shares a snapshot quota between the jobs of that snapshot alone', () => {
    const { governor, join, wait, order } = makeGovernor({ window: 50, snapshotPerSecond: 1 });
    wait(join('a'), 2);
    wait(join('a'), 2);
    wait(join('b'), 2);
    governor.pump(0);
    expect(order.sort()).toEqual(['a', 'b']);
  });

  test.each([
    ['throttled-account', ['account-quota', 'account-quota']],
    ['throttled-snapshot', ['snapshot-quota', 'source']],
  ] as const)('lays %s to that quota alone', (outcome, brakes) => {
    const { governor, join, wait, tickets } = makeGovernor({ window: 1000 });
    const lines = [join('a', { memoryBlocks: 5000 }), join('b', { memoryBlocks: 5000 })];
    const [first] = lines;
    if (first !== undefined) wait(first, 200);
    governor.pump(0);
    for (const ticket of tickets) ticket.end(outcome, 2000);
    for (const line of lines) wait(line, 400);
    governor.pump(2001);
    expect(lines.map(({ limiter }) => limiter.brake)).toEqual(brakes);
  });

  test('says what keeps a job', () => {
    const brakeWith = (
      made: ReturnType<typeof makeGovernor>,
      options: { memoryBlocks?: number; asleep?: number; caps?: object },
      waiting: number,
    ) => {
      const line = made.join('a', options);
      made.wait(line, waiting);
      made.governor.pump(0);
      return line.limiter.brake;
    };
    expect(brakeWith(makeGovernor({ window: 2 }), {}, 5)).toBe('window');
    expect(brakeWith(makeGovernor(), {}, 5)).toBe('source');
    expect(brakeWith(makeGovernor(), { memoryBlocks: 5 }, 5)).toBe('memory');
    expect(brakeWith(makeGovernor(), { asleep: 1 }, 0)).toBe('retry-wait');
    expect(brakeWith(makeGovernor(), { caps: { requestsPerSecond: 1 } }, 5)).toBe('user-cap');
    expect(brakeWith(makeGovernor({ isCpuBusy: true }), {}, 5)).toBe('cpu');
    expect(brakeWith(makeGovernor({ snapshotPerSecond: 1 }), {}, 5)).toBe('snapshot-quota');
  });

  test('lets a trickle through while nothing works', () => {
    const { governor, join, wait, tickets } = makeGovernor({ window: 300 });
    const line = join('a', { memoryBlocks: 1000 });
    wait(line, 300);
    governor.pump(0);
    for (const ticket of tickets) ticket.end('server-error', 10);
    wait(line, 300);
    governor.pump(20);
    expect(governor.inFlight).toBe(2);
    expect(line.limiter.brake).toBe('retry-wait');
  });

  test('tells a job of the window, of who shares it, and of the quotas that are known', () => {
    const { governor, join, wait, tickets } = makeGovernor({ window: 7, snapshotPerSecond: 500 });
    const line = join('a');
    wait(join('b'), 3);
    wait(line, 1);
    governor.pump(0);
    expect(governor.stateOf(line, 0)).toEqual({
      limit: 7,
      jobs: 2,
      inFlight: 1,
      limitedBy: 'source',
      snapshotPerSecond: 500,
    });
    // One alone is exact; what follows moves an estimate.
    tickets[0]?.end('ok', 80);
    expect(governor.stateOf(line, 80)).toMatchObject({ latencyMs: 80 });
  });

  test('takes memory that a job gains or loses into the window', () => {
    const quota = { accountPerSecond: Infinity, snapshotPerSecond: Infinity, nowMs: 0 };
    const governor = new Governor(quota);
    const options = { snapshotId: 'a', caps: {}, memoryBlocks: 2, retriesAsleep: () => 0 };
    const line = governor.join(options, 0);
    const limits = [2, 5, 1].map((memoryBlocks) => {
      line.setLimits({ caps: {}, memoryBlocks }, 0);
      return governor.stateOf(line, 0).limit;
    });
    expect(limits).toEqual([2, 5, 1]);
  });

  test('forgets a job that has left', () => {
    const { governor, join, wait, order } = makeGovernor();
    const line = join('a');
    wait(line, 1);
    governor.leave(line);
    governor.pump(0);
    expect(order).toEqual([]);
    expect(governor.lineCount).toBe(0);
  });
});

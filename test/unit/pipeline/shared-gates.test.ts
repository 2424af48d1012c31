import { expect, test } from 'vitest';
import { Gate } from '../../../src/pipeline/gate.ts';
import { Governor } from '../../../src/pipeline/governor.ts';
import { SharedGates } from '../../../src/pipeline/shared-gates.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const LINE = { snapshotId: 'snap-1', caps: {}, memoryBlocks: 8, retriesAsleep: () => 0 };

function makeGate(): Gate {
  const quota = { accountPerSecond: 1000, snapshotPerSecond: 1000, nowMs: 0 };
  return new Gate({ governor: new Governor(quota), clock: new FakeClock() });
}

test('jobs of one key share a gate until the last has left', () => {
  const gates = new SharedGates();
  const first = gates.join('a', LINE, makeGate);
  const second = gates.join('a', LINE, makeGate);
  expect(second.gate).toBe(first.gate);
  expect(gates.join('b', LINE, makeGate).gate).not.toBe(first.gate);
  first.leave();
  expect(gates.join('a', LINE, makeGate).gate).toBe(first.gate);
});

test('a gate goes with its last job', () => {
  const gates = new SharedGates();
  const first = gates.join('a', LINE, makeGate);
  first.leave();
  expect(gates.join('a', LINE, makeGate).gate).not.toBe(first.gate);
});

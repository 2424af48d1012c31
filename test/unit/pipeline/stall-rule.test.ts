import { describe, expect, test } from 'vitest';
import { StallRule } from '../../../src/pipeline/stall-rule.ts';

const SILENT = { completedAtStart: 0, progressAtMs: 0, attempt: 1, isTail: false };

function ruleAfter(completions: number, latencyMs: number): StallRule {
  const rule = new StallRule();
  for (let i = 0; i < completions; i += 1) rule.succeeded(latencyMs);
  return rule;
}

describe('StallRule', () => {
  test('drops a request without progress that four windows of others have overtaken', () => {
    expect(ruleAfter(41, 100).isStalled(SILENT, 10, 5000)).toBe(true);
  });

  test('spares one that moves, one that is young, and one that nobody overtook', () => {
    const rule = ruleAfter(41, 100);
    expect(rule.isStalled({ ...SILENT, progressAtMs: 1000 }, 10, 5000)).toBe(false);
    expect(rule.isStalled(SILENT, 10, 4999)).toBe(false);
    expect(rule.isStalled({ ...SILENT, completedAtStart: 1 }, 10, 60_000)).toBe(false);
  });

  test('waits longer where answers take long, but not for ever', () => {
    expect(Math.abs(ruleAfter(100, 4000).idleMs - 12_000)).toBeLessThan(1000);
    expect(ruleAfter(100, 100_000).idleMs).toBe(60_000);
    expect(new StallRule().idleMs).toBe(5000);
  });

  test('at the tail drops what is late by the latencies of late, overtaken or not', () => {
    const late = { ...SILENT, completedAtStart: 100, isTail: true };
    expect(ruleAfter(100, 1000).isStalled(late, 10, 3000)).toBe(true);
    expect(ruleAfter(100, 1000).isStalled(late, 10, 900)).toBe(false);
    expect(ruleAfter(100, 10).isStalled(late, 10, 999)).toBe(false);
    expect(ruleAfter(100, 10).isStalled(late, 10, 1000)).toBe(true);
    expect(new StallRule().isStalled(late, 10, 14_999)).toBe(false);
    expect(new StallRule().isStalled(late, 10, 15_000)).toBe(true);
  });

  test('at the tail gives each further attempt twice the time', () => {
    const third = { ...SILENT, completedAtStart: 100, isTail: true, attempt: 3 };
    expect(ruleAfter(100, 10).isStalled(third, 10, 3999)).toBe(false);
    expect(ruleAfter(100, 10).isStalled(third, 10, 4000)).toBe(true);
  });
});

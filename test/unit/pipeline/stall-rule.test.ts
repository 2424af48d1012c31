import { describe, expect, test } from 'vitest';
import { StallRule } from '../../../src/pipeline/stall-rule.ts';

function ruleAfter(completions: number, latencyMs: number): StallRule {
  const rule = new StallRule(0);
  for (let i = 0; i < completions; i += 1) rule.succeeded(latencyMs, i);
  return rule;
}

describe('StallRule', () => {
  test('drops a request without progress that four windows of others have overtaken', () => {
    const rule = ruleAfter(41, 100);
    expect(rule.isStalled({ completedAtStart: 0, progressAtMs: 0 }, 10, 5000)).toBe(true);
  });

  test('spares one that moves, one that is young, and one that nobody overtook', () => {
    const rule = ruleAfter(41, 100);
    expect(rule.isStalled({ completedAtStart: 0, progressAtMs: 1000 }, 10, 5000)).toBe(false);
    expect(rule.isStalled({ completedAtStart: 0, progressAtMs: 0 }, 10, 4999)).toBe(false);
    expect(rule.isStalled({ completedAtStart: 1, progressAtMs: 0 }, 10, 60_000)).toBe(false);
  });

  test('waits longer where answers take long, but not for ever', () => {
    expect(Math.abs(ruleAfter(100, 4000).idleMs - 12_000)).toBeLessThan(1000);
    expect(ruleAfter(100, 100_000).idleMs).toBe(60_000);
    expect(new StallRule(0).idleMs).toBe(5000);
  });

  test('calls the path dead when nothing moves or completes for 45 s', () => {
    const rule = ruleAfter(1, 100);
    expect(rule.isPathDead(0, 44_999)).toBe(false);
    expect(rule.isPathDead(0, 45_000)).toBe(true);
    expect(rule.isPathDead(1000, 45_000)).toBe(false);
    rule.startedAlone(40_000);
    expect(rule.isPathDead(0, 45_000)).toBe(false);
  });
});

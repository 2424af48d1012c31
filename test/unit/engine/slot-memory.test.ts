import { describe, expect, it } from 'vitest';
import { SlotMemory } from '../../../src/engine/slot-memory.ts';

// Each test has sizes of its own, so that none is handed what another left.
describe('SlotMemory', () => {
  it('hands its bytes to the next memory of the size once it is retired', () => {
    const first = makeMemory(1);
    const { buffer } = first.view(0);
    expect(makeMemory(1).view(0).buffer).not.toBe(buffer);
    first.retire();
    expect(makeMemory(2).view(0).buffer).not.toBe(buffer);
    expect(makeMemory(1).view(0).buffer).toBe(buffer);
  });

  it('hands them on only when the last holder of any slot has let go', () => {
    const first = makeMemory(3);
    const { buffer } = first.view(0);
    first.hold(0);
    first.hold(0);
    first.hold(1);
    first.retire();
    first.letGo(1);
    first.letGo(0);
    expect(makeMemory(3).view(0).buffer).not.toBe(buffer);
    first.letGo(0);
    expect(makeMemory(3).view(0).buffer).toBe(buffer);
  });

  it('hands them on once, however often it is retired', () => {
    const first = makeMemory(4);
    const { buffer } = first.view(0);
    first.retire();
    first.retire();
    expect(makeMemory(4).view(0).buffer).toBe(buffer);
    expect(makeMemory(4).view(0).buffer).not.toBe(buffer);
  });

  it('refuses to be used once it is retired', () => {
    const memory = makeMemory(5);
    memory.retire();
    expect(() => memory.hold(0)).toThrow('The memory has been retired');
  });
});

function makeMemory(slotCount: number): SlotMemory {
  return new SlotMemory({ slotCount, onFree: () => undefined });
}

import type { Target } from './target.ts';

/** Takes a volume and keeps nothing of it, for whoever wants no more than its digests. */
export const NULL_TARGET: Target = {
  name: 'nowhere',
  isInOrder: false,
  isZero: true,
  write: () => Promise.resolve(),
  clear: () => Promise.resolve(),
  sync: () => Promise.resolve(),
  finish: () => Promise.resolve(),
  abort: () => Promise.resolve(),
};

import type { Brake } from '../index.ts';

const WORDS: Readonly<Record<Brake, string>> = {
  window: 'link',
  'snapshot-quota': 'snapshot quota',
  'account-quota': 'account quota',
  'user-cap': 'your cap',
  source: 'source',
  memory: '--memory',
  cpu: 'CPU',
  'retry-wait': 'retries',
};

/** What limits a job, as a user knows it. A download waits for its target where an upload waits for its source. */
export function limitWords(brake: Brake, verb: string): string {
  return brake === 'source' && verb === 'download' ? 'target' : WORDS[brake];
}

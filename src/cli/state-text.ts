import type { Brake, JobState } from '../index.ts';
import { limitWords } from './limit-words.ts';
import { formatBytes, formatDuration, formatRate } from './output.ts';

/** How a job stands, in lines for a human: where it is, what limits it, what that has cost, what has been learned. */
export function stateText(state: JobState, verb: string): string {
  const facts: [string, string][] = [
    ['progress', progressOf(state)],
    ['in flight', inFlightOf(state)],
    ['limited by', limitsOf(state, verb)],
    ['learned', learnedOf(state)],
    ['refused', `${state.progress.retries} retries, ${throttlesOf(state)}`],
  ];
  const lines = facts
    .filter(([, fact]) => fact !== '')
    .map(([name, fact]) => `  ${name.padEnd(12)}${fact}`);
  return [`${verb.trim()} after ${formatDuration(state.progress.elapsedMs)}`, ...lines].join('\n');
}

function progressOf({ progress }: JobState): string {
  const { bytesDone, bytesTotal, bytesTransferred, zeroBlocks, elapsedMs } = progress;
  const total = bytesTotal === undefined ? '' : ` of ${formatBytes(bytesTotal)}`;
  const rate = formatRate(bytesTransferred, elapsedMs);
  return `${formatBytes(bytesDone)}${total}, ${zeroBlocks} blocks zero, ${rate} on average`;
}

function inFlightOf({ progress, window }: JobState): string {
  if (window === undefined) return `${progress.inFlight} requests`;
  const { limit, jobs } = window;
  const sharers = jobs > 1 ? `, shared by ${jobs} jobs` : '';
  return `${progress.inFlight} requests, window ${limit}${sharers}`;
}

function limitsOf({ window, spentMs }: JobState, verb: string): string {
  if (window === undefined) return '';
  const times = (Object.entries(spentMs) as [Brake, number][])
    .filter(([, ms]) => ms >= 1)
    .sort(([, a], [, b]) => b - a)
    .map(([brake, ms]) => `${limitWords(brake, verb)} ${formatDuration(ms)}`);
  return `${limitWords(window.limitedBy, verb)} now; so far ${times.join(', ')}`;
}

function learnedOf({ window }: JobState): string {
  const { latencyMs, snapshotPerSecond, accountPerSecond } = window ?? {};
  return [
    latencyMs === undefined ? '' : `${formatDuration(latencyMs)} a request`,
    quota('snapshot', snapshotPerSecond),
    quota('account', accountPerSecond),
  ]
    .filter((fact) => fact !== '')
    .join(', ');
}

function quota(scope: string, perSecond: number | undefined): string {
  return perSecond === undefined ? '' : `${scope} quota ${Math.round(perSecond)} requests/s`;
}

function throttlesOf({ throttles: { snapshot, account } }: JobState): string {
  return `${snapshot} throttled by the snapshot quota, ${account} by the account quota`;
}

import type { SingleBar } from 'cli-progress';
import type {
  Job,
  Listeners,
  Progress,
  RestoreEvents,
  RetryEvent,
  StartEvents,
  ThrottleEvent,
} from '../index.ts';
import { Crowd } from './crowd.ts';
import { limitWords } from './limit-words.ts';
import { formatBytes, formatDuration, formatRate, type Output } from './output.ts';
import { Speedometer } from './speedometer.ts';
import type { StateSignal } from './state-signal.ts';
import { stateText } from './state-text.ts';

const JSON_INTERVAL_MS = 1_000;
/** A job that stands still tells of nothing, so it is looked at as well. */
const LOOK_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;
const RETRY_INTERVAL_MS = 5_000;
const BAR_WIDTH_MIN = 5;
const BAR_WIDTH_MAX = 30;
/** Columns for what stands beside the bar. */
const FACTS_WIDTH = 70;
/** Columns for what limits the job; a terminal without them shows a longer bar instead. */
const LIMIT_WIDTH = 20;

/** What a job reports to. */
export type ProgressListeners = Listeners<StartEvents & RestoreEvents>;

/** Where a job is shown, and what asks for its state. */
export interface Watching {
  readonly output: Output;
  readonly stateSignal: Pick<StateSignal, 'answerWith'>;
}

/** Runs a job and shows how far it has come: `on` is what the job reports to. */
export async function withProgress<Result>(
  { output, stateSignal }: Watching,
  verb: string,
  job: (on: ProgressListeners) => Promise<Result>,
): Promise<Result> {
  const view = await openView(output, verb);
  let look: NodeJS.Timeout | undefined;
  const start = (started: Job): void => {
    look = setInterval(() => view.update(started.state.progress), LOOK_INTERVAL_MS).unref();
    stateSignal.answerWith(() => tellState(started, { output, verb }));
  };
  try {
    return await job({
      start,
      progress: (progress) => view.update(progress),
      retry: (event) => view.retry(event),
      throttle: (event) => view.throttle(event),
    });
  } finally {
    clearInterval(look);
    stateSignal.answerWith(undefined);
    view.stop();
  }
}

function tellState({ state }: Job, { output, verb }: { output: Output; verb: string }): void {
  if (output.json) output.event('state', state);
  else output.answer(stateText(state, verb));
}

/** Shows how far a job has come. Ends with `stop`, whatever became of the job. */
interface ProgressView {
  update(progress: Progress): void;
  retry(event: RetryEvent): void;
  throttle(event: ThrottleEvent): void;
  stop(): void;
}

/** The view that fits the output: a bar, lines, JSON lines, or nothing. */
async function openView(output: Output, verb: string): Promise<ProgressView> {
  switch (output.progressStyle) {
    case 'bar':
      return new BarView(output, verb, (await import('cli-progress')).default.SingleBar);
    case 'lines':
      return new LineView(output, verb);
    case 'json':
      return new JsonView(output);
    case 'none':
      return new NoView(output);
  }
}

/** Retries and throttling are events of their own with `--json`, a crowd of them one a second; a human is told of one now and then. */
class EventView {
  protected readonly output: Output;
  readonly #retries: Crowd<object>;
  readonly #throttles: Crowd<object>;
  #toldAtMs = -Infinity;

  constructor(output: Output) {
    this.output = output;
    this.#retries = new Crowd((event) => output.event('retry', event));
    this.#throttles = new Crowd((event) => output.event('throttle', event));
  }

  /** Tells what is due of the crowds; with Infinity, everything. */
  protected tellCrowds(nowMs = performance.now()): void {
    this.#retries.tellDue(nowMs);
    this.#throttles.tellDue(nowMs);
  }

  retry({ error, ...event }: RetryEvent): void {
    const { code } = error as { code?: string };
    const kind = `${event.operation} ${code ?? ''}`;
    this.#retries.add(kind, { ...event, code, message: error.message }, performance.now());
    this.#tell(`trying again, attempt ${event.attempt + 1}: ${error.message}`);
  }

  throttle(event: ThrottleEvent): void {
    this.#throttles.add(`${event.operation} ${event.scope}`, event, performance.now());
    this.#tell(`the service asks to slow down (quota of the ${event.scope})`);
  }

  /** Failing requests come in crowds, of which one is enough. */
  #tell(text: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < RETRY_INTERVAL_MS) return;
    this.#toldAtMs = nowMs;
    this.output.message(text);
  }
}

class NoView extends EventView implements ProgressView {
  update(): void {
    this.tellCrowds();
  }

  stop(): void {
    this.tellCrowds(Infinity);
  }
}

/** Lets a report through once in an interval, and shows the last one at the end. */
abstract class PacedView extends EventView implements ProgressView {
  readonly #intervalMs: number;
  #shownAtMs: number;
  #last: Progress | undefined;

  constructor(output: Output, intervalMs: number, firstAtMs = 0) {
    super(output);
    this.#intervalMs = intervalMs;
    this.#shownAtMs = firstAtMs - intervalMs;
  }

  protected abstract show(progress: Progress, isLast: boolean): void;

  update(progress: Progress): void {
    this.tellCrowds();
    this.#last = progress;
    if (progress.elapsedMs - this.#shownAtMs < this.#intervalMs) return;
    this.#shownAtMs = progress.elapsedMs;
    this.show(progress, false);
  }

  stop(): void {
    this.tellCrowds(Infinity);
    if (this.#last !== undefined) this.show(this.#last, true);
  }
}

class JsonView extends PacedView {
  constructor(output: Output) {
    super(output, JSON_INTERVAL_MS);
  }

  protected show(progress: Progress): void {
    this.output.event('progress', progress);
  }
}

class LineView extends PacedView {
  readonly #verb: string;
  readonly #speedometer = new Speedometer();

  constructor(output: Output, verb: string) {
    super(output, LINE_INTERVAL_MS, LINE_INTERVAL_MS);
    this.#verb = verb;
  }

  override update(progress: Progress): void {
    this.#speedometer.update(progress);
    super.update(progress);
  }

  protected show(progress: Progress, isLast: boolean): void {
    const facts = isLast
      ? outcome(progress)
      : doing(progress, this.#speedometer, limitOf(progress, this.#verb));
    this.output.message(`${this.#verb} ${percentage(progress)}${facts}`);
  }
}

class BarView extends EventView implements ProgressView {
  readonly #bar: SingleBar;
  readonly #speedometer = new Speedometer();
  #isStarted = false;
  #isOver = false;

  constructor(output: Output, verb: string, Bar: typeof SingleBar) {
    super(output);
    this.#bar = new Bar({
      format: (_options, _params, payload: Progress) => {
        const { columns } = output.stderr;
        const bar = drawBar(payload, columns);
        const limit = isWide(columns) ? limitOf(payload, verb) : undefined;
        const facts = this.#isOver ? outcome(payload) : doing(payload, this.#speedometer, limit);
        return `${verb} ${bar}${percentage(payload)}${facts}`;
      },
      stream: output.stderr,
      fps: 10,
      // Signals are handled in one place, stop-signals.ts.
      gracefulExit: false,
      forceRedraw: true,
      // Lines are cut to the terminal's width instead of a mode being set that a killed process would leave behind.
      linewrap: true,
    });
  }

  update(progress: Progress): void {
    this.tellCrowds();
    this.#speedometer.update(progress);
    const { bytesDone, bytesTotal = Number.MAX_SAFE_INTEGER } = progress;
    // The bar keeps the first payload and writes those that follow into it, so it gets one of its own.
    if (this.#isStarted) this.#bar.update(bytesDone, progress);
    else this.#bar.start(bytesTotal, bytesDone, { ...progress });
    this.#isStarted = true;
    this.output.isBarShown = true;
  }

  stop(): void {
    this.tellCrowds(Infinity);
    this.#isOver = true;
    this.output.isBarShown = false;
    if (this.#isStarted) this.#bar.stop();
  }
}

function drawBar({ bytesDone, bytesTotal }: Progress, columns: number): string {
  const factsWidth = FACTS_WIDTH + (isWide(columns) ? LIMIT_WIDTH : 0);
  const width = Math.min(BAR_WIDTH_MAX, columns - factsWidth);
  if (bytesTotal === undefined || width < BAR_WIDTH_MIN) return '';
  const done = bytesTotal === 0 ? width : Math.floor((width * bytesDone) / bytesTotal);
  return `${'█'.repeat(done)}${'░'.repeat(width - done)} `;
}

function isWide(columns: number): boolean {
  return columns >= FACTS_WIDTH + LIMIT_WIDTH + 2 * BAR_WIDTH_MIN;
}

function limitOf({ limitedBy }: Progress, verb: string): string | undefined {
  return limitedBy === undefined ? undefined : limitWords(limitedBy, verb);
}

/** Rounded down, so that 100 % is said of nothing less. */
function percentage({ bytesDone, bytesTotal }: Progress): string {
  if (bytesTotal === undefined) return '';
  const percent = bytesTotal === 0 ? 100 : Math.floor((100 * bytesDone) / bytesTotal);
  return `${String(percent).padStart(3)} % `;
}

/** What a job has done by its end, at the rate of the whole. */
function outcome(progress: Progress): string {
  const { bytesDone, elapsedMs } = progress;
  const parts = [amount(progress), formatRate(bytesDone, elapsedMs)];
  return [...parts, ...repeats(progress)].join(', ');
}

/** What a job is doing, at the rate of the last seconds, and what limits it. */
function doing(progress: Progress, speedometer: Speedometer, limit: string | undefined): string {
  const { bytesDone, bytesTotal, inFlight } = progress;
  const parts = [amount(progress)];
  if (speedometer.bytesPerSecond !== undefined) {
    parts.push(`${formatBytes(Math.round(speedometer.bytesPerSecond))}/s`);
  }
  if (progress.bytesVerified !== undefined) {
    parts.push(`${formatBytes(progress.bytesVerified)} read back`);
  } else if (bytesDone === bytesTotal && inFlight === 0) parts.push('finishing');
  else if (speedometer.remainingMs !== undefined) {
    const wholeSecondsMs = Math.ceil(speedometer.remainingMs / 1000) * 1000;
    parts.push(`${formatDuration(wholeSecondsMs)} left`);
  }
  parts.push(`${inFlight} in flight${limit === undefined ? '' : ` (${limit})`}`);
  return [...parts, ...repeats(progress)].join(', ');
}

function amount({ bytesDone, bytesTotal }: Progress): string {
  return `${formatBytes(bytesDone)}${bytesTotal === undefined ? '' : `/${formatBytes(bytesTotal)}`}`;
}

function repeats({ retries }: Progress): string[] {
  return retries === 0 ? [] : [`${retries} ${retries === 1 ? 'retry' : 'retries'}`];
}

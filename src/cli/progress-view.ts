import type { SingleBar } from 'cli-progress';
import type { Listeners, Progress, RestoreEvents, RetryEvent, ThrottleEvent } from '../index.ts';
import { formatBytes, formatDuration, type Output } from './output.ts';
import { Speedometer } from './speedometer.ts';

const JSON_INTERVAL_MS = 1_000;
const LINE_INTERVAL_MS = 5_000;
const BAR_WIDTH_MAX = 30;
const CYAN = '\u001b[36m';
const PLAIN = '\u001b[39m';

/** Runs a job and shows how far it has come: `on` is what the job reports to. */
export async function withProgress<Result>(
  output: Output,
  verb: string,
  job: (on: Listeners<RestoreEvents>) => Promise<Result>,
): Promise<Result> {
  const view = await openView(output, verb);
  try {
    return await job({
      progress: (progress) => view.update(progress),
      retry: (event) => view.retry(event),
      throttle: (event) => view.throttle(event),
    });
  } finally {
    view.stop();
  }
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

/** Retries and throttling are events of their own with `--json`, progress or not. */
class EventView {
  protected readonly output: Output;

  constructor(output: Output) {
    this.output = output;
  }

  retry({ error, ...event }: RetryEvent): void {
    const { code } = error as { code?: string };
    this.output.event('retry', { ...event, code, message: error.message });
  }

  throttle(event: ThrottleEvent): void {
    this.output.event('throttle', event);
  }
}

class NoView extends EventView implements ProgressView {
  update(): void {
    return;
  }

  stop(): void {
    return;
  }
}

/** Lets a report through once in an interval, and remembers the last one held back. */
abstract class PacedView extends EventView implements ProgressView {
  readonly #intervalMs: number;
  #shownAtMs: number;
  #heldBack: Progress | undefined;

  constructor(output: Output, intervalMs: number, firstAtMs = 0) {
    super(output);
    this.#intervalMs = intervalMs;
    this.#shownAtMs = firstAtMs - intervalMs;
  }

  protected abstract show(progress: Progress): void;

  update(progress: Progress): void {
    this.#heldBack = progress;
    if (progress.elapsedMs - this.#shownAtMs < this.#intervalMs) return;
    this.#shownAtMs = progress.elapsedMs;
    this.#flush();
  }

  stop(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#heldBack !== undefined) this.show(this.#heldBack);
    this.#heldBack = undefined;
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

  protected show(progress: Progress): void {
    this.output.message(
      `${this.#verb}: ${percentage(progress)}${facts(progress, this.#speedometer)}`,
    );
  }
}

class BarView extends EventView implements ProgressView {
  readonly #bar: SingleBar;
  readonly #speedometer = new Speedometer();
  #isStarted = false;

  constructor(output: Output, verb: string, Bar: typeof SingleBar) {
    super(output);
    this.#bar = new Bar({
      format: (_options, _params, payload: Progress) => {
        const bar = drawBar(payload, output);
        return `${verb} ${bar}${percentage(payload)}${facts(payload, this.#speedometer)}`;
      },
      stream: output.stderr,
      fps: 10,
      // Signals are handled in one place, stop-signals.ts.
      gracefulExit: false,
      forceRedraw: true,
      linewrap: true,
    });
  }

  update(progress: Progress): void {
    this.#speedometer.update(progress);
    const { bytesDone, bytesTotal = Number.MAX_SAFE_INTEGER } = progress;
    if (this.#isStarted) this.#bar.update(bytesDone, progress);
    else this.#bar.start(bytesTotal, bytesDone, progress);
    this.#isStarted = true;
  }

  stop(): void {
    if (this.#isStarted) this.#bar.stop();
  }
}

function drawBar({ bytesDone, bytesTotal }: Progress, output: Output): string {
  if (bytesTotal === undefined) return '';
  const width = Math.min(BAR_WIDTH_MAX, Math.max(0, output.stderr.columns - 75));
  if (width < 5) return '';
  const done = bytesTotal === 0 ? width : Math.floor((width * bytesDone) / bytesTotal);
  const filled = '█'.repeat(done);
  const rest = '░'.repeat(width - done);
  return `${output.isColoured ? `${CYAN}${filled}${PLAIN}` : filled}${rest} `;
}

/** Rounded down, so that 100 % is said of nothing less. */
function percentage({ bytesDone, bytesTotal }: Progress): string {
  if (bytesTotal === undefined) return '';
  const percent = bytesTotal === 0 ? 100 : Math.floor((100 * bytesDone) / bytesTotal);
  return `${String(percent).padStart(3)} % `;
}

function facts(progress: Progress, speedometer: Speedometer): string {
  const { bytesDone, bytesTotal, inFlight, retries } = progress;
  const total = bytesTotal === undefined ? '' : `/${formatBytes(bytesTotal)}`;
  const parts = [`${formatBytes(bytesDone)}${total}`];
  if (speedometer.bytesPerSecond !== undefined) {
    parts.push(`${formatBytes(Math.round(speedometer.bytesPerSecond))}/s`);
  }
  if (bytesDone === bytesTotal && inFlight === 0) parts.push('finishing');
  else if (speedometer.remainingMs !== undefined) {
    parts.push(`${formatDuration(speedometer.remainingMs)} left`);
  }
  parts.push(`${inFlight} in flight`);
  if (retries > 0) parts.push(`${retries} ${retries === 1 ? 'retry' : 'retries'}`);
  return parts.join(', ');
}

import prettyBytes from 'pretty-bytes';

const CLEAR_LINE = '\r\u001b[K';
/** The bar returns to the saved place when it ends, so a message that moves it on saves its new place. */
const SAVE_CURSOR = '\u001b7';

/** The flags about output, which every command has. */
export interface OutputFlags {
  /** JSON objects on stdout instead of words. */
  readonly json?: boolean;
  /** Nothing but errors on stderr. */
  readonly quiet?: boolean;
  /** Default true. */
  readonly progress?: boolean;
}

/** Where a command writes. */
export interface OutputOptions extends OutputFlags {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

/** How progress is shown: a bar on a terminal, a plain line now and then, JSON lines, or not at all. */
export type ProgressStyle = 'bar' | 'lines' | 'json' | 'none';

/**
 * The two streams of a command: the result on stdout, everything else on stderr. A reader that leaves early is no
 * error: the job goes on, unheard.
 */
export class Output {
  readonly #options: OutputOptions;
  #flags: OutputFlags;
  #isStdoutGone = false;
  /** While a bar has the last line of the terminal, messages take its place and it moves on. */
  isBarShown = false;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#flags = options;
    options.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#isStdoutGone = true;
      if (error.code !== 'EPIPE') this.error(`stdout cannot be written: ${error.message}`);
    });
    options.stderr.on('error', () => undefined);
  }

  /** Takes the flags of the command line, once it has been read. */
  configure({ json = false, quiet = false, progress = true }: OutputFlags): void {
    this.#flags = { json, quiet, progress };
  }

  get json(): boolean {
    return this.#flags.json === true;
  }

  get stderr(): NodeJS.WriteStream {
    return this.#options.stderr;
  }

  /** True once the reader of stdout has gone away. */
  get isStdoutGone(): boolean {
    return this.#isStdoutGone;
  }

  get progressStyle(): ProgressStyle {
    const { stderr, env } = this.#options;
    if (this.#flags.progress === false) return 'none';
    if (this.json) return 'json';
    if (this.#flags.quiet === true) return 'none';
    return stderr.isTTY && env.TERM !== 'dumb' ? 'bar' : 'lines';
  }

  /** The result for a human's shell script: nothing else of theirs is on stdout. */
  result(text: string): void {
    if (!this.json) this.#print(text);
  }

  /** One JSON object on a line of stdout; nothing without `--json`. */
  event(type: string, fields: object): void {
    if (this.json) this.#print(JSON.stringify({ type, ...fields }));
  }

  /** A sentence for a human; nothing with `--quiet` or `--json`. */
  message(text: string): void {
    if (this.#flags.quiet !== true && !this.json) this.#tell(text);
  }

  /** What the user has asked for just now: whatever else is silenced. */
  answer(text: string): void {
    this.#tell(text);
  }

  /** A sentence that says what went wrong, always. */
  error(text: string): void {
    this.#tell(`ebs-snapshot: ${text}`);
  }

  #tell(line: string): void {
    const text = `${line}\n`;
    this.stderr.write(this.isBarShown ? `${CLEAR_LINE}${text}${SAVE_CURSOR}` : text);
  }

  #print(line: string): void {
    const { stdout } = this.#options;
    if (this.#isStdoutGone) return;
    const isOverBar = this.isBarShown && stdout.isTTY;
    stdout.write(isOverBar ? `${CLEAR_LINE}${line}\n${SAVE_CURSOR}` : `${line}\n`);
  }
}

/** `1.5 GiB` */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** `480 MiB/s` */
export function formatRate(bytes: number, elapsedMs: number): string {
  return `${formatBytes(elapsedMs > 0 ? (bytes * 1000) / elapsedMs : 0)}/s`;
}

/** `850 ms`, `4.2 s`, `12 min 5 s`, `3 h 2 min` */
export function formatDuration(elapsedMs: number): string {
  if (elapsedMs < 1000) return `${Math.round(elapsedMs)} ms`;
  const seconds = elapsedMs / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

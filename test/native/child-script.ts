import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const LOAD_ENGINE = new URL('../../dist/engine/load-engine.js', import.meta.url).href;

/** What each script begins with: the built engine, and eyes on what the process has open. */
const PRELUDE = `
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
const { loadEngine } = await import(${JSON.stringify(LOAD_ENGINE)});

/** Threads of the addon in this process. */
function nativeThreads() {
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync('/proc/self/task/' + id + '/comm', 'utf8').startsWith('ebs-');
    } catch {
      return false;
    }
  }).length;
}

/** How often this process has the file open. */
function timesOpen(path) {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync('/proc/self/fd/' + fd) === path;
    } catch {
      return false;
    }
  }).length;
}

/** Lets the event loop and the collector run until it is so; the test's own time limit ends a wait in vain. */
async function until(isSo) {
  while (!isSo()) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
`;

/** How a script ended. */
export interface ScriptResult {
  readonly exitCode: number | null;
  /** Not null when it crashed. */
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs an ES module in a node of its own, with `gc()`. `process.argv[2]` and on are `args`. */
export async function runScript(body: string, ...args: string[]): Promise<ScriptResult> {
  const nodeArgs = ['--expose-gc', '--input-type=module', '--eval', PRELUDE + body, 'script'];
  try {
    const output = await promisify(execFile)(process.execPath, [...nodeArgs, ...args], {
      timeout: 25_000,
      killSignal: 'SIGKILL',
    });
    return { exitCode: 0, signal: null, ...output };
  } catch (error) {
    const { code, signal, stdout, stderr } = error as Record<string, unknown>;
    return {
      exitCode: typeof code === 'number' ? code : null,
      signal: typeof signal === 'string' ? signal : null,
      stdout: String(stdout),
      stderr: String(stderr),
    };
  }
}

/** A script that runs `body` in a worker thread: the same prelude, `workerData` for its arguments. */
export function inWorker(body: string): string {
  const source = `data:text/javascript,${encodeURIComponent(PRELUDE + body)}`;
  return `new URL(${JSON.stringify(source)})`;
}

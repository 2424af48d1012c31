import { expect } from 'vitest';
import { start, type CommandResult } from '../support/command.ts';
import { putCommandOnPath } from '../support/command-on-path.ts';
import { startServe, type ServeProcess } from '../support/serve-process.ts';

/** `ebs-snapshot serve`, and other programs that find it by their environment alone. */
export interface ServiceForClients extends ServeProcess {
  /** Runs a program in the service's parent folder to an end that must be a good one; returns what it printed. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<string>;
  /** Runs a program to whatever end. */
  readonly tryRun: (program: string, ...args: readonly string[]) => Promise<CommandResult>;
  /** Ended requests by operation. */
  readonly counts: () => Promise<Record<string, number>>;
}

/** Starts the service for one test. */
export async function serveClients(): Promise<ServiceForClients> {
  const serve = await startServe();
  const env = {
    AWS_ENDPOINT_URL: serve.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local-secret',
    AWS_PAGER: '',
    PATH: await putCommandOnPath(serve.parent),
  };
  const tryRun: ServiceForClients['tryRun'] = (program, ...args) =>
    start(program, args, { cwd: serve.parent, env }).result;
  const run: ServiceForClients['run'] = async (program, ...args) => {
    const { exitCode, stdout, stderr } = await tryRun(program, ...args);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    return stdout;
  };
  const counts: ServiceForClients['counts'] = async () => {
    const answer = await fetch(`${serve.endpoint}/_local/counters`);
    const { byOperation } = (await answer.json()) as { byOperation: Record<string, number> };
    return byOperation;
  };
  return { ...serve, run, tryRun, counts };
}

import { CommanderError } from 'commander';
import type { Command } from './command-table.ts';
import { exitCodeOf, EXIT, SIGNAL_EXIT, type StopSignal } from './exit-codes.ts';
import { UnfinishedJob } from './unfinished-job.ts';
import { UsageError } from './usage-error.ts';

/** A failure as the user is told of it. */
export interface Report {
  readonly exitCode: number;
  readonly code: string;
  /** One sentence, without a full stop: what was wrong, and what to do. */
  readonly sentence: string;
  /** What a program may want beside the sentence. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the user can do, by code, where the library's message does not say it already. */
const ADVICE: Readonly<Record<string, string>> = {
  ERR_EBS_SOURCE_OPEN: 'give a file or a block device that you may read, or - for stdin',
  ERR_EBS_SOURCE_SIZE: 'give another source, or a --volume-size that holds it',
  ERR_EBS_TARGET_OPEN: 'give a path that can be written',
  ERR_EBS_TARGET_EXISTS: 'give another path, or --force if what is there may go',
  ERR_EBS_TARGET_SIZE: 'give a larger device, or a file',
  ERR_EBS_SERVICE: 'check the ids and the --region',
  ERR_EBS_ACCESS: 'check the credentials, --region and --profile, and the IAM permissions',
  ERR_EBS_SNAPSHOT_DELETED: 'upload again, with a new --manifest',
  ERR_EBS_SNAPSHOT_EXPIRED:
    'upload again with a new --manifest, and a longer --timeout if pauses are long',
  ERR_EBS_SNAPSHOT_SEALED:
    'look at what it holds, then delete it and upload again with a new --manifest',
  ERR_EBS_MANIFEST_EXISTS: 'go on with it by --resume, or give another path',
  ERR_EBS_MANIFEST_LOCKED: 'wait for that run, or stop it',
  ERR_EBS_MANIFEST_IO: 'make room, or repair the disk',
  ERR_EBS_DIFFERENT: 'delete the snapshot and upload again, and check memory and disk',
  ERR_EBS_UNCONFIRMED: 'ask for its state with `aws ec2 describe-snapshots`',
  ERR_EBS_THROTTLED: 'lower --max-requests or run fewer uploads at a time',
  ERR_EBS_TRANSPORT: 'check the network and the endpoint, then run the command again',
  ERR_EBS_INTEGRITY: 'run the command again, and check memory and disk if it comes back',
  ERR_EBS_OMIT_REFUSED: 'upload without --zero-blocks omit',
  STORE_LOCKED: 'stop the other service first, or choose another folder',
  EADDRINUSE: 'choose another --port, or 0 for any free one',
  EADDRNOTAVAIL: 'choose a --host that this machine has',
  ENOTFOUND: 'choose a --host that this machine has',
  ERR_EBS_SNAPSHOT_FAILED: 'delete the snapshot and upload again',
};

/** Fields of the library's errors that a report carries on. */
const FIELDS = [
  'snapshotId',
  'blockIndex',
  'requestId',
  'attempts',
  'retryable',
  'statusCode',
  'serviceCode',
  'reason',
  'path',
  'offset',
  'errno',
] as const;

/** Words a failure for the user of `command`, whose flags take the place of the library's option names. */
export function reportFailure(error: unknown, command: Command | undefined): Report {
  if (error instanceof UnfinishedJob) {
    const report = reportFailure(error.cause, command);
    const fields = { ...report.fields, ...leftBy(error) };
    const isPlain = report.exitCode === EXIT.failed && isResumable(error);
    return { ...report, fields, exitCode: isPlain ? EXIT.resumable : report.exitCode };
  }
  if (error instanceof CommanderError) {
    return usage(
      error.message.replace(/^error: /, '').replace('. Expected', ', expected'),
      command,
    );
  }
  if (error instanceof UsageError) return usage(error.message, command);
  const { code, message } = describeError(error);
  const advice =
    (error as { advice?: string } | undefined)?.advice === undefined ? ADVICE[code] : undefined;
  const sentence = oneSentence(/^ERR_[IO]/.test(code) ? inFlags(message, command) : message);
  return {
    exitCode: exitCodeOf(code),
    code,
    sentence: advice === undefined ? sentence : `${sentence}; ${advice}`,
    fields: pick(error),
  };
}

/** Words the end of a run that a signal stopped. */
export function reportStop(signal: StopSignal, error: unknown): Report {
  return {
    exitCode: isResumable(error) ? EXIT.resumable : SIGNAL_EXIT[signal],
    code: 'ABORT_ERR',
    sentence: `stopped by ${signal}`,
    fields: error instanceof UnfinishedJob ? leftBy(error) : {},
  };
}

function isResumable(error: unknown): boolean {
  return error instanceof UnfinishedJob && error.remains.resumeCommand !== undefined;
}

function leftBy({ remains }: UnfinishedJob): Record<string, unknown> {
  const { snapshotId, state, resumeCommand } = remains;
  return {
    ...(snapshotId === undefined ? {} : { snapshotId, remains: state }),
    ...(resumeCommand === undefined ? {} : { resumeCommand }),
  };
}

function usage(message: string, command: Command | undefined): Report {
  const help = `ebs-snapshot ${command === undefined ? '' : `${command.name} `}--help`;
  return {
    exitCode: EXIT.usage,
    code: 'ERR_INVALID_ARG_VALUE',
    sentence: `${oneSentence(message)}; see \`${help}\``,
    fields: {},
  };
}

/** Any other code is a system call's (`EACCES`), or that of a mistake of ours, told as such. */
function describeError(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'ERR_UNEXPECTED', message: String(error) };
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return { code, message: error.message };
  return { code: 'ERR_UNEXPECTED', message: `unexpected ${error.name}: ${error.message}` };
}

function oneSentence(text: string): string {
  return text.trim().replace(/\s+/g, ' ').replace(/\.$/, '');
}

/** `params.VolumeSize must be …` reads `--volume-size must be …`; `zeroBlocks: 'omit'` reads `--zero-blocks omit`. */
function inFlags(message: string, command: Command | undefined): string {
  let text = message.replace(
    /params\.Tags\[(\d+)\]\.(Key|Value)/,
    (_, index: string, part: string) => {
      return `the ${part.toLowerCase()} of --tag number ${Number(index) + 1}`;
    },
  );
  for (const { name, option } of command?.flags ?? []) {
    if (option === undefined) continue;
    text = text.replace(
      new RegExp(`(?<![\\w.])${escape(option)}(?:: '(\\w+)')?(?![\\w.])`),
      (_, value?: string) => {
        return value === undefined ? `--${name}` : `--${name} ${value}`;
      },
    );
  }
  for (const { name, option } of command?.arguments ?? []) {
    if (option !== undefined) text = text.replace(new RegExp(`^${option}(?!\\w)`), name);
  }
  return text;
}

function escape(text: string): string {
  return text.replace(/\./g, '\\.');
}

function pick(error: unknown): Record<string, unknown> {
  const source = Object(error) as Record<string, unknown>;
  return Object.fromEntries(
    FIELDS.filter((name) => source[name] !== undefined).map((name) => [name, source[name]]),
  );
}

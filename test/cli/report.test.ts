import { CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { COMMANDS, type Command } from '../../src/cli/command-table.ts';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
import { reportFailure, reportStop } from '../../src/cli/report.ts';
import { UnfinishedJob } from '../../src/cli/unfinished-job.ts';
import { CompletionError, ERROR_CODES, ServiceError, SourceError } from '../../src/index.ts';

const UPLOAD: Command = COMMANDS[0];
const coded = (error: Error, code: string): Error => Object.assign(error, { code });

it('gives every code of the library an exit code of the table', () => {
  const exitCodes = Object.keys(ERROR_CODES).map((code) => [code, exitCodeOf(code)]);
  expect(Object.fromEntries(exitCodes)).toEqual({
    ERR_EBS_SOURCE_OPEN: 2,
    ERR_EBS_SOURCE_READ: 1,
    ERR_EBS_SOURCE_SIZE: 2,
    ERR_EBS_TARGET_OPEN: 2,
    ERR_EBS_TARGET_WRITE: 1,
    ERR_EBS_TARGET_EXISTS: 2,
    ERR_EBS_TARGET_SIZE: 2,
    ERR_EBS_SERVICE: 1,
    ERR_EBS_ACCESS: 7,
    ERR_EBS_PROXY: 7,
    ERR_EBS_THROTTLED: 1,
    ERR_EBS_TRANSPORT: 1,
    ERR_EBS_INTEGRITY: 1,
    ERR_EBS_SNAPSHOT_FAILED: 1,
    ERR_EBS_SNAPSHOT_DELETED: 1,
    ERR_EBS_SNAPSHOT_EXPIRED: 1,
    ERR_EBS_SNAPSHOT_SEALED: 1,
    ERR_EBS_DIFFERENT: 4,
    ERR_EBS_VOLUME_MISMATCH: 2,
    ERR_EBS_UNCONFIRMED: 3,
    ERR_EBS_OMIT_REFUSED: 2,
    ERR_EBS_MANIFEST_OPEN: 2,
    ERR_EBS_MANIFEST_EXISTS: 2,
    ERR_EBS_MANIFEST_LOCKED: 6,
    ERR_EBS_MANIFEST_FOREIGN: 2,
    ERR_EBS_MANIFEST_DAMAGED: 1,
    ERR_EBS_MANIFEST_MISMATCH: 2,
    ERR_EBS_MANIFEST_DOUBTFUL: 1,
    ERR_EBS_MANIFEST_IO: 1,
    ERR_EBS_PARTS_CONFLICT: 1,
    ERR_EBS_PARTS_INCOMPLETE: 1,
    ERR_EBS_ENGINE: 1,
  });
  expect(exitCodeOf(undefined)).toBe(1);
  expect(exitCodeOf('ERR_OF_TOMORROW')).toBe(1);
});

it.each([
  ['params.VolumeSize must be a whole number', '--volume-size must be a whole number'],
  ["zeroBlocks: 'omit' cannot be given", '--zero-blocks omit cannot be given'],
  ['params.KmsKeyArn … with params.ParentSnapshotId', '--kms-key-arn … with --parent-snapshot-id'],
  ['params.Tags[2].Key must be free', 'the key of --tag number 3 must be free'],
  ['maxInFlightBytes must be', '--memory must be'],
  ['source must be a path', 'SOURCE must be a path'],
])('names the flag where the library says %s', (message, sentence) => {
  const error = coded(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
  expect(reportFailure(error, UPLOAD)).toMatchObject({ sentence, exitCode: 2 });
});

it('makes one sentence of whatever it is given', () => {
  const error = new SourceError('ERR_EBS_SOURCE_READ', 'Reading failed.\n  at offset 5.');
  expect(reportFailure(error, UPLOAD).sentence).toBe('Reading failed. at offset 5');
  const unknown = new CommanderError(1, 'x', "error: unknown command 'x'\n(Did you mean y?)");
  expect(reportFailure(unknown, undefined)).toMatchObject({
    sentence: "unknown command 'x' (Did you mean y?); see `ebs-snapshot --help`",
    exitCode: 2,
  });
  expect(reportFailure(new Error('boom'), UPLOAD)).toMatchObject({
    code: 'ERR_UNEXPECTED',
    sentence: 'unexpected Error: boom',
    exitCode: 1,
  });
  expect(reportFailure('boom', UPLOAD).sentence).toBe('boom');
});

it('carries on what a program may want', () => {
  const error = new ServiceError('ERR_EBS_SERVICE', 'refused', {
    snapshotId: 'snap-1',
    blockIndex: 7,
    requestId: 'r',
    statusCode: 400,
  });
  expect(reportFailure(error, UPLOAD).fields).toEqual({
    snapshotId: 'snap-1',
    blockIndex: 7,
    requestId: 'r',
    statusCode: 400,
    retryable: false,
  });
});

it('tells accepted and unconfirmed apart from failed', () => {
  const cause = new CompletionError('ERR_EBS_UNCONFIRMED', 'snap-1 was accepted');
  const remains = { snapshotId: 'snap-1', state: 'was accepted', resumeCommand: undefined };
  const error = new UnfinishedJob(cause, remains);
  const report = reportFailure(error, UPLOAD);
  expect(report.exitCode).toBe(3);
  expect(report.fields).toMatchObject({ snapshotId: 'snap-1', remains: 'was accepted' });
});

it.each([
  ['ERR_EBS_TRANSPORT', 5],
  ['ERR_EBS_ACCESS', 7],
])('tells how to go on after %s', (code, exitCode) => {
  const remains = { snapshotId: undefined, state: '', resumeCommand: 'ebs-snapshot upload …' };
  const error = new UnfinishedJob(coded(new Error('no'), code), remains);
  const report = reportFailure(error, UPLOAD);
  expect(report.exitCode).toBe(exitCode);
  expect(report.fields).toEqual({ resumeCommand: 'ebs-snapshot upload …' });
  expect(reportStop('SIGINT', error)).toMatchObject({ exitCode: 5, fields: report.fields });
});

it('ends with the number of the signal, whatever failed after it', () => {
  expect(reportStop('SIGINT', new Error('socket hang up'))).toEqual({
    exitCode: 130,
    code: 'ABORT_ERR',
    sentence: 'stopped by SIGINT',
    fields: {},
  });
  expect(reportStop('SIGTERM', undefined).exitCode).toBe(143);
});

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LocalEbs, type ErrorFault } from '../../src/local.ts';
import { complaints, envOf, jsonLines, runCommand } from '../support/command.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const REFUSALS: readonly (readonly [string, ErrorFault, number, RegExp])[] = [
  [
    'a missing permission',
    { status: 403, type: 'AccessDeniedException', message: 'Access denied.' },
    7,
    /: Access denied; allow ebs:PutSnapshotBlock in the IAM policies of these credentials$/,
  ],
  [
    'an unknown KMS key',
    {
      status: 404,
      type: 'ResourceNotFoundException',
      reason: 'DEPENDENCY_RESOURCE_NOT_FOUND',
      message: 'KMS key not found.',
    },
    1,
    /: KMS key not found; check that the KMS key exists in this region, is enabled, and lets /,
  ],
];

it.each(REFUSALS)(
  'tells of %s in one sentence that says what to do',
  async (_name, fault, ...expected) => {
    const [exitCode, says] = expected;
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'disk.img'), randomBytes(600_000));
    const service = await LocalEbs.start({ directory: join(folder, 'service') });
    onTestFinished(() => service.close());
    service.inject({ operation: 'PutSnapshotBlock', blockIndex: 1, fault });
    const args = ['upload', 'disk.img', '--json'];
    const ended = await runCommand(args, { cwd: folder, env: envOf(service) });
    expect(ended.exitCode).toBe(exitCode);
    expect(complaints(ended.stderr)[0]).toMatch(says);
    const event = jsonLines(ended.stdout).at(-1);
    expect(event).toMatchObject({ type: 'error', exitCode, blockIndex: 1, attempts: 1 });
    expect(event?.requestId).toMatch(/^[0-9a-f-]{36}$/);
  },
);

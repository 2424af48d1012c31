import { describe, expect, test } from 'vitest';
import { OBSERVED_LAGS } from '../../src/local.ts';
import { row } from './contract-rows.ts';
import { linearOf, ServiceUnderTest, type RawAnswer } from './local-service-client.ts';

/** Section 7.1: every operation in every state, with the lags that were observed. Each case leads a snapshot there. */
const service = await ServiceUnderTest.start({ lags: { ...OBSERVED_LAGS, visibilityMs: 5000 } });
const MINUTE = 60_000;

/** What each operation answers: the status and what tells it apart. */
interface Behaviour {
  readonly ec2: string;
  readonly put: string;
  readonly complete: string;
  readonly list: string;
  readonly get: string;
  readonly changed: string;
  readonly asParent: string;
}

const NOT_FOUND = '404 SNAPSHOT_NOT_FOUND';
const UNREADABLE = { list: NOT_FOUND, get: NOT_FOUND, changed: NOT_FOUND };
const NOT_COMPLETE = '400 INVALID_SNAPSHOT_ID Source snapshot (ID) is not complete.';
const SEALED = {
  ...UNREADABLE,
  put: '400 INVALID_SNAPSHOT_ID Snapshot is already completed',
  asParent: NOT_COMPLETE,
};
const FAILED = { ...UNREADABLE, put: NOT_FOUND, complete: '202 error', asParent: NOT_FOUND };
const GONE = { ...FAILED, complete: NOT_FOUND };
const NO_ITEM = 'InvalidSnapshot.NotFound';

const states: [string, () => Promise<string>, Behaviour][] = [
  [
    row('7.1 StartSnapshot', 'not visible yet'),
    () => service.newSnapshot(),
    { ...UNREADABLE, ec2: 'pending', put: NOT_FOUND, complete: NOT_FOUND, asParent: NOT_COMPLETE },
  ],
  [
    row('7.1 StartSnapshot', 'open'),
    opened,
    { ...UNREADABLE, ec2: 'pending', put: '201', complete: '202 pending', asParent: NOT_COMPLETE },
  ],
  [
    row('7.1 CompleteSnapshot', 'sealed'),
    () => completed({ count: 0 }),
    { ...SEALED, ec2: 'pending', complete: '202 pending' },
  ],
  [
    row('7.1 count and checksum good', 'completed after a moment, not yet readable'),
    () => completed({ count: 0 }, 1500),
    { ...SEALED, ec2: 'completed', complete: '202 completed' },
  ],
  [
    row('7.3 readability after completion', 'not before its time'),
    () => completed({ count: 0 }, 1500 + 54_999),
    { ...SEALED, ec2: 'completed', complete: '202 completed' },
  ],
  [
    row('7.3 readability after completion', 'listed, read, and a parent'),
    () => completed({ count: 0 }, 1500 + 55_000),
    {
      ...SEALED,
      ec2: 'completed',
      complete: '202 completed',
      list: '200',
      get: '400 INVALID_BLOCK_TOKEN',
      changed: '200',
      asParent: '201',
    },
  ],
  [
    row('7.1 checksum wrong', 'still pending'),
    () => completed({ count: 0, ...wrongChecksum() }, 29_999),
    { ...SEALED, ec2: 'pending', complete: '202 pending' },
  ],
  [
    row('7.1 checksum wrong', 'after half a minute'),
    () => completed({ count: 0, ...wrongChecksum() }, 30_000),
    { ...FAILED, ec2: 'error: Checksum mismatch for snapshot' },
  ],
  [
    row('7.1 count wrong', 'still pending'),
    () => completed({ count: 1 }, 10 * MINUTE - 1),
    { ...SEALED, ec2: 'pending', complete: '202 pending' },
  ],
  [
    row('7.1 count wrong', 'after ten minutes'),
    () => completed({ count: 1 }, 10 * MINUTE),
    { ...FAILED, ec2: 'error: Changed blocks count mismatch for snapshot' },
  ],
  [
    row('2.7 the sweeper may run late', 'still open'),
    () => idle(10 * MINUTE + 319_999),
    { ...UNREADABLE, ec2: 'pending', put: '201', complete: '202 pending', asParent: NOT_COMPLETE },
  ],
  [
    row('7.1 inactivity for Timeout'),
    () => idle(10 * MINUTE + 320_000),
    { ...FAILED, ec2: 'error: Snapshot timed out' },
  ],
  [
    row('2.7 minutes of inactivity, then error', 'after the last block'),
    async () => {
      const id = await opened({ Timeout: 10 });
      service.clock.ms += 9 * MINUTE;
      await service.put({ snapshotId: id, index: 0 });
      service.clock.ms += 10 * MINUTE + 320_000;
      return id;
    },
    { ...FAILED, ec2: 'error: Snapshot timed out' },
  ],
  [row('7.1 DeleteSnapshot', 'of an open one'), () => deleted(opened()), { ...GONE, ec2: NO_ITEM }],
  [
    row('7.1 DeleteSnapshot', 'of a sealed one'),
    () => deleted(completed({ count: 0 })),
    { ...GONE, ec2: NO_ITEM },
  ],
  [
    row('7.1 DeleteSnapshot', 'of a completed one'),
    () => deleted(completed({ count: 0 }, 1500)),
    { ...GONE, ec2: NO_ITEM },
  ],
  [
    row('7.1 DeleteSnapshot', 'of a readable one'),
    () => deleted(completed({ count: 0 }, MINUTE)),
    { ...GONE, ec2: NO_ITEM },
  ],
  [
    row('7.1 DeleteSnapshot', 'of one in error'),
    () => deleted(completed({ count: 1 }, 10 * MINUTE)),
    { ...GONE, ec2: NO_ITEM },
  ],
  [
    row('7.1 DeleteSnapshot', 'of one that timed out'),
    () => deleted(idle(16 * MINUTE)),
    { ...GONE, ec2: NO_ITEM },
  ],
  [
    row('7.1 error is final', 'whatever the time'),
    () => completed({ count: 1 }, 10_000 * MINUTE),
    { ...FAILED, ec2: 'error: Changed blocks count mismatch for snapshot' },
  ],
];

describe.each(states)('%s', (_, reach, expected) => {
  // Complete changes an open snapshot, so it comes last and the state is reached anew for the operations before it.
  const operations: [keyof Behaviour, (id: string) => Promise<string>][] = [
    [
      'ec2',
      async (id) => (await service.stateOf(id)).replace(/^.*(InvalidSnapshot\.NotFound).*$/s, '$1'),
    ],
    ['put', async (id) => short(await service.put({ snapshotId: id, index: 0 }))],
    ['list', async (id) => short(await service.list(id))],
    ['get', async (id) => short(await service.get(id, 0, 'x'))],
    ['changed', async (id) => short(await service.changed(id, id))],
    ['asParent', async (id) => short(await service.start({ ParentSnapshotId: id }))],
    ['complete', async (id) => short(await service.complete(id, { count: 0 }))],
  ];

  test('each operation answers as the state demands', async () => {
    const id = await reach();
    const seen: Record<string, string> = {};
    for (const [name, ask] of operations) seen[name] = await ask(id);
    expect(seen).toEqual(expected);
  });
});

test.each<[string, () => Promise<string>]>([
  [row('6 snapshot pending, error, unknown', 'pending'), () => opened()],
  [row('6 snapshot pending, error, unknown', 'in error'), () => idle(16 * MINUTE)],
  [
    row('6 snapshot pending, error, unknown', 'unknown'),
    () => Promise.resolve('snap-0fedcba987654321f'),
  ],
])('%s: before the token is judged, whatever it is', async (_, reach) => {
  const source = await service.newSnapshot();
  service.clock.ms += 5000;
  await service.put({ snapshotId: source, index: 0 });
  await service.complete(source, { count: 1 });
  service.clock.ms += MINUTE;
  const token = (await service.tokens(source)).get(0);
  const id = await reach();
  expect(short(await service.get(id, 0, token))).toBe(NOT_FOUND);
});

test.each([201, 404])(row('3 shortly after Start', 'Put, %i'), async (status) => {
  const snapshotId = await service.newSnapshot();
  service.clock.ms += status === 201 ? 5000 : 4999;
  expect((await service.put({ snapshotId, index: 0 })).status).toBe(status);
});

test(row('7.1 CompleteSnapshot', 'a timeout no longer applies'), async () => {
  const id = await completed({ count: 0 }, 100 * MINUTE);
  expect(await service.stateOf(id)).toBe('completed');
});

async function opened(body: object = {}): Promise<string> {
  const id = await service.newSnapshot(body);
  service.clock.ms += 5000;
  return id;
}

async function completed(
  figures: Parameters<typeof service.complete>[1],
  laterMs = 0,
): Promise<string> {
  const id = await opened();
  await service.complete(id, figures);
  service.clock.ms += laterMs;
  return id;
}

/** An open snapshot of the shortest Timeout, `idleMs` after its start. */
async function idle(idleMs: number): Promise<string> {
  const id = await service.newSnapshot({ Timeout: 10 });
  service.clock.ms += idleMs;
  return id;
}

async function deleted(reached: Promise<string>): Promise<string> {
  const SnapshotId = await reached;
  const { text } = await service.ec2('DeleteSnapshot', { SnapshotId });
  expect(text).toContain('<return>true</return>');
  return SnapshotId;
}

function wrongChecksum(): Parameters<typeof service.complete>[1] {
  return { checksum: linearOf(Buffer.from('other')), algorithm: 'SHA256', method: 'LINEAR' };
}

/** An answer in a few words; an id is written ID. */
function short({ status, json }: RawAnswer): string {
  const { Reason, Message, Status } = json;
  const words = [status, Reason, Reason === 'INVALID_SNAPSHOT_ID' ? Message : undefined];
  if (status === 202) words.push(Status);
  const text = words
    .filter((word) => word !== undefined)
    .map(String)
    .join(' ');
  return text.replace(/snap-0[0-9a-f]{16}/, 'ID');
}

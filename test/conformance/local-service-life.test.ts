import { describe, expect, test } from 'vitest';
import { OBSERVED_LAGS } from '../../src/local.ts';
import { row } from './contract-rows.ts';
import { block, errorOf, missing, ServiceUnderTest, validation } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const slow = await ServiceUnderTest.start({ lags: { ...OBSERVED_LAGS, visibilityMs: 20_000 } });
const MINUTE = 60_000;

describe('section 2.7: inactivity', () => {
  test(row('7.1 error is final', 'after a timeout'), async () => {
    const id = await service.newSnapshot({ Timeout: 10 });
    service.clock.ms += 10 * MINUTE - 1;
    expect(await service.stateOf(id)).toBe('pending');
    service.clock.ms += 1;
    expect(await service.stateOf(id)).toBe('error: Snapshot timed out');
    expect(errorOf(await service.put({ snapshotId: id, index: 0 }))).toEqual(missing(id));
    expect(errorOf(await service.list(id))).toEqual(missing(id));
    expect((await service.complete(id, { count: 0 })).json).toEqual({ Status: 'error' });
  });

  test(row('2.7 each Put restarts the clock'), async () => {
    const id = await service.newSnapshot({ Timeout: 10 });
    for (let index = 0; index < 3; index += 1) {
      service.clock.ms += 9 * MINUTE;
      expect((await service.put({ snapshotId: id, index })).status).toBe(201);
    }
    service.clock.ms += 9 * MINUTE;
    await service.complete(id, { count: 3 });
    service.clock.ms += 9 * MINUTE;
    expect(await service.stateOf(id)).toBe('completed');
  });

  test(row('2.7 each Put restarts the clock', 'to the millisecond across a restart'), async () => {
    const restarted = await ServiceUnderTest.startAlone();
    const id = await restarted.newSnapshot({ Timeout: 10 });
    restarted.clock.ms += 1500;
    await restarted.put({ snapshotId: id, index: 0 });
    await restarted.restart();
    restarted.clock.ms += 10 * MINUTE - 1;
    const before = await restarted.stateOf(id);
    restarted.clock.ms += 1;
    const after = await restarted.stateOf(id);
    await restarted.close();
    expect([before, after]).toEqual(['pending', 'error: Snapshot timed out']);
  });

  test(row('2.1 Timeout', '60 minutes when none is given'), async () => {
    const id = await service.newSnapshot();
    service.clock.ms += 60 * MINUTE - 1;
    expect(await service.stateOf(id)).toBe('pending');
    service.clock.ms += 1;
    expect(await service.stateOf(id)).toBe('error: Snapshot timed out');
  });
});

describe('section 7: what is seen when', () => {
  test(row('7.2 visibility after StartSnapshot', 'EC2 knows it at once'), async () => {
    const id = await slow.newSnapshot();
    expect(errorOf(await slow.put({ snapshotId: id, index: 0 }))).toEqual(missing(id));
    expect(errorOf(await slow.complete(id, { count: 0 }))).toEqual(missing(id));
    expect(await slow.stateOf(id)).toBe('pending');
    slow.clock.ms += 20_000;
    expect((await slow.put({ snapshotId: id, index: 0 })).status).toBe(201);
  });

  test(
    row('7.1 completed, then readable', 'sealed, completed, readable, one after the other'),
    async () => {
      const id = await slow.newSnapshot();
      slow.clock.ms += 20_000;
      await slow.put({ snapshotId: id, index: 0 });
      expect((await slow.complete(id, { count: 1 })).json).toEqual({ Status: 'pending' });
      expect(await slow.stateOf(id)).toBe('pending');
      expect((await slow.complete(id, { count: 1 })).json).toEqual({ Status: 'pending' });
      expect(errorOf(await slow.put({ snapshotId: id, index: 1 }))).toMatchObject({
        message: 'Snapshot is already completed',
      });
      slow.clock.ms += 1500;
      expect(await slow.stateOf(id)).toBe('completed');
      expect((await slow.complete(id, { count: 1 })).json).toEqual({ Status: 'completed' });
      expect(errorOf(await slow.list(id))).toEqual(missing(id));
      expect(errorOf(await slow.start({ ParentSnapshotId: id }))).toEqual(
        validation('INVALID_SNAPSHOT_ID', `Source snapshot (${id}) is not complete.`),
      );
      slow.clock.ms += 55_000;
      expect((await slow.list(id)).status).toBe(200);
      expect((await slow.start({ ParentSnapshotId: id })).status).toBe(201);
    },
  );

  test(
    row('7.1 count wrong', 'after ten minutes, a wrong checksum after half of one'),
    async () => {
      const [count, checksum] = [await slow.newSnapshot(), await slow.newSnapshot()];
      slow.clock.ms += 20_000;
      await slow.complete(count, { count: 1 });
      await slow.complete(checksum, {
        count: 0,
        checksum: 'B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=',
        algorithm: 'SHA256',
        method: 'LINEAR',
      });
      slow.clock.ms += 29_999;
      expect([await slow.stateOf(count), await slow.stateOf(checksum)]).toEqual([
        'pending',
        'pending',
      ]);
      slow.clock.ms += 1;
      expect(await slow.stateOf(checksum)).toBe('error: Checksum mismatch for snapshot');
      slow.clock.ms += 570_000 - 1;
      expect(await slow.stateOf(count)).toBe('pending');
      slow.clock.ms += 1;
      expect(await slow.stateOf(count)).toBe('error: Changed blocks count mismatch for snapshot');
    },
  );

  test(row('7.1 DeleteSnapshot', 'pending, failed and completed'), async () => {
    const failed = await service.newSnapshot();
    await service.complete(failed, { count: 1 });
    const ids = [await service.newSnapshot(), failed, await service.stored({ 0: 1 })];
    for (const SnapshotId of ids) {
      const { text } = await service.ec2('DeleteSnapshot', { SnapshotId });
      expect(text).toContain('<return>true</return>');
      expect(await service.stateOf(SnapshotId)).toContain('InvalidSnapshot.NotFound');
      expect(errorOf(await service.put({ snapshotId: SnapshotId, index: 0 }))).toEqual(
        missing(SnapshotId),
      );
    }
  });
});

describe('section 7.4: the EC2 view', () => {
  test(row('7.4 EC2 view', 'an item, element by element'), async () => {
    const id = await service.stored(
      { 0: 1, 1: 0 },
      { Description: 'a <b> & "c"', Tags: [{ Key: 'k', Value: 'v' }] },
    );
    const { status, text, headers } = await service.ec2('DescribeSnapshots', {
      'SnapshotId.1': id,
    });
    const time = new Date(service.clock.ms).toISOString();
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/xml;charset=UTF-8',
      'cache-control': 'no-cache, no-store',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      server: 'AmazonEC2',
    });
    expect(text.replace(/<requestId>[0-9a-f-]{36}</, '<requestId>R<')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>R</requestId>' +
        `<snapshotSet><item><snapshotId>${id}</snapshotId><volumeId>vol-ffffffff</volumeId>` +
        `<status>completed</status><startTime>${time}</startTime><progress>100%</progress>` +
        '<ownerId>111122223333</ownerId><volumeSize>1</volumeSize>' +
        '<description>a &lt;b&gt; &amp; "c"</description><encrypted>false</encrypted>' +
        '<tagSet><item><key>k</key><value>v</value></item></tagSet>' +
        '<storageTier>standard</storageTier><transferType>standard</transferType>' +
        `<completionTime>${time}</completionTime>` +
        '<fullSnapshotSizeInBytes>1048576</fullSnapshotSizeInBytes></item></snapshotSet>' +
        '</DescribeSnapshotsResponse>',
    );
  });

  test(
    row('7.1 PutSnapshotBlock', 'progress stays at 0%, whatever x-amz-Progress says'),
    async () => {
      const id = await service.newSnapshot();
      await service.put({ snapshotId: id, index: 0, headers: { 'x-amz-progress': '90' } });
      const { text } = await service.ec2('DescribeSnapshots', { 'SnapshotId.1': id });
      expect(text).toContain('<progress>0%</progress>');
      expect(text).not.toContain('completionTime');
      expect(text).not.toContain('fullSnapshotSizeInBytes');
    },
  );

  test(row('7.4 EC2 view', 'the full size counts own and inherited blocks once'), async () => {
    const root = await service.stored({ 0: 1, 1: 1 });
    const child = await service.stored({ 1: 2, 2: 0 }, { ParentSnapshotId: root });
    const leaf = await service.stored({ 0: 3, 1: 3, 9: 3 }, { ParentSnapshotId: child });
    const empty = await service.stored({});
    const sizes = await Promise.all(
      [root, child, leaf, empty].map(async (id) => {
        const { text } = await service.ec2('DescribeSnapshots', { 'SnapshotId.1': id });
        return Number(/<fullSnapshotSizeInBytes>(\d+)</.exec(text)?.[1]) / block(0).length;
      }),
    );
    expect(sizes).toEqual([2, 3, 4, 0]);
  });
});

import { expect, test } from 'vitest';
import { block, errorOf, ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const { ebs } = service;
const open = await service.newSnapshot();
const stored = await service.stored({ 0: 1 });
const token = (await service.tokens(stored)).get(0);

test('an error answer, for as many matching requests as asked', async () => {
  const fault = {
    status: 400,
    type: 'RequestThrottledException',
    reason: 'RESOURCE_LEVEL_THROTTLE',
    message: 'slow down',
  };
  ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 5, times: 2, fault });
  const expected = { ...fault, family: 'service' };
  expect((await service.put({ snapshotId: open, index: 4 })).status).toBe(201);
  expect(errorOf(await service.put({ snapshotId: open, index: 5 }))).toEqual(expected);
  expect(errorOf(await service.put({ snapshotId: open, index: 5 }))).toEqual(expected);
  expect((await service.put({ snapshotId: open, index: 5 })).status).toBe(201);
  const statuses = ebs.history().filter(({ blockIndex }) => blockIndex === 5);
  expect(statuses.map(({ status, reason }) => [status, reason])).toEqual([
    [400, 'RESOURCE_LEVEL_THROTTLE'],
    [400, 'RESOURCE_LEVEL_THROTTLE'],
    [201, undefined],
  ]);
});

test('a reset: nothing is done', async () => {
  ebs.inject({ operation: 'StartSnapshot', fault: 'reset' });
  const before = (await service.ec2('DescribeSnapshots')).text.match(/<item>/g)?.length;
  await expect(service.start()).rejects.toThrow(/ECONNRESET|socket hang up/);
  expect((await service.ec2('DescribeSnapshots')).text.match(/<item>/g)?.length).toBe(before);
});

test('a lost answer: the work is done, so a ClientToken finds it', async () => {
  ebs.inject({ operation: 'StartSnapshot', fault: 'lose-answer' });
  const body = { ClientToken: 'lost', Description: 'lost and found' };
  await expect(service.start(body)).rejects.toThrow(/ECONNRESET|socket hang up/);
  const again = await service.start(body);
  const { text } = await service.ec2('DescribeSnapshots', {
    'Filter.1.Name': 'description',
    'Filter.1.Value.1': 'lost and found',
  });
  expect(text.match(/<snapshotId>/g)).toHaveLength(1);
  expect(text).toContain(String(again.json.SnapshotId));
});

test('a corrupt block: refused when written, recognisable when read', async () => {
  ebs.inject({ operation: 'PutSnapshotBlock', fault: 'corrupt' });
  const refused = await service.put({ snapshotId: open, index: 6 });
  expect(errorOf(refused)).toMatchObject({ status: 403, type: 'InvalidSignatureException' });
  ebs.inject({ operation: 'GetSnapshotBlock', snapshotId: stored, fault: 'corrupt' });
  expect((await service.get(stored, 0, token)).body.equals(block(1))).toBe(false);
  expect((await service.get(stored, 0, token)).body.equals(block(1))).toBe(true);
});

test('a stall ends with the service, and the request is on record without a status', async () => {
  const stalling = await ServiceUnderTest.startAlone();
  const id = await stalling.newSnapshot();
  stalling.ebs.inject({ fault: 'stall' });
  const failure = expect(stalling.put({ snapshotId: id, index: 0 })).rejects.toThrow(
    /ECONNRESET|socket hang up/,
  );
  await expect.poll(() => stalling.ebs.counters().inFlight).toBe(1);
  await stalling.close();
  await failure;
  expect(stalling.ebs.history().at(-1)).toMatchObject({ blockIndex: 0, status: 0 });
});

test('EC2 calls can fail too, in their own form', async () => {
  const fault = { status: 503, type: 'RequestLimitExceeded', message: 'Request limit exceeded.' };
  ebs.inject({ operation: 'DescribeSnapshots', fault });
  const { status, text } = await service.ec2('DescribeSnapshots');
  expect(status).toBe(503);
  expect(text).toContain('<Code>RequestLimitExceeded</Code>');
});

import { EBSClient } from '@aws-sdk/client-ebs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SnapshotWriter, type RetryEvent, type TransportChoice } from '../../src/index.ts';
import type { ErrorFault } from '../../src/local.ts';
import { diskOf } from '../support/disk-content.ts';
import { startLocalService } from '../support/local-service.ts';

const TRANSPORTS: TransportChoice[] = ['lean', 'sdk'];
const REQUEST_ID = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;

function startUpload(client: EBSClient, transport: TransportChoice) {
  const writer = new SnapshotWriter({ client, transport, params: { VolumeSize: 1 } });
  const retries: RetryEvent[] = [];
  writer.on('retry', (event) => retries.push(event));
  writer.on('error', () => undefined);
  writer.end(diskOf('0'.repeat(6)));
  return { writer, retries };
}

/** Refusals of one block, and the end of the sentence that the job must end with. */
const REFUSED_PUTS: readonly (readonly [string, ErrorFault, RegExp])[] = [
  [
    'a permission that the service names',
    {
      status: 403,
      type: 'AccessDeniedException',
      message:
        'User: arn:aws:iam::111122223333:user/u is not authorized to perform: ebs:PutSnapshotBlock on ' +
        'resource: arn:aws:ec2:us-east-1::snapshot/snap-1 with an explicit deny',
    },
    /with an explicit deny; allow ebs:PutSnapshotBlock in the IAM policies of these credentials$/,
  ],
  [
    'a permission that the service does not name',
    { status: 403, type: 'AccessDeniedException', message: 'Access denied.' },
    /Access denied; allow ebs:PutSnapshotBlock in the IAM policies of these credentials$/,
  ],
  [
    'a KMS key that nobody knows',
    {
      status: 400,
      type: 'ValidationException',
      reason: 'INVALID_DEPENDENCY_REQUEST',
      message:
        'Invalid parameters for a dependent service: com.amazonaws.services.kms.model.AWSKMSException: x',
    },
    /; check that the KMS key exists in this region, is enabled, and lets these credentials use it \(kms:/,
  ],
  [
    'a session token that has been revoked',
    { status: 403, type: 'UnrecognizedClientException', message: 'The security token is invalid.' },
    /is invalid; check that access key, secret and session token belong together/,
  ],
  [
    'a quota of snapshots',
    { status: 402, type: 'ServiceQuotaExceededException', message: 'Too many.' },
    /Too many; complete or delete pending snapshots, or ask AWS for a higher quota$/,
  ],
];

describe.each(TRANSPORTS)('over the %s transport', (transport) => {
  test.each(REFUSED_PUTS)(
    '%s ends the job while no other answer comes',
    async (_name, fault, says) => {
      const service = await startLocalService();
      service.ebs.inject({ operation: 'PutSnapshotBlock', blockIndex: 3, fault });
      service.ebs.inject({ operation: 'PutSnapshotBlock', times: 100, fault: 'stall' });
      const { writer, retries } = startUpload(service.client, transport);
      await expect(writer.done()).rejects.toMatchObject({
        name: 'ServiceError',
        code: fault.status === 403 ? 'ERR_EBS_ACCESS' : 'ERR_EBS_SERVICE',
        message: expect.stringMatching(says) as string,
        serviceCode: fault.type,
        blockIndex: 3,
        snapshotId: expect.stringMatching(/^snap-/) as string,
        requestId: REQUEST_ID,
        attempts: 1,
        retryable: false,
      });
      expect(retries).toEqual([]);
      expect(service.requests('CompleteSnapshot')).toBe(0);
      await expect.poll(() => service.ebs.counters().inFlight).toBe(0);
    },
  );

  test.each([
    [
      'a wrong secret',
      { accessKeyId: 'local', secretAccessKey: 'wrong' },
      /; check the secret access key, and that the region is that of the endpoint$/,
    ],
    [
      'an unknown access key',
      { accessKeyId: 'unknown', secretAccessKey: 'local-secret' },
      /; check that access key, secret and session token belong together and have not been revoked$/,
    ],
  ])('%s ends the job at its first request', async (_name, credentials, says) => {
    const { ebs } = await startLocalService();
    const { endpoint, region } = ebs;
    const client = new EBSClient({ endpoint, region, credentials });
    onTestFinished(() => client.destroy());
    const { writer } = startUpload(client, transport);
    await expect(writer.done()).rejects.toMatchObject({
      code: 'ERR_EBS_ACCESS',
      message: expect.stringMatching(says) as string,
      requestId: REQUEST_ID,
      attempts: 1,
    });
    expect(ebs.counters().requests).toBe(1);
  });
});

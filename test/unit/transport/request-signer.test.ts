import { expect, test } from 'vitest';
import { RequestSigner } from '../../../src/transport/request-signer.ts';
import { getRequest } from '../../../src/transport/wire.ts';

test('signs with the new credentials at once when they have been renewed, and renews once', async () => {
  let renewals = 0;
  const signer = new RequestSigner({
    credentials: (options) => {
      if (options?.forceRefresh === true) renewals += 1;
      return Promise.resolve({ accessKeyId: `key-${renewals}`, secretAccessKey: 'secret' });
    },
    region: 'us-east-1',
    service: 'ebs',
    clock: { nowMs: () => 1.8e12 },
    host: 'localhost',
    pathPrefix: '',
    userAgent: 'test',
  });
  const request = getRequest({ snapshotId: 'snap-1', blockIndex: 0, blockToken: 'token' });
  const [first, second] = [await signer.sign(request), signer.trySign(request)];
  expect(first.head).toContain('Credential=key-0/');
  await signer.renew(first);
  expect(signer.trySign(request)).toBeUndefined();
  expect((await signer.sign(request)).head).toContain('Credential=key-1/');
  if (second !== undefined) await signer.renew(second);
  expect(renewals).toBe(1);
});

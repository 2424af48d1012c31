import type { Answer } from './answers.ts';
import { checkSnapshotId, Ec2Refusal, ec2SnapshotNotFound, type Ec2Call } from './ec2-call.ts';
import { describeSnapshots } from './describe-snapshots.ts';
import { ec2Answer, ec2ErrorAnswer } from './ec2-xml.ts';
import type { Service } from './service.ts';

/** One EC2 action: returns its answer or throws an Ec2Refusal. */
type Action = (service: Service, call: Ec2Call) => Promise<Answer> | Answer;

/** The EC2 actions that tools make around an upload. */
const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['DescribeSnapshots', describeSnapshots],
  ['DeleteSnapshot', deleteSnapshot],
  ['GetEbsEncryptionByDefault', getEbsEncryptionByDefault],
  ['GetEbsDefaultKmsKeyId', getEbsDefaultKmsKeyId],
]);

/** Answers one call of the EC2 Query API. */
export async function answerEc2(service: Service, call: Ec2Call): Promise<Answer> {
  const name = call.form.get('Action') ?? '';
  const action = ACTIONS.get(name);
  try {
    if (action === undefined) {
      throw new Ec2Refusal({
        status: 400,
        code: 'InvalidAction',
        message: `The action ${name} is not valid for this web service.`,
      });
    }
    if (call.form.get('DryRun') === 'true') {
      throw new Ec2Refusal({
        status: 412,
        code: 'DryRunOperation',
        message: 'Request would have succeeded, but DryRun flag is set.',
      });
    }
    return await action(service, call);
  } catch (error) {
    if (!(error instanceof Ec2Refusal)) throw error;
    return ec2ErrorAnswer(error);
  }
}

async function deleteSnapshot(service: Service, { form, region }: Ec2Call): Promise<Answer> {
  const snapshotId = form.get('SnapshotId');
  if (snapshotId === null) {
    throw new Ec2Refusal({
      status: 400,
      code: 'MissingParameter',
      message: 'The request must contain the parameter SnapshotId',
    });
  }
  checkSnapshotId(snapshotId);
  const snapshot = service.store.find(snapshotId, region);
  if (snapshot === undefined) throw ec2SnapshotNotFound(snapshotId);
  await service.store.delete(snapshot);
  return ec2Answer('DeleteSnapshot', { return: 'true' });
}

function getEbsEncryptionByDefault({ account }: Service): Answer {
  return ec2Answer('GetEbsEncryptionByDefault', {
    ebsEncryptionByDefault: String(account.encryptionByDefault),
  });
}

function getEbsDefaultKmsKeyId({ account }: Service): Answer {
  return ec2Answer('GetEbsDefaultKmsKeyId', {
    kmsKeyId: account.defaultKmsKeyArn ?? 'alias/aws/ebs',
  });
}

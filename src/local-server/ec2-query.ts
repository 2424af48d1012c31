import {
  disableEncryptionByDefault,
  enableEncryptionByDefault,
  getDefaultKmsKeyId,
  getEncryptionByDefault,
  modifyDefaultKmsKeyId,
  resetDefaultKmsKeyId,
} from './account-encryption.ts';
import type { Answer } from './answers.ts';
import { deleteSnapshot } from './delete-snapshot.ts';
import { describeRegions } from './describe-regions.ts';
import { describeSnapshots } from './describe-snapshots.ts';
import { Ec2Refusal, ec2Refusal, type Ec2Call } from './ec2-call.ts';
import { ec2ErrorAnswer } from './ec2-xml.ts';
import type { Service } from './service.ts';
import { createTags, deleteTags, describeTags } from './snapshot-tags.ts';

/** One EC2 action: returns its answer or throws an Ec2Refusal. */
type Action = (service: Service, call: Ec2Call) => Promise<Answer> | Answer;

/** The EC2 actions that tools make around an upload. */
const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['DescribeSnapshots', describeSnapshots],
  ['DeleteSnapshot', deleteSnapshot],
  ['CreateTags', createTags],
  ['DeleteTags', deleteTags],
  ['DescribeTags', describeTags],
  ['DescribeRegions', describeRegions],
  ['GetEbsEncryptionByDefault', getEncryptionByDefault],
  ['EnableEbsEncryptionByDefault', enableEncryptionByDefault],
  ['DisableEbsEncryptionByDefault', disableEncryptionByDefault],
  ['GetEbsDefaultKmsKeyId', getDefaultKmsKeyId],
  ['ModifyEbsDefaultKmsKeyId', modifyDefaultKmsKeyId],
  ['ResetEbsDefaultKmsKeyId', resetDefaultKmsKeyId],
]);

/** Whether an action has this name. */
export function isEc2Action(name: string): boolean {
  return ACTIONS.has(name);
}

/** Answers one call of the EC2 Query API. */
export async function answerEc2(service: Service, call: Ec2Call): Promise<Answer> {
  const name = call.form.get('Action') ?? '';
  const action = ACTIONS.get(name);
  try {
    if (action === undefined) {
      throw ec2Refusal('InvalidAction', `The action ${name} is not valid for this web service.`);
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

import type { Answer } from './answers.ts';
import { ec2Refusal, requiredParameter, type Ec2Call } from './ec2-call.ts';
import { ec2Answer } from './ec2-xml.ts';
import type { Service } from './service.ts';

const MANAGED_KEY = 'alias/aws/ebs';

/** EC2's GetEbsEncryptionByDefault. */
export function getEncryptionByDefault({ account }: Service, { region }: Ec2Call): Answer {
  const { encryptionByDefault } = account.encryptionIn(region);
  return settingAnswer('GetEbsEncryptionByDefault', encryptionByDefault);
}

/** EC2's EnableEbsEncryptionByDefault. */
export function enableEncryptionByDefault({ account }: Service, { region }: Ec2Call): Answer {
  account.changeEncryption(region, { encryptionByDefault: true });
  return settingAnswer('EnableEbsEncryptionByDefault', true);
}

/** EC2's DisableEbsEncryptionByDefault. */
export function disableEncryptionByDefault({ account }: Service, { region }: Ec2Call): Answer {
  account.changeEncryption(region, { encryptionByDefault: false });
  return settingAnswer('DisableEbsEncryptionByDefault', false);
}

/** EC2's GetEbsDefaultKmsKeyId. */
export function getDefaultKmsKeyId({ account }: Service, { region }: Ec2Call): Answer {
  return keyAnswer('GetEbsDefaultKmsKeyId', account.encryptionIn(region).defaultKmsKeyArn);
}

/** EC2's ModifyEbsDefaultKmsKeyId: takes a key's ARN or id; there is no KMS here that knew an alias. */
export function modifyDefaultKmsKeyId({ account }: Service, { form, region }: Ec2Call): Answer {
  const name = requiredParameter(form, 'KmsKeyId');
  const arn = /^[0-9a-f-]{36}$/.test(name)
    ? `arn:aws:kms:${region}:${account.accountId}:key/${name}`
    : name;
  if (!/^arn:aws[a-z-]*:kms:[^:]+:\d{12}:key\/[\w-]+$/.test(arn)) {
    throw ec2Refusal('InvalidParameterValue', `Value (${name}) for parameter KmsKeyId is invalid.`);
  }
  account.changeEncryption(region, { defaultKmsKeyArn: arn });
  return keyAnswer('ModifyEbsDefaultKmsKeyId', arn);
}

/** EC2's ResetEbsDefaultKmsKeyId: back to the AWS managed key. */
export function resetDefaultKmsKeyId({ account }: Service, { region }: Ec2Call): Answer {
  account.changeEncryption(region, { defaultKmsKeyArn: null });
  return keyAnswer('ResetEbsDefaultKmsKeyId', null);
}

function settingAnswer(action: string, isOn: boolean): Answer {
  return ec2Answer(action, { ebsEncryptionByDefault: String(isOn) });
}

function keyAnswer(action: string, arn: string | null): Answer {
  return ec2Answer(action, { kmsKeyId: arn ?? MANAGED_KEY });
}

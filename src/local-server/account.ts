/** What an account has set for a region: how its new snapshots are encrypted when a request does not say. */
export interface EncryptionSettings {
  /** EC2's account setting "encryption by default". */
  readonly encryptionByDefault: boolean;
  /** Key ARN set with ModifyEbsDefaultKmsKeyId; null stands for the AWS managed key. */
  readonly defaultKmsKeyArn: string | null;
}

/** The one account that the service knows. Its settings begin anew with each start of the service. */
export class Account {
  /** 12 digits. */
  readonly accountId: string;
  readonly #initial: EncryptionSettings;
  readonly #byRegion = new Map<string, EncryptionSettings>();

  /** @param initial - holds in every region until it is changed there. */
  constructor(accountId: string, initial: EncryptionSettings) {
    this.accountId = accountId;
    this.#initial = initial;
  }

  /** The settings of a region as they are now. */
  encryptionIn(region: string): EncryptionSettings {
    return this.#byRegion.get(region) ?? this.#initial;
  }

  /** Changes settings of one region. */
  changeEncryption(region: string, change: Partial<EncryptionSettings>): void {
    this.#byRegion.set(region, { ...this.encryptionIn(region), ...change });
  }
}

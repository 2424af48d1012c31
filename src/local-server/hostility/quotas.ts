import { Refusal } from '../refusal.ts';
import type { EbsOperation } from '../wire-table.ts';
import { TokenBucket, type Quota } from './token-bucket.ts';

/** How much may be asked for, and how more is refused. */
export interface QuotaSettings {
  /** For all snapshots of a region together, each operation by itself. */
  readonly account?: Partial<Readonly<Record<EbsOperation, Quota>>>;
  /** For each snapshot by itself. */
  readonly snapshot?: Partial<Readonly<Record<EbsOperation, Quota>>>;
  /** What others of the account use up, requests a second. */
  readonly neighbour?: Partial<Readonly<Record<EbsOperation, number>>>;
  /** The error for the account's quota; documentation knows both. Default 'RequestThrottledException'. */
  readonly accountError?: 'RequestThrottledException' | 'ThrottlingException';
  /** Whether a refusal is sent when the headers have come, or when the body has. Default 'after-body'. */
  readonly refuse?: 'early' | 'after-body';
  /** Pending snapshots that a region may have. */
  readonly pendingSnapshots?: number;
}

/** Who asks for what. */
export interface QuotaSubject {
  readonly operation: string;
  readonly region: string;
  readonly snapshotId?: string | undefined;
}

/** Buckets to remember; snapshots come and go. */
const BUCKETS_MAX = 10_000;

/** Both quotas of each operation. A request takes a token of each or, when refused, of none. */
export class Quotas {
  readonly #buckets = new Map<string, TokenBucket>();

  /**
   * Charges one request.
   * @throws {Refusal} naming the quota that is used up; the snapshot's comes first.
   */
  charge(settings: QuotaSettings, subject: QuotaSubject, nowMs: number): void {
    const operation = subject.operation as EbsOperation;
    const { region, snapshotId } = subject;
    const ofSnapshot = snapshotId === undefined ? undefined : settings.snapshot?.[operation];
    const ofAccount = settings.account?.[operation];
    const buckets: TokenBucket[] = [];
    if (ofSnapshot !== undefined) {
      const bucket = this.#bucket(`${operation} ${snapshotId ?? ''}`);
      if (!bucket.holds(ofSnapshot, nowMs)) throw snapshotThrottle();
      buckets.push(bucket);
    }
    if (ofAccount !== undefined) {
      const bucket = this.#bucket(`${operation} ${region}`);
      const rate = Math.max(0, ofAccount.rate - (settings.neighbour?.[operation] ?? 0));
      const depth = ofAccount.depth ?? Math.max(1, ofAccount.rate);
      if (!bucket.holds({ rate, depth }, nowMs)) throw accountThrottle(settings);
      buckets.push(bucket);
    }
    for (const bucket of buckets) bucket.take();
  }

  #bucket(key: string): TokenBucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const bucket = new TokenBucket();
    this.#buckets.set(key, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= BUCKETS_MAX) break;
      this.#buckets.delete(oldest);
    }
    return bucket;
  }
}

function snapshotThrottle(): Refusal {
  return throttle('RequestThrottledException', 'RESOURCE_LEVEL_THROTTLE');
}

function accountThrottle({ accountError }: QuotaSettings): Refusal {
  // ThrottlingException is not in the service model and has no Reason.
  return accountError === 'ThrottlingException'
    ? throttle('ThrottlingException')
    : throttle('RequestThrottledException', 'ACCOUNT_THROTTLED');
}

/** The texts of the real service are not known. */
function throttle(type: string, reason?: string): Refusal {
  return new Refusal('Rate exceeded', { family: 'service', status: 400, type, reason });
}

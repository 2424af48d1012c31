import type { Lags } from '../../src/local.ts';

/** What an answer says, in the form in which model and service are compared. Tokens stand as facts. */
export interface Expected {
  readonly status: number;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly json?: unknown;
}

/** What a token in an answer is good for. */
export class TokenFact {
  readonly kind: 'block' | 'page';
  /** The snapshot and index of a block; the listing and the next index of a page. */
  readonly of: string;
  readonly index: number;
  readonly expiresMs: number;

  constructor(fact: Pick<TokenFact, 'kind' | 'of' | 'index' | 'expiresMs'>) {
    this.kind = fact.kind;
    this.of = fact.of;
    this.index = fact.index;
    this.expiresMs = fact.expiresMs;
  }
}

/** What the model can be told beside the operations. */
export interface ModelOptions {
  readonly lags: Lags;
  readonly encryptionByDefault: boolean;
  readonly defaultKey: string;
}

/** StartSnapshot's members as they are sent. */
export interface StartBody {
  readonly VolumeSize: number;
  readonly ParentSnapshotId?: string | undefined;
  readonly ClientToken?: string | undefined;
  readonly Encrypted?: boolean | undefined;
  readonly KmsKeyArn?: string | undefined;
  readonly Timeout?: number | undefined;
  readonly Description?: string | undefined;
}

/** A block to put: its bytes are all `byte`. */
export interface ModelPut {
  readonly index: number;
  readonly byte: number;
  readonly flaw: 'none' | 'digest' | 'short' | 'length';
}

/** What CompleteSnapshot declares: right figures, or how they are wrong. */
export interface ModelFigures {
  readonly count: 'right' | 'more' | 'zero';
  readonly checksum: 'none' | 'right' | 'wrong' | 'alone';
}

/** Which page of a list. */
export interface ModelPage {
  readonly maxResults?: number | undefined;
  readonly start?: number | undefined;
  /** The token sent, as far as it is known; 'nonsense' was never issued. */
  readonly token?: TokenFact | 'nonsense' | undefined;
}

interface Snapshot {
  readonly id: string;
  readonly sizeGiB: number;
  readonly parent: Snapshot | undefined;
  readonly key: string | null;
  readonly startMs: number;
  readonly timeoutMinutes: number;
  /** The bytes put to this snapshot itself. */
  readonly own: Map<number, number>;
  activityMs: number;
  seal?: { readonly atMs: number; readonly verdict: 'good' | 'count' | 'checksum' };
  isDeleted?: boolean;
}

const BLOCK_SIZE = 524_288;
const BLOCKS_PER_GIB = 2048;
const MINUTE_MS = 60_000;
const BLOCK_TOKEN_MS = 7 * 24 * 60 * MINUTE_MS;
const PAGE_TOKEN_MS = 60 * MINUTE_MS;

/**
 * What the service should answer, kept as plainly as can be: maps in memory, one operation at a time, states worked out
 * from the clock. A third reading of the contract beside the service and the client.
 */
export class SnapshotModel {
  nowMs: number;
  readonly #options: ModelOptions;
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #started = new Map<string, { readonly request: string; readonly answer: Expected }>();

  constructor(nowMs: number, options: ModelOptions) {
    this.nowMs = nowMs;
    this.#options = options;
  }

  /** @param newId - the id that the service gave, should the model agree that a snapshot is made. */
  start(body: StartBody, newId: string): Expected {
    const { ClientToken: token, ...parameters } = body;
    const request = JSON.stringify({ Timeout: 60, ...parameters });
    const known = token === undefined ? undefined : this.#started.get(token);
    if (known?.request === request) return known.answer;
    if (known !== undefined) {
      return {
        status: 409,
        type: 'ConflictException',
        message: 'Current request does not match request stored with this token.',
      };
    }
    const refusal = this.#refuseStart(body);
    if (refusal !== undefined) return refusal;
    const parent = this.#snapshots.get(body.ParentSnapshotId ?? '');
    const snapshot: Snapshot = {
      id: newId,
      sizeGiB: body.VolumeSize,
      parent,
      key: parent === undefined ? this.#keyOf(body) : parent.key,
      startMs: this.nowMs,
      timeoutMinutes: body.Timeout ?? 60,
      own: new Map(),
      activityMs: this.nowMs,
    };
    this.#snapshots.set(newId, snapshot);
    const answer = { status: 201, json: startJson(snapshot, body) };
    if (token !== undefined) this.#started.set(token, { request, answer });
    return answer;
  }

  put(id: string, { index, byte, flaw }: ModelPut): Expected {
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || !this.#isWritable(snapshot)) return notFound(id);
    if (snapshot.seal !== undefined) {
      return invalid('INVALID_SNAPSHOT_ID', 'Snapshot is already completed');
    }
    if (flaw === 'short') return invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data');
    if (flaw === 'length') {
      return invalid('INVALID_BLOCK', 'Block data length 1 is not valid, expected 524288');
    }
    if (index >= snapshot.sizeGiB * BLOCKS_PER_GIB) {
      return invalid('INVALID_BLOCK', `Block index ${index} is beyond the volume size extent`);
    }
    if (flaw === 'digest') return { status: 403, type: 'InvalidSignatureException' };
    snapshot.own.set(index, byte);
    snapshot.activityMs = this.nowMs;
    return { status: 201, json: {} };
  }

  complete(id: string, { count, checksum }: ModelFigures): Expected {
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || snapshot.isDeleted === true) return notFound(id);
    if (!this.#isVisible(snapshot)) return notFound(id);
    const { status } = this.#stateOf(snapshot);
    if (snapshot.seal !== undefined || status === 'error') {
      return { status: 202, json: { Status: status } };
    }
    if (checksum === 'alone') {
      return invalid(
        'INVALID_PARAMETER_VALUE',
        'Invalid parameter combination. Checksum algorithm is missing.',
      );
    }
    const isCountRight = count === 'right' || (count === 'zero' && snapshot.own.size === 0);
    const verdict = checksum === 'wrong' ? 'checksum' : 'good';
    snapshot.seal = { atMs: this.nowMs, verdict: isCountRight ? verdict : 'count' };
    return { status: 202, json: { Status: 'pending' } };
  }

  delete(id: string): Expected {
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || snapshot.isDeleted === true) return { status: 400 };
    snapshot.isDeleted = true;
    return { status: 200 };
  }

  list(id: string, page: ModelPage): Expected {
    const refusal = refusePage(page);
    if (refusal !== undefined) return refusal;
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || !this.#isReadable(snapshot)) return notFound(id);
    const listing = `list ${id}`;
    const start = this.#startOf(page, listing);
    if (typeof start === 'object') return start;
    const indices = [...contentOf(snapshot).keys()].filter((index) => index >= start);
    indices.sort((a, b) => a - b);
    const shown = indices.slice(0, page.maxResults ?? 100);
    return {
      status: 200,
      json: {
        BlockSize: BLOCK_SIZE,
        Blocks: shown.map((index) => ({ BlockIndex: index, BlockToken: this.#block(id, index) })),
        ExpiryTime: (shown.length === 0 ? this.nowMs : this.nowMs + BLOCK_TOKEN_MS) / 1000,
        NextToken: this.#page(listing, indices[shown.length]),
        VolumeSize: snapshot.sizeGiB,
      },
    };
  }

  changed(firstId: string, secondId: string, page: ModelPage): Expected {
    const refusal = refusePage(page);
    if (refusal !== undefined) return refusal;
    const first = this.#snapshots.get(firstId);
    const second = this.#snapshots.get(secondId);
    if (!first || !second || !this.#isReadable(first) || !this.#isReadable(second)) {
      return {
        ...notFound(firstId),
        message: `The snapshot '${firstId}' or '${secondId}' does not exist.`,
      };
    }
    if (lineOf(first).at(-1) !== lineOf(second).at(-1)) {
      return invalid(
        'UNRELATED_SNAPSHOTS',
        `The snapshot ${firstId} and ${secondId} are not related.`,
      );
    }
    const listing = `changed ${firstId} ${secondId}`;
    const start = this.#startOf(page, listing);
    if (typeof start === 'object') return start;
    return this.#changedPage({ first, second }, { listing, start, size: page.maxResults ?? 100 });
  }

  /** @returns beside the answer the byte that the block is full of. */
  get(
    id: string,
    index: number,
    token: TokenFact | 'nonsense',
  ): Expected & { readonly byte?: number } {
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || !this.#isReadable(snapshot)) return notFound(id);
    const byte = contentOf(snapshot).get(index)?.byte;
    const isGood =
      token !== 'nonsense' &&
      token.kind === 'block' &&
      token.of === id &&
      token.index === index &&
      this.nowMs < token.expiresMs;
    if (!isGood || byte === undefined) return invalid('INVALID_BLOCK_TOKEN');
    return { status: 200, byte };
  }

  /** The EC2 view, its values by element name. */
  describe(id: string): Expected {
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined || snapshot.isDeleted === true) return { status: 400 };
    const { status, message, completedMs } = this.#stateOf(snapshot);
    return {
      status: 200,
      json: {
        status,
        ...(message === undefined ? {} : { statusMessage: message }),
        startTime: new Date(snapshot.startMs).toISOString(),
        progress: status === 'completed' ? '100%' : '0%',
        volumeSize: String(snapshot.sizeGiB),
        encrypted: String(snapshot.key !== null),
        ...(snapshot.key === null ? {} : { kmsKeyId: snapshot.key }),
        ...(completedMs === undefined
          ? {}
          : {
              completionTime: new Date(completedMs).toISOString(),
              fullSnapshotSizeInBytes: String(contentOf(snapshot).size * BLOCK_SIZE),
            }),
      },
    };
  }

  /** How many blocks CompleteSnapshot has to declare, and the bytes they are full of, in index order. */
  putBytes(id: string): number[] {
    const own = [...(this.#snapshots.get(id)?.own ?? [])].sort(([a], [b]) => a - b);
    return own.map(([, byte]) => byte);
  }

  #refuseStart({
    VolumeSize,
    ParentSnapshotId,
    Encrypted,
    KmsKeyArn,
  }: StartBody): Expected | undefined {
    const { encryptionByDefault } = this.#options;
    if (ParentSnapshotId === undefined) {
      const isRefused = Encrypted === false && (KmsKeyArn !== undefined || encryptionByDefault);
      return isRefused ? invalid('INVALID_PARAMETER_VALUE') : undefined;
    }
    for (const [name, value] of [
      ['KmsKeyArn', KmsKeyArn],
      ['Encrypt', Encrypted],
    ]) {
      if (value === undefined) continue;
      return invalid(
        'INVALID_PARAMETER_VALUE',
        `ParentSnapshotId and ${String(name)} cannot be specified together`,
      );
    }
    const parent = this.#snapshots.get(ParentSnapshotId);
    if (parent === undefined || parent.isDeleted === true) return notFound(ParentSnapshotId);
    if (this.#stateOf(parent).status === 'error') return notFound(ParentSnapshotId);
    if (!this.#isReadable(parent)) {
      return invalid(
        'INVALID_SNAPSHOT_ID',
        `Source snapshot (${ParentSnapshotId}) is not complete.`,
      );
    }
    if (parent.sizeGiB > VolumeSize) return invalid('INVALID_VOLUME_SIZE');
    if (encryptionByDefault && parent.key === null) return invalid('INVALID_PARAMETER_VALUE');
    return undefined;
  }

  #keyOf({ Encrypted, KmsKeyArn }: StartBody): string | null {
    if (KmsKeyArn !== undefined) return KmsKeyArn;
    const { encryptionByDefault, defaultKey } = this.#options;
    return Encrypted === true || encryptionByDefault ? defaultKey : null;
  }

  #stateOf(snapshot: Snapshot): { status: string; message?: string; completedMs?: number } {
    const { lags } = this.#options;
    const { seal } = snapshot;
    if (seal === undefined) {
      const idleMs = this.nowMs - snapshot.activityMs;
      const isOver = idleMs >= snapshot.timeoutMinutes * MINUTE_MS + lags.timeoutMs;
      return isOver ? { status: 'error', message: 'Snapshot timed out' } : { status: 'pending' };
    }
    const [lagMs, message] = {
      good: [lags.completionMs, undefined] as const,
      count: [lags.countMismatchMs, 'Changed blocks count mismatch for snapshot'] as const,
      checksum: [lags.checksumMismatchMs, 'Checksum mismatch for snapshot'] as const,
    }[seal.verdict];
    if (this.nowMs < seal.atMs + lagMs) return { status: 'pending' };
    if (message !== undefined) return { status: 'error', message };
    return { status: 'completed', completedMs: seal.atMs + lagMs };
  }

  #isVisible(snapshot: Snapshot): boolean {
    const isError = this.#stateOf(snapshot).status === 'error';
    return isError || this.nowMs >= snapshot.startMs + this.#options.lags.visibilityMs;
  }

  #isWritable(snapshot: Snapshot): boolean {
    if (snapshot.isDeleted === true || this.#stateOf(snapshot).status === 'error') return false;
    return this.#isVisible(snapshot);
  }

  #isReadable(snapshot: Snapshot): boolean {
    const { completedMs } = this.#stateOf(snapshot);
    if (snapshot.isDeleted === true || completedMs === undefined) return false;
    return this.nowMs >= completedMs + this.#options.lags.readabilityMs;
  }

  #startOf({ token, start }: ModelPage, listing: string): number | Expected {
    if (token === undefined) return start ?? 0;
    const isGood =
      token !== 'nonsense' &&
      token.kind === 'page' &&
      token.of === listing &&
      this.nowMs < token.expiresMs;
    return isGood ? token.index : invalid('INVALID_PAGE_TOKEN');
  }

  #block(of: string, index: number): TokenFact {
    return new TokenFact({ kind: 'block', of, index, expiresMs: this.nowMs + BLOCK_TOKEN_MS });
  }

  #page(of: string, index: number | undefined): TokenFact | null {
    if (index === undefined) return null;
    return new TokenFact({ kind: 'page', of, index, expiresMs: this.nowMs + PAGE_TOKEN_MS });
  }

  #changedPage(
    { first, second }: { readonly first: Snapshot; readonly second: Snapshot },
    page: { readonly listing: string; readonly start: number; readonly size: number },
  ): Expected {
    const [mine, theirs] = [contentOf(first), contentOf(second)];
    const isSame = first === second;
    // When nothing was put to either side since they parted, the service does not walk through what they share.
    const apart = [first, second].flatMap((side, i) =>
      lineOf(side).filter((each) => !lineOf(i === 0 ? second : first).includes(each)),
    );
    const isWalked = isSame || apart.some(({ own }) => own.size > 0);
    const union = isWalked ? [...new Set([...mine.keys(), ...theirs.keys()])] : [];
    const indices = union.filter((index) => index >= page.start).sort((a, b) => a - b);
    const shown = indices.slice(0, page.size);
    const last = shown.at(-1);
    const next = indices[shown.length] ?? (isSame && last !== undefined ? last + 1 : undefined);
    const changes = shown
      .filter((index) => mine.get(index)?.owner !== theirs.get(index)?.owner)
      .map((index) => ({
        BlockIndex: index,
        FirstBlockToken: mine.has(index) ? this.#block(first.id, index) : null,
        SecondBlockToken: theirs.has(index) ? this.#block(second.id, index) : null,
      }));
    const isNothingLeft = changes.length === 0 && next === undefined;
    return {
      status: 200,
      json: {
        BlockSize: isNothingLeft ? null : BLOCK_SIZE,
        ChangedBlocks: changes,
        ExpiryTime: isNothingLeft ? null : (this.nowMs + BLOCK_TOKEN_MS) / 1000,
        LastEvaluatedBlockIndex: null,
        NextToken: this.#page(page.listing, next),
        VolumeSize: isNothingLeft ? null : second.sizeGiB,
      },
    };
  }
}

/** The snapshot, its parent, and so on. */
function lineOf(snapshot: Snapshot): Snapshot[] {
  return snapshot.parent === undefined ? [snapshot] : [snapshot, ...lineOf(snapshot.parent)];
}

/** What a snapshot shows at each index: the byte, and who put it. */
function contentOf(snapshot: Snapshot): Map<number, { byte: number; owner: Snapshot }> {
  const content = snapshot.parent === undefined ? new Map() : contentOf(snapshot.parent);
  for (const [index, byte] of snapshot.own) content.set(index, { byte, owner: snapshot });
  return content as Map<number, { byte: number; owner: Snapshot }>;
}

function startJson(snapshot: Snapshot, { Description }: StartBody): unknown {
  return {
    BlockSize: BLOCK_SIZE,
    Description: Description ?? null,
    KmsKeyArn: snapshot.key,
    OwnerId: '111122223333',
    ParentSnapshotId: snapshot.parent?.id ?? null,
    SnapshotId: snapshot.id,
    SseType: null,
    StartTime: snapshot.startMs / 1000,
    Status: 'pending',
    Tags: null,
    VolumeSize: snapshot.sizeGiB,
  };
}

function refusePage({ maxResults, start }: ModelPage): Expected | undefined {
  const isRefused = (maxResults ?? 100) < 100 || (maxResults ?? 100) > 10_000 || (start ?? 0) < 0;
  return isRefused ? { status: 400, type: 'ValidationException' } : undefined;
}

/** Texts that the contract does not give are left out and not compared. */
function invalid(reason: string, message?: string): Expected {
  const error = { status: 400, type: 'ValidationException', reason };
  return message === undefined ? error : { ...error, message };
}

function notFound(id: string): Expected {
  return {
    status: 404,
    type: 'ResourceNotFoundException',
    reason: 'SNAPSHOT_NOT_FOUND',
    message: `The snapshot '${id}' does not exist.`,
  };
}

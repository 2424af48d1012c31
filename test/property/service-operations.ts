import fc from 'fast-check';
import { expect } from 'vitest';
import {
  block,
  digestOf,
  errorOf,
  linearOf,
  type RawAnswer,
  type ServiceUnderTest,
} from '../conformance/local-service-client.ts';
import {
  TokenFact,
  type Expected,
  type ModelFigures,
  type ModelPage,
  type ModelPut,
  type SnapshotModel,
  type StartBody,
} from './snapshot-model.ts';

/** A choice among what there is when the operation runs, snapshots or tokens, counted from the newest; or NOTHING. */
type Pick = number;

interface PageChoice {
  readonly maxResults?: number | undefined;
  readonly start?: number | undefined;
  /** Undefined: no token; 'last': the newest one of this very listing; else any token there is. */
  readonly token?: Pick | 'last' | undefined;
}

/** One step of a sequence. Data only, so that fast-check can shrink and print it. */
export type Operation =
  | { readonly kind: 'start'; readonly parent: Pick | undefined; readonly body: StartBody }
  | { readonly kind: 'put'; readonly to: Pick; readonly put: ModelPut }
  | { readonly kind: 'fill'; readonly to: Pick; readonly first: number }
  | { readonly kind: 'complete'; readonly of: Pick; readonly figures: ModelFigures }
  | { readonly kind: 'delete'; readonly of: Pick }
  | { readonly kind: 'list'; readonly of: Pick; readonly page: PageChoice }
  | {
      readonly kind: 'changed';
      readonly first: Pick;
      readonly second: Pick;
      readonly page: PageChoice;
    }
  | { readonly kind: 'get'; readonly token: Pick; readonly of?: Pick; readonly index?: number }
  | { readonly kind: 'describe'; readonly of: Pick }
  | { readonly kind: 'step'; readonly ms: number }
  | { readonly kind: 'restart' };

const KEY = 'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
/** More than the smallest page. */
const FILL_COUNT = 120;
const AUDITED_BLOCKS = 8;
const AUDITED_SNAPSHOTS = 5;
const UNKNOWN = 'snap-0fedcba9876543210';
const DAY_MS = 86_400_000;
const BYTES = 4;
const NOTHING = -1;

const pick = weighted<Pick>([8, 0], [6, 1], [3, 2], [2, 3], [1, 4], [1, NOTHING]);
const index = weighted<number>([4, 0], [4, 1], [4, 2], [2, 2047], [2, 2048], [2, 4095], [1, 4096]);
const byte = fc.nat(BYTES - 1);
const volumeSize = fc.constantFrom(1, 1, 2);
const page: fc.Arbitrary<PageChoice> = fc.record({
  maxResults: weighted<number | undefined>(
    [6, 100],
    [2, 101],
    [2, 119],
    [2, 10_000],
    [3, undefined],
    [1, 99],
    [1, 10_001],
  ),
  start: weighted<number | undefined>([10, undefined], [2, 1], [2, 200], [1, 2048], [1, -1]),
  token: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: fc.constant('last' as const) },
    { weight: 1, arbitrary: fc.nat(20) },
  ),
});
const anyBody: fc.Arbitrary<StartBody> = fc.record(
  {
    VolumeSize: volumeSize,
    ClientToken: fc.constantFrom('a', 'b'),
    Encrypted: fc.boolean(),
    KmsKeyArn: fc.constant(KEY),
    Timeout: fc.constantFrom(10, 60),
    Description: fc.constant('d'),
  },
  { requiredKeys: ['VolumeSize'] },
);
const childBody: fc.Arbitrary<StartBody> = fc.record(
  {
    VolumeSize: fc.constantFrom(1, 2, 2, 2),
    ClientToken: fc.constantFrom('a', 'b'),
    Timeout: fc.constantFrom(10, 60),
  },
  { requiredKeys: ['VolumeSize'] },
);
const put: fc.Arbitrary<ModelPut> = fc.record({
  index,
  byte,
  flaw: weighted<ModelPut['flaw']>([16, 'none'], [1, 'digest'], [1, 'short'], [1, 'length']),
});
const figures: fc.Arbitrary<ModelFigures> = fc.record({
  count: weighted<ModelFigures['count']>([8, 'right'], [1, 'more'], [1, 'zero']),
  checksum: weighted<ModelFigures['checksum']>(
    [3, 'none'],
    [6, 'right'],
    [1, 'wrong'],
    [1, 'alone'],
  ),
});
/** Mostly to, over and just before the lags; seldom so far that tokens and open snapshots die. */
const passed = weighted<number>(
  [3, 1],
  [3, 1499],
  [3, 1500],
  [4, 5000],
  [4, 30_000],
  [4, 55_000],
  [2, 599_999],
  [2, 600_000],
  [1, 3_600_000],
  [1, 7 * DAY_MS],
);

/** Any one operation. */
const operation: fc.Arbitrary<Operation> = fc.oneof(
  step(1, 'start', { parent: fc.constant(undefined), body: anyBody }),
  step(2, 'start', { parent: pick, body: childBody }),
  step(1, 'start', { parent: pick, body: anyBody }),
  step(8, 'put', { to: pick, put }),
  step(4, 'complete', { of: pick, figures }),
  step(1, 'delete', { of: pick }),
  step(4, 'list', { of: pick, page }),
  step(5, 'changed', { first: pick, second: pick, page }),
  step(6, 'get', { token: fc.nat(20) }),
  step(2, 'get', { token: fc.nat(20), of: pick, index }),
  step(3, 'describe', { of: pick }),
  step(4, 'step', { ms: passed }),
  step(1, 'restart', {}),
);

/** A snapshot made, filled, completed and waited for in one piece: without it few sequences reach what can be read. */
const whole: fc.Arbitrary<Operation[]> = fc
  .record({
    parent: fc.option(weighted<Pick>([6, 0], [3, 1], [2, 2], [1, NOTHING]), {
      nil: undefined,
      freq: 3,
    }),
    contents: fc.array(fc.record({ index, byte }), { maxLength: 5, size: 'max' }),
    filledFrom: weighted<number | undefined>([15, undefined], [1, 0], [1, 1]),
  })
  .map(({ parent, contents, filledFrom }) => [
    { kind: 'start', parent, body: { VolumeSize: 2 } },
    { kind: 'step', ms: 5000 },
    ...contents.map((one) => ({ kind: 'put', to: 0, put: { ...one, flaw: 'none' } }) as const),
    ...(filledFrom === undefined ? [] : [{ kind: 'fill', to: 0, first: filledFrom } as const]),
    { kind: 'complete', of: 0, figures: { count: 'right', checksum: 'right' } },
    { kind: 'step', ms: 60_000 },
  ]);

/** A listing page by page, at times to the end of its tokens' lives, and some of the blocks that it named. */
const reading: fc.Arbitrary<Operation[]> = fc
  .record({
    of: pick,
    second: fc.option(pick, { freq: 2 }),
    maxResults: fc.constantFrom(100, 119),
    pauseMs: weighted<number>([6, 0], [1, 3_599_999], [1, 3_600_000], [1, 7 * DAY_MS]),
  })
  .map(({ of, second, maxResults, pauseMs }) => {
    const pages = [undefined, 'last' as const, 'last' as const].map((token): Operation => {
      const page = { maxResults, token };
      return second === null
        ? { kind: 'list', of, page }
        : { kind: 'changed', first: of, second, page };
    });
    return [
      ...pages.slice(0, 1),
      { kind: 'step', ms: pauseMs },
      ...pages.slice(1),
      ...[0, 1, 2].map((token) => ({ kind: 'get', token }) as const),
    ];
  });

/** A snapshot left alone to the very end of its Timeout. */
const idling: fc.Arbitrary<Operation[]> = fc
  .record({ isPut: fc.boolean(), isRestarted: fc.boolean(), put, figures })
  .map(({ isPut, isRestarted, ...last }) => [
    { kind: 'start', parent: undefined, body: { VolumeSize: 1, Timeout: 10 } },
    { kind: 'step', ms: 5000 },
    ...(isPut ? ([{ kind: 'put', to: 0, put: { index: 0, byte: 1, flaw: 'none' } }] as const) : []),
    ...(isRestarted ? ([{ kind: 'restart' }] as const) : []),
    { kind: 'step', ms: 599_999 },
    { kind: 'step', ms: 1 },
    { kind: 'put', to: 0, put: last.put },
    { kind: 'complete', of: 0, figures: last.figures },
  ]);

/** Sequences of operations. */
export const operations: fc.Arbitrary<Operation[]> = fc
  .tuple(
    whole,
    fc.array(
      fc.oneof(
        { weight: 2, arbitrary: whole },
        { weight: 2, arbitrary: reading },
        { weight: 1, arbitrary: idling },
        { weight: 14, arbitrary: operation.map((one) => [one]) },
      ),
      { maxLength: 50, size: 'max' },
    ),
  )
  .map(([first, groups]) => [...first, ...groups.flat()]);

/** One of some values, each as often as its weight says. */
function weighted<T>(...choices: readonly (readonly [number, T])[]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

function step(
  weight: number,
  kind: Operation['kind'],
  members: Readonly<Record<string, fc.Arbitrary<unknown>>>,
): fc.WeightedArbitrary<Operation> {
  const made = fc.record(members).map((values) => ({ kind, ...values }) as unknown as Operation);
  return { weight, arbitrary: made };
}

/** Carries operations out on service and model alike, and compares each answer. */
export class Comparison {
  readonly #service: ServiceUnderTest;
  readonly #model: SnapshotModel;
  /** Newest first. */
  readonly #ids: string[] = [];
  readonly #tokens: { readonly text: string; readonly fact: TokenFact }[] = [];

  constructor(service: ServiceUnderTest, model: SnapshotModel) {
    this.#service = service;
    this.#model = model;
  }

  /** Throws when service and model disagree. */
  async run(operation: Operation): Promise<void> {
    const service = this.#service;
    const model = this.#model;
    switch (operation.kind) {
      case 'start':
        return this.#start(operation);
      case 'put':
        return this.#put(this.#id(operation.to), operation.put);
      case 'fill':
        return this.#fill(this.#id(operation.to), operation.first);
      case 'complete':
        return this.#complete(this.#id(operation.of), operation.figures);
      case 'delete': {
        const SnapshotId = this.#id(operation.of);
        const { status } = await service.ec2('DeleteSnapshot', { SnapshotId });
        expect(status).toBe(model.delete(SnapshotId).status);
        return;
      }
      case 'list':
        return this.#list(this.#id(operation.of), operation.page);
      case 'changed':
        return this.#changed(this.#id(operation.first), this.#id(operation.second), operation.page);
      case 'get':
        return this.#get(operation);
      case 'describe':
        return this.#describe(this.#id(operation.of));
      case 'step':
        service.clock.ms += operation.ms;
        model.nowMs += operation.ms;
        return this.#describe(this.#id(0));
      case 'restart':
        await service.restart();
    }
  }

  /** Looks at every snapshot once more: state, listing, some blocks, and what changed between any two of the newest. */
  async audit(): Promise<void> {
    const maxResults = 10_000;
    for (const id of this.#ids) {
      await this.#describe(id);
      this.#tokens.length = 0;
      await this.#list(id, { maxResults });
      for (let token = 0; token < Math.min(this.#tokens.length, AUDITED_BLOCKS); token += 1) {
        await this.#get({ token });
      }
    }
    const newest = this.#ids.slice(0, AUDITED_SNAPSHOTS);
    for (const first of newest) {
      for (const second of newest) await this.#changed(first, second, { maxResults });
    }
  }

  async #list(id: string, choice: PageChoice): Promise<void> {
    const [query, known] = this.#page(choice, `list ${id}`);
    this.#compare(await this.#service.list(id, query), this.#model.list(id, known));
  }

  async #changed(first: string, second: string, choice: PageChoice): Promise<void> {
    const [query, known] = this.#page(choice, `changed ${first} ${second}`);
    const answer = await this.#service.changed(first, second, query);
    this.#compare(answer, this.#model.changed(first, second, known));
  }

  async #start(operation: Operation & { kind: 'start' }): Promise<void> {
    const { parent } = operation;
    const sent: StartBody = {
      ...operation.body,
      ...(parent === undefined ? {} : { ParentSnapshotId: this.#id(parent) }),
    };
    const answer = await this.#service.send({
      method: 'POST',
      path: '/snapshots',
      body: JSON.stringify(sent),
    });
    const id = String(answer.json.SnapshotId);
    this.#compare(answer, this.#model.start(sent, id));
    if (answer.status === 201 && !this.#ids.includes(id)) this.#ids.unshift(id);
  }

  async #put(snapshotId: string, put: ModelPut): Promise<void> {
    const data = put.flaw === 'short' ? block(put.byte).subarray(1) : blockOf(put.byte);
    const headers: Record<string, string> = {
      ...(put.flaw === 'short' ? {} : { 'x-amz-checksum': digestOfByte(put.byte) }),
      ...(put.flaw === 'digest' ? { 'x-amz-checksum': digestOfByte(put.byte + 1) } : {}),
      ...(put.flaw === 'length' ? { 'x-amz-data-length': '1' } : {}),
    };
    const answer = await this.#service.put({ snapshotId, index: put.index, data, headers });
    this.#compare(answer, this.#model.put(snapshotId, put));
    if (answer.status === 201) {
      expect(answer.headers['x-amz-checksum']).toBe(digestOfByte(put.byte));
    }
  }

  /** More than a page of zero blocks; the first one tells whether the snapshot takes them. */
  async #fill(snapshotId: string, first: number): Promise<void> {
    const puts = Array.from({ length: FILL_COUNT }, (_, i) => {
      return { index: first + 2 * i, byte: 0, flaw: 'none' } as const;
    });
    const [one, ...others] = puts;
    if (one === undefined) return;
    await this.#put(snapshotId, one);
    if (this.#model.put(snapshotId, one).status !== 201) return;
    await Promise.all(others.map((put) => this.#put(snapshotId, put)));
  }

  async #complete(id: string, figures: ModelFigures): Promise<void> {
    const bytes = this.#model.putBytes(id);
    const count = { right: bytes.length, more: bytes.length + 1, zero: 0 }[figures.count];
    const checksum = {
      none: undefined,
      right: linearOf(...bytes.map(blockOf)),
      wrong: digestOf(Buffer.from('wrong')),
      alone: linearOf(),
    }[figures.checksum];
    const isWhole = figures.checksum === 'right' || figures.checksum === 'wrong';
    const answer = await this.#service.complete(id, {
      count,
      ...(checksum === undefined ? {} : { checksum }),
      ...(isWhole ? { algorithm: 'SHA256', method: 'LINEAR' } : {}),
    });
    this.#compare(answer, this.#model.complete(id, figures));
  }

  async #get(choice: { token: Pick; of?: Pick; index?: number }): Promise<void> {
    const token = this.#token(choice.token);
    const fact = token.fact;
    const isMeant = fact !== 'nonsense' && fact.kind === 'block' && choice.of === undefined;
    const id = isMeant ? fact.of : this.#id(choice.of ?? 0);
    const at = choice.index ?? (fact === 'nonsense' ? 0 : fact.index);
    const answer = await this.#service.get(id, at, token.text);
    const { byte, ...expected } = this.#model.get(id, at, fact);
    if (byte === undefined) {
      this.#compare(answer, expected);
      return;
    }
    expect(answer.status, answer.text.slice(0, 200)).toBe(200);
    expect(answer.body.equals(blockOf(byte))).toBe(true);
    expect(answer.headers['x-amz-checksum']).toBe(digestOfByte(byte));
  }

  async #describe(id: string): Promise<void> {
    const answer = await this.#service.ec2('DescribeSnapshots', { 'SnapshotId.1': id });
    const { status, json } = this.#model.describe(id);
    expect(answer.status).toBe(status);
    if (json === undefined) return;
    const compared = [
      ...['status', 'statusMessage', 'startTime', 'progress', 'volumeSize', 'encrypted'],
      ...['kmsKeyId', 'completionTime', 'fullSnapshotSizeInBytes'],
    ];
    const seen = compared.flatMap((name) => {
      const value = new RegExp(`<${name}>(.*?)</${name}>`).exec(answer.text)?.[1];
      return value === undefined ? [] : [[name, value]];
    });
    expect(Object.fromEntries(seen)).toEqual(json);
  }

  #id(choice: Pick): string {
    return this.#ids[choice === NOTHING ? NOTHING : choice % this.#ids.length] ?? UNKNOWN;
  }

  #token(choice: Pick): { readonly text: string; readonly fact: TokenFact | 'nonsense' } {
    const { length } = this.#tokens;
    // One choice past the oldest token is a text that was never issued.
    const known = this.#tokens[length - 1 - (choice % (length + 1))];
    return known ?? { text: 'nonsense', fact: 'nonsense' };
  }

  /** The query of a list, and what the model is to know of it. */
  #page(choice: PageChoice, listing: string): [Record<string, string>, ModelPage] {
    const { maxResults, start } = choice;
    const last = this.#tokens.findLast(({ fact }) => fact.of === listing);
    const chosen = typeof choice.token === 'number' ? this.#token(choice.token) : undefined;
    const token = choice.token === 'last' ? last : chosen;
    const query = {
      ...(maxResults === undefined ? {} : { maxResults: String(maxResults) }),
      ...(start === undefined ? {} : { startingBlockIndex: String(start) }),
      ...(token === undefined ? {} : { pageToken: token.text }),
    };
    return [query, { maxResults, start, token: token?.fact }];
  }

  /** Compares what both know, and learns the tokens in the answer. */
  #compare(answer: RawAnswer, expected: Expected): void {
    if (expected.json === undefined) {
      expect(errorOf(answer)).toMatchObject(expected);
      return;
    }
    expect({ status: answer.status, json: this.#learn(answer.json, expected.json) }).toEqual(
      expected,
    );
  }

  /** Puts in place of each token the fact that the model has there. */
  #learn(seen: unknown, expected: unknown): unknown {
    if (expected instanceof TokenFact && typeof seen === 'string' && seen.startsWith('AlM')) {
      this.#tokens.push({ text: seen, fact: expected });
      return expected;
    }
    if (typeof seen !== 'object' || seen === null) return seen;
    const model = (expected ?? {}) as Record<string, unknown>;
    const entries = Object.entries(seen).map(([key, value]) => [
      key,
      this.#learn(value, model[key]),
    ]);
    return Array.isArray(seen) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
  }
}

const blocks = Array.from({ length: BYTES + 1 }, (_, byte) => block(byte));
const digests = blocks.map(digestOf);

function blockOf(byte: number): Buffer {
  return blocks[byte] ?? block(byte);
}

function digestOfByte(byte: number): string {
  return digests[byte] ?? digestOf(block(byte));
}

import { describe, expect, test } from 'vitest';
import { row } from './contract-rows.ts';
import {
  block,
  constraint,
  errorOf,
  missing,
  ServiceUnderTest,
  validation,
  type ExpectedError,
} from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const EMPTY =
  '{"BlockSize":524288,"Blocks":[],"ExpiryTime":1.79033744057E9,"NextToken":null,"VolumeSize":1}';
const NOTHING_LEFT =
  '{"BlockSize":null,"ChangedBlocks":[],"ExpiryTime":null,"LastEvaluatedBlockIndex":null,"NextToken":null,"VolumeSize":null}';

/** 250 zero blocks at every third index: three pages of 100. */
const sparse = await service.stored(
  Object.fromEntries(Array.from({ length: 250 }, (_, i) => [i * 3, 0])),
);

describe('section 5.2: ListSnapshotBlocks', () => {
  test(row('5.2 response', 'with tokens of the real form'), async () => {
    const id = await service.stored({ 4: 1 });
    const { status, json, text } = await service.list(id);
    const [entry] = json.Blocks as { BlockIndex: number; BlockToken: string }[];
    expect(status).toBe(200);
    expect(entry?.BlockToken).toMatch(/^AlMB[A-Za-z0-9_-]{91}$/);
    expect(text).toBe(
      `{"BlockSize":524288,"Blocks":[{"BlockIndex":4,"BlockToken":"${entry?.BlockToken ?? ''}"}],` +
        '"ExpiryTime":1.79094224057E9,"NextToken":null,"VolumeSize":1}',
    );
  });

  test(row('5.2 end: only a null NextToken', 'pages are ascending and complete'), async () => {
    const found: number[] = [];
    let query: Record<string, string> = { maxResults: '100' };
    for (let pages = 1; ; pages += 1) {
      const { json } = await service.list(sparse, query);
      found.push(...(json.Blocks as { BlockIndex: number }[]).map((entry) => entry.BlockIndex));
      if (json.NextToken === null) {
        expect(pages).toBe(3);
        break;
      }
      expect(json.NextToken).toMatch(/^AlMD[A-Za-z0-9_-]{107}$/);
      query = { maxResults: '100', pageToken: json.NextToken as string };
    }
    expect(found).toEqual(Array.from({ length: 250 }, (_, i) => i * 3));
  });

  test(row('5.1 MaxResults omitted'), async () => {
    expect((await service.list(sparse)).json.Blocks).toHaveLength(100);
  });

  test.each([
    [row('5.2 start in a hole'), '4', 6],
    [row('5.1 StartingBlockIndex', 'at a block'), '6', 6],
  ])('a start %s', async (_, startingBlockIndex, expected) => {
    const { json } = await service.list(sparse, { startingBlockIndex });
    expect((json.Blocks as { BlockIndex: number }[])[0]?.BlockIndex).toBe(expected);
  });

  test.each(['748', '2048', '99999999999'])(row('5.2 start past the end', '%s'), async (start) => {
    expect((await service.list(sparse, { startingBlockIndex: start })).text).toBe(EMPTY);
  });

  test(row('5.1 StartingBlockIndex', 'ignored beside a token'), async () => {
    const { json } = await service.list(sparse, { maxResults: '100' });
    const pageToken = String(json.NextToken);
    const next = await service.list(sparse, { pageToken, startingBlockIndex: '0' });
    expect((next.json.Blocks as { BlockIndex: number }[])[0]?.BlockIndex).toBe(300);
  });

  test(row('5.2 content: own and ancestors', 'once each, zero blocks included'), async () => {
    const root = await service.stored({ 0: 1, 1: 1, 9: 1 });
    const middle = await service.stored({ 1: 0, 5: 2 }, { ParentSnapshotId: root });
    const leaf = await service.stored({ 5: 3, 2000: 3 }, { ParentSnapshotId: middle });
    expect([...(await service.tokens(leaf)).keys()]).toEqual([0, 1, 5, 9, 2000]);
  });

  test(row('5.2 re-listing', 'older tokens stay valid'), async () => {
    const id = await service.stored({ 0: 7 });
    const [first, second] = [await service.tokens(id), await service.tokens(id)];
    expect(first.get(0)).not.toBe(second.get(0));
    expect((await service.get(id, 0, first.get(0))).status).toBe(200);
  });
});

describe('section 5.3: ListChangedBlocks', () => {
  test(row('5.3 identical rewrite', 'writing decides, not content'), async () => {
    const parent = await service.stored({ 0: 1, 1: 1, 2: 1, 3: 1 });
    const child = await service.stored({ 1: 1, 2: 0, 9: 2 }, { ParentSnapshotId: parent });
    expect(await sides(parent, child)).toEqual({ 1: 'both', 2: 'both', 9: 'second' });
    expect(await sides(child, parent)).toEqual({ 1: 'both', 2: 'both', 9: 'first' });
  });

  test(row('5.3 response keys', 'a missing side is null'), async () => {
    const parent = await service.stored({});
    const child = await service.stored({ 4: 1 }, { ParentSnapshotId: parent });
    const { text } = await service.changed(parent, child);
    expect(text.replace(/"AlMB[^"]{91}"/, 'TOKEN')).toBe(
      '{"BlockSize":524288,"ChangedBlocks":[{"BlockIndex":4,"FirstBlockToken":null,"SecondBlockToken":TOKEN}],' +
        '"ExpiryTime":1.79094224057E9,"LastEvaluatedBlockIndex":null,"NextToken":null,"VolumeSize":1}',
    );
  });

  test(row('5.3 direction, siblings, deleted parent', 'siblings of a deleted parent'), async () => {
    const parent = await service.stored({ 0: 1, 1: 1 });
    const a = await service.stored({ 0: 2 }, { ParentSnapshotId: parent });
    const b = await service.stored({ 1: 2, 2: 2 }, { ParentSnapshotId: parent });
    await service.ec2('DeleteSnapshot', { SnapshotId: parent });
    await service.ebs.settle();
    expect(await sides(a, b)).toEqual({ 0: 'both', 1: 'both', 2: 'second' });
  });

  test(row('6 either token of ListChangedBlocks'), async () => {
    const parent = await service.stored({ 3: 1 });
    const child = await service.stored({ 3: 2 }, { ParentSnapshotId: parent });
    const { json } = await service.changed(parent, child);
    const [change] = json.ChangedBlocks as Record<string, string>[];
    const first = await service.get(parent, 3, change?.FirstBlockToken);
    const second = await service.get(child, 3, change?.SecondBlockToken);
    expect([first.body[0], second.body[0]]).toEqual([1, 2]);
    expect((await service.get(child, 3, change?.FirstBlockToken)).status).toBe(400);
  });

  test(
    row('5.3 paging: empty pages with a NextToken', 'cut before unchanged blocks are dropped'),
    async () => {
      const child = await service.stored({ 3: 1, 747: 1 }, { ParentSnapshotId: sparse });
      const sizes: number[] = [];
      let query: Record<string, string> = { maxResults: '100' };
      for (;;) {
        const { json } = await service.changed(sparse, child, query);
        sizes.push((json.ChangedBlocks as unknown[]).length);
        if (json.NextToken === null) break;
        query = { maxResults: '100', pageToken: json.NextToken as string };
      }
      expect(sizes).toEqual([1, 0, 1]);
    },
  );

  test(row('5.3 final page with nothing left', 'a snapshot against itself'), async () => {
    const id = await service.stored({ 0: 1 });
    const first = await service.changed(id, id);
    expect(first.json).toMatchObject({ ChangedBlocks: [], VolumeSize: 1 });
    const last = await service.changed(id, id, { pageToken: String(first.json.NextToken) });
    expect(last.text).toBe(NOTHING_LEFT);
  });

  test(row('5.3 nothing changed at all', 'one page, all else null'), async () => {
    const child = await service.stored({}, { ParentSnapshotId: sparse });
    expect((await service.changed(sparse, child)).text).toBe(NOTHING_LEFT);
  });

  test(row('5.3 VolumeSize', 'of the second'), async () => {
    const parent = await service.stored({ 0: 1 });
    const child = await service.stored({ 3000: 1 }, { ParentSnapshotId: parent, VolumeSize: 2 });
    expect((await service.changed(parent, child)).json.VolumeSize).toBe(2);
  });

  test(row('5.1 FirstSnapshotId', 'asked for before the second is looked up'), async () => {
    const expected = validation(
      'INVALID_SNAPSHOT_ID',
      'First snapshot should not be empty or null',
    );
    const unknown = 'snap-0fedcba9876543210';
    expect(errorOf(await service.changed(undefined, unknown))).toEqual(expected);
    expect(errorOf(await service.changed('', unknown))).toEqual(expected);
  });

  test(row('5.3 unrelated lineages', 'even when equal'), async () => {
    const [a, b] = [await service.stored({ 0: 1 }), await service.stored({ 0: 1 })];
    expect(errorOf(await service.changed(a, b))).toEqual(
      validation('UNRELATED_SNAPSHOTS', `The snapshot ${a} and ${b} are not related.`),
    );
  });

  test(row('5.3 one not readable'), async () => {
    const [a, b] = [await service.stored({}), await service.newSnapshot()];
    for (const [first, second] of [
      [a, b],
      [b, a],
    ] as const) {
      expect(errorOf(await service.changed(first, second))).toEqual({
        ...missing(''),
        message: `The snapshot '${first}' or '${second}' does not exist.`,
      });
    }
  });
});

describe('section 5.3: which sides of a block are told, there and back', () => {
  type Contents = Readonly<Record<number, number>>;
  test.each<[string, Contents, Contents, Record<number, string>]>([
    [row('5.3 both tokens'), { 0: 1, 1: 1 }, { 1: 2 }, { 1: 'both' }],
    [row('5.3 only SecondBlockToken'), { 0: 1 }, { 5: 2 }, { 5: 'second' }],
    [row('5.3 only SecondBlockToken', 'also of zeros'), { 0: 1 }, { 5: 0 }, { 5: 'second' }],
    [row('5.3 cleared with an explicit zero block'), { 3: 1 }, { 3: 0 }, { 3: 'both' }],
    [row('5.3 identical rewrite'), { 3: 1 }, { 3: 1 }, { 3: 'both' }],
    [row('5.3 inherited, untouched'), { 0: 1, 1: 1, 2: 1 }, { 1: 2 }, { 1: 'both' }],
  ])('%s', async (_, before, after, expected) => {
    const parent = await service.stored(before);
    const child = await service.stored(after, { ParentSnapshotId: parent });
    expect(await sides(parent, child)).toEqual(expected);
    const mirrored = Object.entries(expected).map(([i, side]) => [i, MIRRORED[side]]);
    expect(await sides(child, parent)).toEqual(Object.fromEntries(mirrored));
  });

  test(row('5.3 only FirstBlockToken', 'added in the child, seen from it'), async () => {
    const parent = await service.stored({ 0: 1 });
    const child = await service.stored({ 5: 2 }, { ParentSnapshotId: parent });
    expect(await sides(child, parent)).toEqual({ 5: 'first' });
  });

  test(row('5.3 both tokens', 'an explicit zero block reads as zeros'), async () => {
    const parent = await service.stored({ 3: 1 });
    const child = await service.stored({ 3: 0 }, { ParentSnapshotId: parent });
    const { json } = await service.changed(parent, child);
    const [change] = json.ChangedBlocks as Record<string, string>[];
    const { body } = await service.get(child, 3, change?.SecondBlockToken);
    expect(body.equals(block(0))).toBe(true);
  });

  test(row('15 blocks past the end of a smaller parent', 'added'), async () => {
    const parent = await service.stored({ 0: 1 });
    const child = await service.stored(
      { 2048: 1, 4095: 1 },
      { ParentSnapshotId: parent, VolumeSize: 2 },
    );
    expect(await sides(parent, child)).toEqual({ 2048: 'second', 4095: 'second' });
    expect(await sides(child, parent)).toEqual({ 2048: 'first', 4095: 'first' });
  });

  test(row('5.3 direction, siblings, deleted parent', 'across three generations'), async () => {
    const root = await service.stored({ 0: 1, 1: 1, 2: 1 });
    const middle = await service.stored({ 1: 2 }, { ParentSnapshotId: root });
    const leaf = await service.stored({ 2: 2, 7: 2 }, { ParentSnapshotId: middle });
    const cousin = await service.stored({ 0: 3 }, { ParentSnapshotId: root });
    expect(await sides(root, leaf)).toEqual({ 1: 'both', 2: 'both', 7: 'second' });
    expect(await sides(leaf, cousin)).toEqual({ 0: 'both', 1: 'both', 2: 'both', 7: 'first' });
  });

  test(row('5.3 paging: empty pages with a NextToken', 'more than one on end'), async () => {
    const child = await service.stored({ 747: 1 }, { ParentSnapshotId: sparse });
    const first = await service.changed(sparse, child, { maxResults: '100' });
    expect(first.json).toMatchObject({ ChangedBlocks: [], BlockSize: 524_288, VolumeSize: 1 });
    expect(first.json.ExpiryTime).toEqual(expect.any(Number));
    const second = await service.changed(sparse, child, {
      maxResults: '100',
      pageToken: String(first.json.NextToken),
    });
    expect(second.json.ChangedBlocks).toEqual([]);
    expect(second.json.NextToken).toMatch(/^AlMD/);
  });
});

describe('sections 5.1 and 5.2: the rest of the rows', () => {
  test.each<[string, Parameters<typeof service.changed>, ExpectedError]>([
    [
      row('5.1 SnapshotId, SecondSnapshotId', 'upper-case digits'),
      ['snap-0a', 'snap-0A'],
      constraint(
        "Value 'snap-0A' at 'secondSnapshotId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^snap-[0-9a-f]+$",
      ),
    ],
    [
      row('5.1 FirstSnapshotId', 'upper-case digits'),
      ['snap-0A', 'snap-0a'],
      constraint(
        "Value 'snap-0A' at 'firstSnapshotId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^snap-[0-9a-f]+$",
      ),
    ],
    [
      row('5.1 NextToken', 'outside its alphabet'),
      ['snap-0a', 'snap-0a', { pageToken: 'a b' }],
      constraint(
        "Value 'a b' at 'nextToken' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9+/=_-]+$",
      ),
    ],
  ])('%s', async (_, given, expected) => {
    expect(errorOf(await service.changed(...given))).toEqual(expected);
  });

  test.each(['100', '101', '249', '250', '10000'])(
    row('5.2 order', 'ascending and unique across pages of %s'),
    async (maxResults) => {
      const found: number[] = [];
      let query: Record<string, string> = { maxResults };
      for (;;) {
        const { json } = await service.list(sparse, query);
        found.push(...(json.Blocks as { BlockIndex: number }[]).map((entry) => entry.BlockIndex));
        if (json.NextToken === null) break;
        query = { maxResults, pageToken: json.NextToken as string };
      }
      expect(found).toEqual(Array.from({ length: 250 }, (_, i) => i * 3));
    },
  );

  test(
    row('5.2 ExpiryTime', 'whole minutes from now; about now when there is no token'),
    async () => {
      const tokens = await service.list(sparse);
      const aheadMs = Number(tokens.json.ExpiryTime) * 1000 - service.clock.ms;
      expect(Math.round(aheadMs) % 60_000).toBe(0);
      const none = await service.list(sparse, { startingBlockIndex: '2048' });
      expect(Number(none.json.ExpiryTime) * 1000).toBeCloseTo(service.clock.ms, 0);
    },
  );

  test(row('5.2 tokens', 'unpadded base64url of the lengths that were seen'), async () => {
    const { json } = await service.list(sparse);
    const [entry] = json.Blocks as { BlockToken: string }[];
    expect(entry?.BlockToken).toMatch(/^AlMB[\w-]{91}$/);
    expect(json.NextToken).toMatch(/^AlMD[\w-]{107}$/);
  });

  test(row('5.1 NextToken', 'of ListChangedBlocks, 60 minutes too'), async () => {
    const pageToken = String((await service.changed(sparse, sparse)).json.NextToken);
    service.clock.ms += 3_599_999;
    expect((await service.changed(sparse, sparse, { pageToken })).status).toBe(200);
    service.clock.ms += 1;
    const { json } = await service.changed(sparse, sparse, { pageToken });
    expect(json.Reason).toBe('INVALID_PAGE_TOKEN');
    service.clock.ms -= 3_600_000;
  });

  test(row('5.1 NextToken', 'may go on with pages of another size'), async () => {
    const { json } = await service.list(sparse, { maxResults: '100' });
    const pageToken = String(json.NextToken);
    const rest = await service.list(sparse, { maxResults: '10000', pageToken });
    expect(rest.json.Blocks).toHaveLength(150);
    expect(rest.json.NextToken).toBeNull();
  });
});

describe('sections 5.1 and 5.4: what both refuse', () => {
  const range = (value: string, member: string, rule: string): ExpectedError =>
    constraint(
      `Value '${value}' at '${member}' failed to satisfy constraint: Member must have value ${rule}`,
    );
  const rows: [string, Record<string, string>, ExpectedError][] = [
    [
      row('5.1 MaxResults', '1'),
      { maxResults: '1' },
      range('1', 'maxResults', 'greater than or equal to 100'),
    ],
    [
      row('5.1 MaxResults', '99'),
      { maxResults: '99' },
      range('99', 'maxResults', 'greater than or equal to 100'),
    ],
    [
      row('5.1 MaxResults', '10001'),
      { maxResults: '10001' },
      range('10001', 'maxResults', 'less than or equal to 10000'),
    ],
    [
      row('13 ListSnapshotBlocks', 'a negative start, before the token is judged'),
      { startingBlockIndex: '-1', pageToken: 'nonsense' },
      range('-1', 'startingBlockIndex', 'greater than or equal to 0'),
    ],
    [
      row('5.4 INVALID_PAGE_TOKEN', 'nonsense'),
      { pageToken: 'nonsense' },
      validation('INVALID_PAGE_TOKEN', 'The pagination token nonsense is invalid.'),
    ],
  ];

  test.each(rows)('%s', async (_, query, expected) => {
    expect(errorOf(await service.list(sparse, query))).toEqual(expected);
    expect(errorOf(await service.changed(sparse, sparse, query))).toEqual(expected);
  });

  test(
    row('5.4 INVALID_PAGE_TOKEN', 'of another snapshot, list or pair, or a block token'),
    async () => {
      const child = await service.stored({ 1: 1 }, { ParentSnapshotId: sparse });
      const ofSparse = String((await service.list(sparse)).json.NextToken);
      const ofPair = String((await service.changed(sparse, child)).json.NextToken);
      const blockToken = String((await service.tokens(sparse)).get(0));
      const refusals = [
        await service.list(child, { pageToken: ofSparse }),
        await service.list(sparse, { pageToken: ofPair }),
        await service.list(sparse, { pageToken: blockToken }),
        await service.changed(sparse, child, { pageToken: ofSparse }),
        await service.changed(child, sparse, { pageToken: ofPair }),
      ];
      for (const answer of refusals) expect(answer.json.Reason).toBe('INVALID_PAGE_TOKEN');
    },
  );

  test(row('5.1 NextToken', '60 minutes, and again meanwhile'), async () => {
    const pageToken = String((await service.list(sparse)).json.NextToken);
    service.clock.ms += 3_599_000;
    expect((await service.list(sparse, { pageToken })).status).toBe(200);
    expect((await service.list(sparse, { pageToken })).status).toBe(200);
    service.clock.ms += 1000;
    expect((await service.list(sparse, { pageToken })).json.Reason).toBe('INVALID_PAGE_TOKEN');
    service.clock.ms -= 3_600_000;
  });

  test(row('5.4 SNAPSHOT_NOT_FOUND', 'unknown, pending, in error, of another region'), async () => {
    const pending = await service.newSnapshot();
    const failed = await service.newSnapshot();
    await service.complete(failed, { count: 5 });
    for (const id of ['snap-0fedcba9876543210', pending, failed]) {
      expect(errorOf(await service.list(id))).toEqual(missing(id));
    }
    const path = `/snapshots/${sparse}/blocks`;
    const elsewhere = await service.send({ method: 'GET', path, region: 'eu-west-1' });
    expect(errorOf(elsewhere)).toEqual(missing(sparse));
  });
});

describe('section 6: GetSnapshotBlock', () => {
  test(row('6 response', 'the block with its length and digest'), async () => {
    const id = await service.stored({ 2: 5 });
    const { status, headers, headerNames, body } = await service.get(
      id,
      2,
      (await service.tokens(id)).get(2),
    );
    expect(status).toBe(200);
    expect(body.equals(block(5))).toBe(true);
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '524288',
      'x-amz-data-length': '524288',
      'x-amz-checksum-algorithm': 'SHA256',
    });
    expect(headerNames).toEqual(
      expect.arrayContaining(['x-amz-Data-Length', 'x-amz-Checksum', 'x-amz-Checksum-Algorithm']),
    );
  });

  test(row('3 all-zero block', 'reads as zeros'), async () => {
    const token = (await service.tokens(sparse)).get(3);
    expect((await service.get(sparse, 3, token)).body.equals(block(0))).toBe(true);
  });

  test(row('6 token of anything else'), async () => {
    const parent = await service.stored({ 0: 1, 1: 1 });
    const child = await service.stored({}, { ParentSnapshotId: parent });
    const token = String((await service.tokens(parent)).get(0));
    const pageToken = String((await service.list(sparse)).json.NextToken);
    const attempts: [string, number, string][] = [
      [parent, 1, token],
      [child, 0, token],
      [parent, 5, token],
      [parent, 2048, token],
      [parent, 0, pageToken],
      [parent, 0, 'nonsense'],
      [parent, 0, `${token.slice(0, -1)}${token.endsWith('A') ? 'Q' : 'A'}`],
    ];
    for (const [id, index, given] of attempts) {
      expect(errorOf(await service.get(id, index, given))).toEqual(
        validation('INVALID_BLOCK_TOKEN', `The block token ${given} is invalid.`),
      );
    }
  });

  test(row('6 expired token', 'after seven days'), async () => {
    const id = await service.stored({ 0: 1 });
    const token = (await service.tokens(id)).get(0);
    service.clock.ms += 7 * 86_400_000 - 1;
    expect((await service.get(id, 0, token)).status).toBe(200);
    service.clock.ms += 1;
    expect((await service.get(id, 0, token)).json.Reason).toBe('INVALID_BLOCK_TOKEN');
    service.clock.ms -= 7 * 86_400_000;
  });

  const rows: [string, [number, string | undefined], ExpectedError][] = [
    [
      row('6 no read without a token'),
      [0, undefined],
      constraint(
        "Value null at 'blockToken' failed to satisfy constraint: Member must not be null",
      ),
    ],
    [
      row('6 empty token'),
      [0, ''],
      constraint(
        "Value '' at 'blockToken' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[A-Za-z0-9+/=_-]+$",
      ),
    ],
    [
      row('6 negative index'),
      [-1, 'x'],
      constraint(
        "Value '-1' at 'blockIndex' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ),
    ],
  ];

  test.each(rows)('%s', async (_, [index, token], expected) => {
    expect(errorOf(await service.get(sparse, index, token))).toEqual(expected);
  });

  test.each(['snap-0A', 'x'])(row('6 SnapshotId', '%s'), async (id) => {
    expect(errorOf(await service.get(id, 0, 'x')).message).toContain("at 'snapshotId'");
  });

  test.each(['x', '1.5'])(row('6 BlockIndex', 'that is no integer: %s'), async (index) => {
    const answer = await service.get(sparse, index, 'x');
    expect(errorOf(answer)).toMatchObject({ status: 400, type: 'SerializationException' });
  });

  test.each([
    ['of 257', 'x'.repeat(257), /length less than or equal to 256$/],
    ['outside its alphabet', 'a*b', /pattern: \^\[A-Za-z0-9\+\/=_-\]\+\$$/],
  ])(row('6 BlockToken', '%s'), async (_, token, message) => {
    expect(errorOf(await service.get(sparse, 0, token)).message).toMatch(message);
  });

  test(row('6 inherited block, parent deleted', 'with a token from before'), async () => {
    const parent = await service.stored({ 2: 6 });
    const child = await service.stored({}, { ParentSnapshotId: parent });
    const token = (await service.tokens(child)).get(2);
    await service.ec2('DeleteSnapshot', { SnapshotId: parent });
    await service.ebs.settle();
    expect((await service.get(child, 2, token)).body.equals(block(6))).toBe(true);
  });

  test(row('6 snapshot deleted', 'the token is good for nothing'), async () => {
    const id = await service.stored({ 2: 6 });
    const token = (await service.tokens(id)).get(2);
    await service.ec2('DeleteSnapshot', { SnapshotId: id });
    expect(errorOf(await service.get(id, 2, token))).toEqual(missing(id));
  });

  test(row('13 GetSnapshotBlock', 'existence before the token'), async () => {
    const pending = await service.newSnapshot();
    expect(errorOf(await service.get(pending, 0, 'nonsense'))).toEqual(missing(pending));
  });
});

const MIRRORED: Readonly<Record<string, string>> = {
  both: 'both',
  first: 'second',
  second: 'first',
};

/** Which sides of each changed block have a token. */
async function sides(first: string, second: string): Promise<Record<number, string>> {
  const { json } = await service.changed(first, second);
  const changes = json.ChangedBlocks as Record<string, unknown>[];
  return Object.fromEntries(
    changes.map(({ BlockIndex, FirstBlockToken, SecondBlockToken }) => {
      if (FirstBlockToken === null) return [BlockIndex, 'second'];
      return [BlockIndex, SecondBlockToken === null ? 'first' : 'both'];
    }),
  ) as Record<number, string>;
}

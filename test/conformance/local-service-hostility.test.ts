import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { HostilitySettings, RequestRecord } from '../../src/local.ts';
import { row } from './contract-rows.ts';
import { block, BLOCK_SIZE, digestOf, errorOf, ServiceUnderTest } from './local-service-client.ts';

const service = await ServiceUnderTest.start();
const { ebs, clock } = service;
const HANG_UP = /ECONNRESET|EPIPE|socket hang up|aborted/;

/** Settings for one test. */
async function under<T>(settings: HostilitySettings, work: () => Promise<T>): Promise<T> {
  ebs.setHostility(settings);
  try {
    return await work();
  } finally {
    ebs.setHostility({});
  }
}

function lastRecord(): RequestRecord | undefined {
  return ebs.history().at(-1);
}

/** Sends the head of a Put and a part of its body, unsigned. */
function begin(snapshotId: string, bodySize: number): Socket {
  const { hostname, port } = new URL(ebs.endpoint);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(
    `PUT /snapshots/${snapshotId}/blocks/0 HTTP/1.1\r\nHost: x\r\nContent-Length: ${BLOCK_SIZE}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(bodySize));
  return socket;
}

test('nothing goes wrong unless asked', async () => {
  expect(ebs.hostility()).toEqual({ seed: ebs.hostility().seed });
  const id = await service.newSnapshot();
  expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
  expect(lastRecord()).toMatchObject({ fault: undefined, attempt: 1, bodyBytesIn: BLOCK_SIZE });
});

describe(row('9.2 two limiters at once, each with its reason'), () => {
  const PUT = { rate: 0, depth: 1 };

  test.each([
    ['after the body', 'after-body', BLOCK_SIZE],
    ['as soon as the headers have come', 'early', 0],
  ] as const)(row('9.1 requests per snapshot', 'refused %s'), async (_, refuse, bodyBytesIn) => {
    const quotas = { snapshot: { PutSnapshotBlock: PUT }, refuse };
    const [one, other] = [await service.newSnapshot(), await service.newSnapshot()];
    await under({ quotas }, async () => {
      expect((await service.put({ snapshotId: one, index: 0 })).status).toBe(201);
      expect(errorOf(await service.put({ snapshotId: one, index: 1 }))).toMatchObject({
        status: 400,
        type: 'RequestThrottledException',
        family: 'service',
        reason: 'RESOURCE_LEVEL_THROTTLE',
      });
      expect(lastRecord()).toMatchObject({ status: 400, bodyBytesIn });
      expect((await service.put({ snapshotId: other, index: 0 })).status).toBe(201);
    });
    expect((await ebs.snapshotReport(one))?.throttles).toBe(1);
  });

  test('an early refusal reaches a client that is still sending', async () => {
    const id = await service.newSnapshot();
    const quotas = { snapshot: { PutSnapshotBlock: PUT }, refuse: 'early' } as const;
    await under({ quotas }, async () => {
      await service.put({ snapshotId: id, index: 0 });
      const socket = begin(id, 1000);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 .*RESOURCE_LEVEL_THROTTLE/s);
      expect(socket.destroyed).toBe(false);
      socket.destroy();
    });
  });

  describe(row('2.6 pending snapshots and throttles'), () => {
    test.each([
      [
        row('9.1 requests per account and region'),
        'RequestThrottledException',
        'ACCOUNT_THROTTLED',
      ],
      [row('9.2 ThrottlingException of the account'), 'ThrottlingException', undefined],
    ] as const)('%s', async (_, accountError, reason) => {
      const [here, there] = ['eu-west-1', 'eu-west-2'];
      const quotas = { account: { StartSnapshot: { rate: 0, depth: 1 } }, accountError };
      const start = (region: string) => service.start({}, { region: `${region}-${accountError}` });
      await under({ quotas }, async () => {
        expect((await start(here)).status).toBe(201);
        const { reason: given, ...error } = errorOf(await start(here));
        expect(error).toMatchObject({ status: 400, type: accountError, family: 'service' });
        expect(given).toBe(reason);
        expect((await start(there)).status).toBe(201);
      });
    });

    test(row('9.1 pending snapshots per account'), async () => {
      const region = 'ap-southeast-1';
      await under({ quotas: { pendingSnapshots: 1 } }, async () => {
        const { json } = await service.start({ ClientToken: 'first' }, { region });
        const error = errorOf(await service.start({ ClientToken: 'second' }, { region }));
        expect(error).toMatchObject({ status: 400, type: 'ConcurrentLimitExceededException' });
        expect(error).not.toHaveProperty('reason');
        const replayed = await service.start({ ClientToken: 'first' }, { region });
        expect(replayed.json.SnapshotId).toBe(json.SnapshotId);
      });
    });
  });
});

/** A fault that answers, the operation it is seen on, and what is seen. */
const ERRORS = [
  ['internal-error', 'put', { status: 500, type: 'InternalServerException', family: 'service' }],
  ['unavailable', 'put', { status: 503, type: 'ServiceUnavailable', family: 'framework' }],
  [
    'bad-read',
    'put',
    { status: 400, reason: 'INVALID_PARAMETER_VALUE', message: 'Failed to read block data' },
  ],
  ['corrupt', 'put', { status: 403, type: 'InvalidSignatureException' }],
  ['expired-credentials', 'put', { status: 403, type: 'ExpiredTokenException' }],
  ['invisible', 'put', { status: 404, reason: 'SNAPSHOT_NOT_FOUND' }],
  ['expired-block-token', 'get', { status: 400, reason: 'INVALID_BLOCK_TOKEN' }],
  ['expired-page-token', 'list', { status: 400, reason: 'INVALID_PAGE_TOKEN' }],
] as const;

describe('faults by probability', () => {
  const stored = service.stored({ 0: 1, 1: 2 });

  /** Makes one request for which everything is ready before it can go wrong. */
  async function ask(what: 'put' | 'get' | 'list', faults: HostilitySettings['faults'] = {}) {
    const [id, open] = [await stored, await service.newSnapshot()];
    return under({ faults }, () => {
      if (what === 'put') return service.put({ snapshotId: open, index: 0 });
      if (what === 'list') return service.list(id, { pageToken: 'AlMD' });
      return service.get(id, 0, 'AlMB');
    });
  }

  test.each(ERRORS)('%s', async (name, what, expected) => {
    expect(errorOf(await ask(what, { [name]: 1 }))).toMatchObject(expected);
    expect(lastRecord()).toMatchObject({ fault: name });
  });

  test('invisible: only while the snapshot is young', async () => {
    const id = await service.newSnapshot();
    await under({ faults: { invisible: { rate: 1, withinMs: 5000 } } }, async () => {
      clock.ms += 4999;
      expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(404);
      clock.ms += 1;
      expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
    });
  });

  test.each(['reset-before-body', 'reset-in-body', 'reset', 'lose-answer', 'cut-answer'] as const)(
    '%s: the connection is reset',
    async (name) => {
      const id = await service.newSnapshot();
      await under({ faults: { [name]: 1 } }, async () => {
        await expect(service.put({ snapshotId: id, index: 3 })).rejects.toThrow(HANG_UP);
        await expect.poll(() => lastRecord()?.fault).toBe(name);
      });
      const { bodyBytesIn = 0, status } = lastRecord() ?? {};
      if (name === 'reset-before-body') expect(bodyBytesIn).toBe(0);
      else if (name === 'reset-in-body') {
        expect(bodyBytesIn).toBeGreaterThanOrEqual(BLOCK_SIZE / 2);
        expect(bodyBytesIn).toBeLessThan(BLOCK_SIZE);
      } else expect(bodyBytesIn).toBe(BLOCK_SIZE);
      expect(status).toBe(name === 'cut-answer' ? 201 : 0);
      const isStored = name === 'lose-answer' || name === 'cut-answer';
      const report = await ebs.snapshotReport(id);
      expect(report?.computed.changedBlocksCount).toBe(isStored ? 1 : 0);
      expect(report?.blocksPut).toBe(0);
    },
  );

  test('cut-answer: half of a block arrives', async () => {
    const id = await stored;
    const token = (await service.tokens(id)).get(0) ?? '';
    await under({ faults: { 'cut-answer': 1 } }, async () => {
      await expect(service.get(id, 0, token)).rejects.toThrow(HANG_UP);
    });
  });

  test.each([
    'stall-before-body',
    'stall-in-body',
    'stall',
    'stall-before-answer',
    'stall-in-answer',
  ] as const)('%s: for a time, or until the connection is closed', async (name) => {
    // A socket that is not read does not tell that its client has gone; then silence ends the stall.
    const stalling = await ServiceUnderTest.startAlone({ idleTimeoutMs: 200 });
    try {
      const id = await stalling.newSnapshot();
      stalling.ebs.inject({ operation: 'PutSnapshotBlock', fault: name, forMs: 1 });
      expect((await stalling.put({ snapshotId: id, index: 0 })).status).toBe(201);
      expect(stalling.ebs.history().at(-1)).toMatchObject({ fault: name, status: 201 });
      stalling.ebs.setHostility({ faults: { [name]: 1 } });
      await expect(stalling.put({ snapshotId: id, index: 1 })).rejects.toThrow(HANG_UP);
      await expect.poll(() => stalling.ebs.counters().inFlight).toBe(0);
      const { fault, status, blockIndex } = stalling.ebs.history().at(-1) ?? {};
      expect({ fault, blockIndex }).toEqual({ fault: name, blockIndex: 1 });
      expect(status).toBe(name === 'stall-in-answer' ? 201 : 0);
    } finally {
      await stalling.close();
    }
  });

  test('stalls for ever hold no buffers', async () => {
    const small = await ServiceUnderTest.startAlone({ maxBufferBytes: BLOCK_SIZE });
    try {
      const id = await small.newSnapshot();
      small.ebs.inject({ operation: 'PutSnapshotBlock', fault: 'stall', times: 3 });
      const stalled = [1, 2, 3].map((index) => small.put({ snapshotId: id, index }));
      const ends = Promise.allSettled(stalled);
      await expect.poll(() => small.ebs.counters().inFlight).toBe(3);
      expect((await small.put({ snapshotId: id, index: 4 })).status).toBe(201);
      await small.ebs.close();
      expect((await ends).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    } finally {
      await small.close();
    }
  });

  test('wrong-checksum: in the answer alone', async () => {
    const id = await stored;
    const token = (await service.tokens(id)).get(0) ?? '';
    await under({ faults: { 'wrong-checksum': 1 } }, async () => {
      const { status, headers, body } = await service.get(id, 0, token);
      expect(status).toBe(200);
      expect(body.equals(block(1))).toBe(true);
      expect(headers['x-amz-checksum']).toMatch(/^[A-Za-z0-9+/]{43}=$/);
      expect(headers['x-amz-checksum']).not.toBe(digestOf(block(1)));
      // The witness tells the truth.
      expect(lastRecord()).toMatchObject({ fault: 'wrong-checksum', digest: digestOf(block(1)) });
    });
  });

  test('corrupt: bytes that are read, under their true checksum', async () => {
    const id = await stored;
    const token = (await service.tokens(id)).get(0) ?? '';
    await under({ faults: { corrupt: 1 } }, async () => {
      const { headers, body } = await service.get(id, 0, token);
      expect(body.equals(block(1))).toBe(false);
      expect(headers['x-amz-checksum']).toBe(digestOf(block(1)));
    });
  });

  test('fail-completion: accepted, and an error later', async () => {
    const id = await service.newSnapshot();
    await service.put({ snapshotId: id, index: 0 });
    await under({ faults: { 'fail-completion': 1 } }, async () => {
      expect((await service.complete(id, { count: 1 })).status).toBe(202);
    });
    expect(await service.stateOf(id)).toBe('error: Changed blocks count mismatch for snapshot');
    const report = await ebs.snapshotReport(id);
    expect(report?.declared?.changedBlocksCount).toBe(report?.computed.changedBlocksCount);
  });

  test('a burst strikes everything, for its time', async () => {
    const id = await service.newSnapshot();
    const always = { unavailable: { rate: 0.05, burstMs: 2 ** 31 - 1 } };
    const statuses: number[] = [];
    await under({ seed: 3, faults: always }, async () => {
      for (let index = 0; index < 60; index += 1) {
        statuses.push((await service.put({ snapshotId: id, index })).status);
      }
    });
    const first = statuses.indexOf(503);
    expect(first).toBeGreaterThan(0);
    expect(new Set(statuses.slice(0, first))).toEqual(new Set([201]));
    expect(new Set(statuses.slice(first))).toEqual(new Set([503]));
  });
});

test('the same seed, the same faults, in whatever order the requests race', async () => {
  const faults = {
    'bad-read': 0.2,
    'internal-error': 0.2,
    'wrong-checksum': 0.2,
    corrupt: 0.1,
  };
  const struck = async (seed: number, isRacing: boolean): Promise<string[]> => {
    const fresh = await ServiceUnderTest.startAlone({ hostility: { seed, faults } });
    try {
      expect(fresh.ebs.hostility().seed).toBe(seed);
      fresh.ebs.setHostility({});
      const id = await fresh.newSnapshot();
      fresh.ebs.setHostility({ seed, faults });
      const blocks = Array.from({ length: 24 }, (_, index) => index);
      const put = async (index: number): Promise<void> => {
        for (let attempt = 1; attempt <= 3; attempt += 1) {
          await fresh.put({ snapshotId: id, index });
        }
      };
      if (isRacing) await Promise.all(blocks.reverse().map(put));
      else for (const index of blocks) await put(index);
      return fresh.ebs
        .history()
        .map(
          ({ blockIndex, attempt, fault }) =>
            `${blockIndex ?? ''}#${attempt ?? ''}: ${fault ?? ''}`,
        )
        .filter((line) => !line.startsWith('#'))
        .sort();
    } finally {
      await fresh.close();
    }
  };
  const first = await struck(11, false);
  expect(first).toHaveLength(72);
  expect(first.filter((line) => !line.endsWith(': ')).length).toBeGreaterThan(20);
  expect(await struck(11, true)).toEqual(first);
  expect(await struck(12, false)).not.toEqual(first);
});

describe('while running', () => {
  const local = (method: string, name: string, body = '') =>
    service.sendRaw({
      method,
      path: `/_local/${name}`,
      headers: { 'content-length': String(Buffer.byteLength(body)) },
      body,
    });

  test('PUT /_local/hostility sets, GET tells, with the seed', async () => {
    const faults = { 'internal-error': { rate: 1, operations: ['StartSnapshot'] } };
    const set = await local('PUT', 'hostility', JSON.stringify({ seed: 5, faults }));
    expect([set.status, set.json]).toEqual([200, { seed: 5, faults }]);
    expect((await service.start()).status).toBe(500);
    expect((await local('GET', 'hostility')).json).toEqual({ seed: 5, faults });
    expect((await local('PUT', 'hostility', '{}')).json).toEqual({ seed: 5 });
    expect((await service.start()).status).toBe(201);
  });

  test.each([
    ['{', /^The settings are no JSON: /],
    ['{"faults":{"reset":2}}', /^Expected a number from 0 to 1 for hostility\.faults\.reset, rec/],
    ['[]', /^Expected an object for hostility, received \[\]\.$/],
  ])('PUT of %s is refused and changes nothing', async (body, message) => {
    await under({ faults: { 'bad-read': 0 } }, async () => {
      const { status, json } = await local('PUT', 'hostility', body);
      expect([status, json.message]).toEqual([400, expect.stringMatching(message)]);
      expect(ebs.hostility().faults).toEqual({ 'bad-read': 0 });
    });
  });

  test('a frozen service takes up what has come when it thaws', async () => {
    const id = await service.newSnapshot();
    ebs.setHostility({ frozen: true });
    const put = service.put({ snapshotId: id, index: 0 });
    await expect.poll(() => ebs.counters().inFlight).toBe(1);
    ebs.setHostility({});
    expect((await put).status).toBe(201);
  });

  test('a schedule changes conditions by itself', async () => {
    const schedule = [
      { atMs: 0, frozen: true },
      { atMs: 20, frozen: false, faults: { 'internal-error': 1 } },
    ];
    await under({ schedule }, async () => {
      // Held until the frost ends.
      expect((await service.start()).status).toBe(201);
      expect((await service.start()).status).toBe(500);
    });
  });

  test('lags can change', async () => {
    await under({ lags: { visibilityMs: 1000 } }, async () => {
      const id = await service.newSnapshot();
      expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(404);
      clock.ms += 1000;
      expect((await service.put({ snapshotId: id, index: 0 })).status).toBe(201);
    });
  });

  test('a fault that nobody knows cannot be injected', () => {
    expect(() => ebs.inject({ fault: 'rest' as 'reset' })).toThrow(/name of a fault.*"rest"/);
  });
});

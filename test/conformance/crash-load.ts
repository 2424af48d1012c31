import {
  CompleteSnapshotCommand,
  PutSnapshotBlockCommand,
  StartSnapshotCommand,
  type EBSClient,
} from '@aws-sdk/client-ebs';
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { signHeaders } from '../support/sign-request.ts';
import { BLOCK_SIZE } from './local-service-client.ts';

/** What a client does to a server, and when it has just asked for it or been answered. */
export type Step = `${'ask' | 'answer'} ${Call}`;
type Call = 'Start' | 'Put' | 'Complete' | 'Delete';

/** What the client knows of one block: the digest acknowledged last, and those asked for since without an answer. */
export interface KnownBlock {
  acknowledged?: string;
  readonly attempted: Set<string>;
}

/** How far a call got that a client made once. */
type Progress = 'not asked' | 'asked' | 'acknowledged';

/** What the client knows of one snapshot. */
export interface KnownSnapshot {
  readonly snapshotId: string;
  readonly blocks: Map<number, KnownBlock>;
  completion: Progress;
  deletion: Progress;
}

/** A server to load. */
export interface Server {
  readonly endpoint: string;
  readonly client: EBSClient;
  readonly kill: () => void;
}

/** The moment to kill the server: the `count`-th time that `step` happens, and some turns of the event loop later. */
export interface Moment {
  readonly step: Step;
  readonly count: number;
  readonly turns: number;
}

const WRITERS = 6;
/** Each writer has indices of its own: the order of two writes in flight to one block would be open. */
const INDICES_PER_WRITER = 3;

/** Loads one server after the other on the same folder, and remembers what each of them acknowledged. */
export class CrashLoad {
  readonly snapshots: KnownSnapshot[] = [];
  /** Tokens of StartSnapshot, with the id when it was told. */
  readonly tokens = new Map<string, string | undefined>();
  acknowledgedPuts = 0;
  #content = 0;

  /** Loads the server until it dies at the moment. */
  async run(server: Server, moment: Moment): Promise<void> {
    const life = new Life(server, moment);
    const written = this.#start(life);
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let n = 0; ; n += 1) {
        const index = writer * INDICES_PER_WRITER + (n % INDICES_PER_WRITER);
        await this.#put(life, await written, index);
      }
    });
    const others = Array.from({ length: 2 }, async () => {
      for (let n = 0; ; n += 1) await this.#wholeLife(life, n % 2 === 1);
    });
    await Promise.allSettled([...writers, ...others]);
    life.checkRefusal();
  }

  async #wholeLife(life: Life, isDeleted: boolean): Promise<void> {
    const snapshot = await this.#start(life);
    const indices = [0, 5, 2047];
    for (const index of indices) await this.#put(life, snapshot, index);
    await this.#complete(life, snapshot);
    if (isDeleted) await this.#delete(life, snapshot);
  }

  async #start(life: Life): Promise<KnownSnapshot> {
    const ClientToken = `token-${this.tokens.size}`;
    this.tokens.set(ClientToken, undefined);
    const { SnapshotId: snapshotId = '' } = await life.step('Start', ({ client }) =>
      client.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken, Timeout: 60 })),
    );
    this.tokens.set(ClientToken, snapshotId);
    const snapshot: KnownSnapshot = {
      snapshotId,
      blocks: new Map(),
      completion: 'not asked',
      deletion: 'not asked',
    };
    this.snapshots.push(snapshot);
    return snapshot;
  }

  async #put(life: Life, { snapshotId, blocks }: KnownSnapshot, index: number): Promise<void> {
    this.#content += 1;
    const block = Buffer.alloc(BLOCK_SIZE, `content ${this.#content} `);
    const digest = createHash('sha256').update(block).digest('base64');
    const known = blocks.get(index) ?? { attempted: new Set() };
    blocks.set(index, known);
    known.attempted.add(digest);
    await life.step('Put', ({ client }) =>
      client.send(
        new PutSnapshotBlockCommand({
          SnapshotId: snapshotId,
          BlockIndex: index,
          BlockData: block,
          DataLength: BLOCK_SIZE,
          Checksum: digest,
          ChecksumAlgorithm: 'SHA256',
        }),
      ),
    );
    blocks.set(index, { acknowledged: digest, attempted: new Set() });
    this.acknowledgedPuts += 1;
  }

  async #complete(life: Life, snapshot: KnownSnapshot): Promise<void> {
    const { snapshotId: SnapshotId, blocks } = snapshot;
    const aggregate = createHash('sha256');
    for (const [, { acknowledged = '' }] of [...blocks].sort(([a], [b]) => a - b)) {
      aggregate.update(Buffer.from(acknowledged, 'base64'));
    }
    snapshot.completion = 'asked';
    await life.step('Complete', ({ client }) =>
      client.send(
        new CompleteSnapshotCommand({
          SnapshotId,
          ChangedBlocksCount: blocks.size,
          Checksum: aggregate.digest('base64'),
          ChecksumAlgorithm: 'SHA256',
          ChecksumAggregationMethod: 'LINEAR',
        }),
      ),
    );
    snapshot.completion = 'acknowledged';
  }

  async #delete(life: Life, snapshot: KnownSnapshot): Promise<void> {
    snapshot.deletion = 'asked';
    await life.step('Delete', async ({ endpoint }) => {
      const request = { method: 'POST', url: '/', service: 'ec2' };
      const answer = await fetch(endpoint, {
        method: 'POST',
        headers: signHeaders(endpoint, request),
        body: `Action=DeleteSnapshot&Version=2016-11-15&SnapshotId=${snapshot.snapshotId}`,
      });
      if (!answer.ok) throw new Error(await answer.text());
    });
    snapshot.deletion = 'acknowledged';
  }
}

/** One server from its start to its violent end. */
class Life {
  readonly #server: Server;
  readonly #moment: Moment;
  #seen = 0;
  #isOver = false;
  /** What a living server refused. */
  #refusal: unknown;

  constructor(server: Server, moment: Moment) {
    this.#server = server;
    this.#moment = moment;
  }

  /** Makes a call, and kills the server when this is the moment. */
  async step<T>(name: Call, call: (server: Server) => Promise<T>): Promise<T> {
    try {
      const answer = call(this.#server);
      // The call goes out whatever becomes of the server meanwhile.
      void this.#note(`ask ${name}`);
      const result = await answer;
      void this.#note(`answer ${name}`);
      return result;
    } catch (error) {
      if (!this.#isOver) this.#refusal = error;
      this.#end();
      throw error;
    }
  }

  /** @throws what the server refused before it was killed: it should have refused nothing. */
  checkRefusal(): void {
    if (this.#refusal !== undefined) throw this.#refusal as Error;
  }

  async #note(step: Step): Promise<void> {
    if (step !== this.#moment.step) return;
    this.#seen += 1;
    if (this.#seen !== this.#moment.count) return;
    for (let n = 0; n < this.#moment.turns; n += 1) await turn();
    this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#server.kill();
  }
}

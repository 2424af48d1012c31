/** How the text of a flag becomes a value; see parse-value.ts. */
export type FlagKind =
  | 'switch'
  | 'text'
  | 'number'
  | 'size'
  | 'rate'
  | 'tag'
  | 'url'
  | 'port'
  | 'json'
  | 'range'
  | 'files';

/** One flag, as `--help`, the parser, docs/cli.md and the error messages all know it. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: FlagKind;
  /** What stands for the value in `--help`; absent for a switch. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly description: string;
  /** The library option that takes the value, so that its messages can name the flag instead. */
  readonly option?: string;
}

/** One positional argument. */
export interface Argument {
  readonly name: string;
  readonly description: string;
  readonly optional?: true;
  /** As in {@link Flag}. */
  readonly option?: string;
}

/** One command. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly Argument[];
  readonly flags: readonly Flag[];
  /** Command lines for `--help`, without the program's name. */
  readonly examples: readonly string[];
}

const OUTPUT = [
  { name: 'json', kind: 'switch', description: 'print one JSON object a line on stdout' },
  { name: 'quiet', kind: 'switch', description: 'print errors alone on stderr' },
  { name: 'no-progress', kind: 'switch', description: 'show no bar and no progress lines' },
] as const satisfies readonly Flag[];

const CONNECTION = [
  {
    name: 'region',
    kind: 'text',
    value: 'REGION',
    description: 'AWS region; default AWS_REGION, AWS_DEFAULT_REGION, then the profile',
  },
  { name: 'profile', kind: 'text', value: 'NAME', description: 'profile of the AWS config files' },
  {
    name: 'endpoint-url',
    kind: 'url',
    value: 'URL',
    description: 'talk to this endpoint instead of AWS',
  },
  {
    name: 'local',
    kind: 'text',
    value: 'DIR',
    description: 'need no account: run the local service on DIR inside this process',
  },
] as const satisfies readonly Flag[];

const CAPS = [
  {
    name: 'max-rate',
    kind: 'rate',
    value: 'BYTES/s',
    description: 'cap on block bytes a second (K M G T are powers of two)',
    option: 'maxBytesPerSecond',
  },
  {
    name: 'max-requests',
    kind: 'number',
    value: 'N',
    description: 'cap on requests a second',
    option: 'maxRequestsPerSecond',
  },
  {
    name: 'memory',
    kind: 'size',
    value: 'BYTES',
    description: 'bytes of block buffers held at one time (default 128M)',
    option: 'maxInFlightBytes',
  },
  {
    name: 'transport',
    kind: 'text',
    value: 'lean|sdk',
    choices: ['lean', 'sdk'],
    description: "`lean` (default): sockets of the library's own; `sdk`: those of the AWS SDK",
    option: 'transport',
  },
] as const satisfies readonly Flag[];

/** What a snapshot is, but for the size of its volume. */
const SNAPSHOT = [
  {
    name: 'parent-snapshot-id',
    kind: 'text',
    value: 'SNAPSHOT',
    description: 'snapshot that this one descends from',
    option: 'params.ParentSnapshotId',
  },
  {
    name: 'kms-key-arn',
    kind: 'text',
    value: 'ARN',
    description: 'KMS key to encrypt with: a key ARN, not an alias',
    option: 'params.KmsKeyArn',
  },
  {
    name: 'client-token',
    kind: 'text',
    value: 'TOKEN',
    description: 'idempotency token of StartSnapshot; default a new UUID',
    option: 'params.ClientToken',
  },
  {
    name: 'timeout',
    kind: 'number',
    value: 'MINUTES',
    description: 'minutes without a block after which AWS gives up (10 to 4320)',
    option: 'params.Timeout',
  },
  {
    name: 'description',
    kind: 'text',
    value: 'TEXT',
    description: 'description of the snapshot',
    option: 'params.Description',
  },
  {
    name: 'encrypted',
    kind: 'switch',
    description: 'encrypt, with the default key unless --kms-key-arn names one',
    option: 'params.Encrypted',
  },
  {
    name: 'tag',
    kind: 'tag',
    value: 'KEY=VALUE',
    description: 'tag of the snapshot; repeat for more',
    option: 'params.Tags',
  },
] as const satisfies readonly Flag[];

const WAIT = {
  name: 'wait',
  kind: 'text',
  value: 'accepted|completed',
  choices: ['accepted', 'completed'],
  description: 'when it is done: readable (default), or merely accepted',
  option: 'waitUntil',
} as const satisfies Flag;

/** Flags about a new snapshot, and how it is made. */
const NEW_SNAPSHOT = [
  ...SNAPSHOT,
  WAIT,
  {
    name: 'on-failure',
    kind: 'text',
    value: 'keep|delete',
    choices: ['keep', 'delete'],
    description: 'what becomes of a snapshot that could not be finished (default keep)',
    option: 'onFailure',
  },
  {
    name: 'manifest',
    kind: 'text',
    value: 'FILE',
    description: 'remember in FILE what was sent, so that the upload can go on after anything',
    option: 'manifest',
  },
  {
    name: 'resume',
    kind: 'switch',
    description: 'go on with the upload of --manifest, or begin it',
    option: 'resume',
  },
  {
    name: 'base',
    kind: 'text',
    value: 'FILE',
    description: 'manifest of the parent: send only what differs from it',
    option: 'base',
  },
  {
    name: 'verify',
    kind: 'switch',
    description: 'read the snapshot back when it is completed, and compare',
    option: 'verify',
  },
] as const satisfies readonly Flag[];

/** Flags of `start`. */
export const START_FLAGS = [
  {
    name: 'volume-size',
    kind: 'number',
    value: 'GiB',
    description: 'size of the volume',
    option: 'params.VolumeSize',
  },
  ...SNAPSHOT,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `complete`. */
export const COMPLETE_FLAGS = [
  {
    name: 'manifest',
    kind: 'files',
    value: 'FILE...',
    description: 'the manifests of all parts, in any order',
    option: 'manifests',
  },
  WAIT,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `upload`. */
export const UPLOAD_FLAGS = [
  {
    name: 'volume-size',
    kind: 'number',
    value: 'GiB',
    description: 'size of the volume; default the source rounded up; needed for `-`',
    option: 'params.VolumeSize',
  },
  {
    name: 'zero-blocks',
    kind: 'text',
    value: 'write|omit',
    choices: ['write', 'omit'],
    description: 'send zero blocks (default), or leave them out where that is safe',
    option: 'zeroBlocks',
  },
  ...NEW_SNAPSHOT,
  {
    name: 'changed',
    kind: 'text',
    value: 'FILE',
    description: 'ranges that differ from the parent (JSON, - for stdin): read nothing else',
    option: 'changed',
  },
  {
    name: 'snapshot-id',
    kind: 'text',
    value: 'SNAPSHOT',
    description: 'write a part of a snapshot that `start` has started; `complete` ends it',
    option: 'snapshotId',
  },
  {
    name: 'range',
    kind: 'range',
    value: 'FIRST:LAST',
    description: 'blocks of 512 KiB that the part writes, both included; either may be left out',
    option: 'range',
  },
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `download`. */
export const DOWNLOAD_FLAGS = [
  {
    name: 'target-is-zero',
    kind: 'switch',
    description: 'clear nothing: the target reads as zeros already',
    option: 'targetIsZero',
  },
  {
    name: 'force',
    kind: 'switch',
    description: 'write over an existing file or a block device',
    option: 'force',
  },
  {
    name: 'manifest',
    kind: 'text',
    value: 'FILE',
    description: 'remember in FILE what was written; default TARGET.ebs-manifest',
    option: 'manifest',
  },
  {
    name: 'keep-manifest',
    kind: 'switch',
    description: 'keep that file when all is done, as a --base for later',
    option: 'keepManifest',
  },
  {
    name: 'base',
    kind: 'text',
    value: 'FILE',
    description: 'manifest of what TARGET holds: bring only what has changed since',
    option: 'base',
  },
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `copy`. */
export const COPY_FLAGS = [
  {
    name: 'to-region',
    kind: 'text',
    value: 'REGION,...',
    description: 'region of the copy; several, with commas, get one each from one reading',
  },
  {
    name: 'to-profile',
    kind: 'text',
    value: 'NAME',
    description: 'profile to write the copy with; default that of --profile',
  },
  {
    name: 'to-endpoint-url',
    kind: 'url',
    value: 'URL',
    description: 'endpoint to write the copy to; default that of the region',
  },
  ...NEW_SNAPSHOT,
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `verify`. */
export const VERIFY_FLAGS = [
  {
    name: 'manifest',
    kind: 'text',
    value: 'FILE',
    description: 'compare with what the upload recorded in FILE',
    option: 'manifest',
  },
  {
    name: 'offline',
    kind: 'switch',
    description: 'ask the service for nothing: compare SOURCE with --manifest',
    option: 'offline',
  },
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `diff`. */
export const DIFF_FLAGS = [
  {
    name: 'by-digest',
    kind: 'switch',
    description: 'read what was written, and leave out what is the same on both sides',
    option: 'byDigest',
  },
  { name: 'exit-code', kind: 'switch', description: 'end with 4 when the two differ' },
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `manifest`. */
export const MANIFEST_FLAGS = [
  {
    name: 'output',
    kind: 'text',
    value: 'FILE',
    description: 'the file to make; needed',
    option: 'manifest',
  },
  {
    name: 'resume',
    kind: 'switch',
    description: 'go on with an --output that was begun, or begin it',
    option: 'resume',
  },
  ...CAPS,
  ...CONNECTION,
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `serve`. */
export const SERVE_FLAGS = [
  {
    name: 'data',
    kind: 'text',
    value: 'DIR',
    description: 'folder that keeps the snapshots; default a temporary one, removed at the end',
  },
  {
    name: 'port',
    kind: 'port',
    value: 'N',
    description: 'port to listen on; default 0, any free port',
  },
  {
    name: 'host',
    kind: 'text',
    value: 'HOST',
    description: 'address to listen on; default 127.0.0.1',
  },
  {
    name: 'region',
    kind: 'text',
    value: 'REGION',
    description: 'region that requests are signed for; default any',
  },
  {
    name: 'hostility',
    kind: 'json',
    value: 'JSON',
    description: 'how to misbehave, or @FILE that says so; default not at all',
    option: 'hostility',
  },
  ...OUTPUT,
] as const satisfies readonly Flag[];

/** Flags of `demo`. */
export const DEMO_FLAGS = OUTPUT;

/** Every command, once: the parser, `--help`, docs/cli.md and the tests read this table. */
export const COMMANDS = [
  {
    name: 'upload',
    summary: 'make a snapshot of a file, a block device or stdin, and print its id',
    arguments: [
      { name: 'SOURCE', description: 'file, block device, or - for stdin', option: 'source' },
    ],
    flags: UPLOAD_FLAGS,
    examples: [
      'upload disk.img --tag Name=web --description "web, before the upgrade"',
      'upload /dev/nvme1n1 --region eu-central-1 --encrypted',
      'upload - --volume-size 8 < disk.img',
      'upload disk.img --local ./snapshots',
      'upload disk.img --manifest disk.manifest --resume',
    ],
  },
  {
    name: 'start',
    summary: 'start a snapshot that several processes write, and print its id',
    arguments: [],
    flags: START_FLAGS,
    examples: ['start --volume-size 64 --tag Name=web'],
  },
  {
    name: 'complete',
    summary: 'complete a snapshot that several processes have written',
    arguments: [{ name: 'SNAPSHOT', description: 'id of the snapshot', option: 'snapshotId' }],
    flags: COMPLETE_FLAGS,
    examples: ['complete snap-0123456789abcdef0 --manifest part-*'],
  },
  {
    name: 'download',
    summary: 'restore a snapshot into a file, a block device or stdout',
    arguments: [
      { name: 'SNAPSHOT', description: 'id of the snapshot', option: 'snapshotId' },
      { name: 'TARGET', description: 'file, block device, or - for stdout', option: 'target' },
    ],
    flags: DOWNLOAD_FLAGS,
    examples: [
      'download snap-0123456789abcdef0 disk.img',
      'download snap-0123456789abcdef0 /dev/nvme2n1 --force',
      'download snap-0123456789abcdef0 disk.img --base disk.img.ebs-manifest',
      'download snap-0123456789abcdef0 - | gzip > disk.img.gz',
    ],
  },
  {
    name: 'verify',
    summary: 'compare a snapshot with a source, a manifest, or its own digests',
    arguments: [
      { name: 'SNAPSHOT', description: 'id of the snapshot', option: 'snapshotId' },
      {
        name: 'SOURCE',
        description: 'file, block device, or - for stdin',
        optional: true,
        option: 'source',
      },
    ],
    flags: VERIFY_FLAGS,
    examples: [
      'verify snap-0123456789abcdef0',
      'verify snap-0123456789abcdef0 disk.img',
      'verify snap-0123456789abcdef0 --manifest disk.manifest',
      'verify snap-0123456789abcdef0 disk.img --manifest disk.manifest --offline',
    ],
  },
  {
    name: 'diff',
    summary: 'print the ranges in which a snapshot differs from another',
    arguments: [
      {
        name: 'FIRST',
        description: 'id of the snapshot to compare with',
        option: 'firstSnapshotId',
      },
      { name: 'SECOND', description: 'id of the snapshot to compare', option: 'secondSnapshotId' },
    ],
    flags: DIFF_FLAGS,
    examples: [
      'diff snap-0123456789abcdef0 snap-0fedcba9876543210',
      'diff snap-0123456789abcdef0 snap-0fedcba9876543210 --by-digest --json',
    ],
  },
  {
    name: 'copy',
    summary: 'copy a snapshot to other regions or accounts, and print the ids of the copies',
    arguments: [
      { name: 'SNAPSHOT', description: 'id of the snapshot to copy', option: 'snapshotId' },
    ],
    flags: COPY_FLAGS,
    examples: [
      'copy snap-0123456789abcdef0 --region us-east-1 --to-region eu-central-1',
      'copy snap-0123456789abcdef0 --to-profile backup --encrypted --manifest copy.manifest --resume',
      'copy snap-0123456789abcdef0 --to-region eu-west-1,us-west-2 --manifest {region}.manifest',
    ],
  },
  {
    name: 'manifest',
    summary: 'build the manifest of a snapshot, as the --base of the next upload',
    arguments: [
      { name: 'SNAPSHOT', description: 'id of the completed snapshot', option: 'snapshotId' },
    ],
    flags: MANIFEST_FLAGS,
    examples: [
      'manifest snap-0123456789abcdef0 --output parent.manifest',
      'manifest snap-0123456789abcdef0 --output parent.manifest --resume',
    ],
  },
  {
    name: 'serve',
    summary: 'run the local service, for trying things out and for tests',
    arguments: [],
    flags: SERVE_FLAGS,
    examples: [
      'serve --data ./snapshots --port 8733',
      'serve --hostility \'{"faults":{"reset":0.01}}\'',
    ],
  },
  {
    name: 'demo',
    summary: 'upload and download a disk image on the local service, and compare',
    arguments: [
      {
        name: 'PATH',
        description: 'a disk image to read instead of a made one',
        optional: true,
      },
    ],
    flags: DEMO_FLAGS,
    examples: ['demo', 'demo disk.img'],
  },
] as const satisfies readonly Command[];

/** The name of a command. */
export type CommandName = (typeof COMMANDS)[number]['name'];

/** One tag, as StartSnapshot takes it. */
export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

interface Values {
  readonly switch: boolean;
  readonly text: string;
  readonly number: number;
  readonly size: number;
  readonly rate: number;
  readonly tag: Tag[];
  readonly url: string;
  readonly port: number;
  readonly json: unknown;
  readonly range: { readonly firstBlock?: number; readonly endBlock?: number };
  readonly files: string[];
}

type CamelCase<Name extends string> = Name extends `no-${infer Rest}`
  ? CamelCase<Rest>
  : Name extends `${infer Head}-${infer Tail}`
    ? `${Head}${Capitalize<CamelCase<Tail>>}`
    : Name;

type ValueOf<F extends Flag> = F extends { choices: readonly (infer Choice)[] }
  ? Choice
  : Values[F['kind']];

/** The values of a command's flags by camelCase name; a flag that was not given is absent. */
export type FlagValues<Flags extends readonly Flag[]> = {
  readonly [F in Flags[number] as CamelCase<F['name']>]?: ValueOf<F>;
};

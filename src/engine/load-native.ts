import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { SnapshotError } from '../base/errors.ts';
import { BINDING_VERSION, type NativeBinding } from './native-binding.ts';

/** The package's root, seen from src/engine and from dist/engine alike. */
const ROOT_URL = new URL('../../', import.meta.url);

const load = createRequire(import.meta.url);

/**
 * Loads the addon: from `path` when given, otherwise from prebuilds/ (as released), otherwise from build/Release (as
 * compiled in a checkout).
 * @throws {SnapshotError} ERR_EBS_ENGINE naming each file that was tried, why it did not serve, and what to do.
 */
export function loadNative(path?: string): NativeBinding {
  const attempts: string[] = [];
  for (const candidate of path === undefined ? defaultPaths() : [path]) {
    try {
      return checkVersion(load(candidate) as NativeBinding);
    } catch (error) {
      attempts.push(`${candidate} (${firstLine(error)})`);
    }
  }
  throw new SnapshotError(
    'ERR_EBS_ENGINE',
    `The native engine could not be loaded. Tried: ${attempts.join('; ')}. ` +
      "Run 'npm run build:native' in the package's folder to compile it, or choose the engine 'js'",
  );
}

function defaultPaths(): string[] {
  const prebuilt = `prebuilds/${process.platform}-${process.arch}/ebs_snapshot_stream.node`;
  const built = 'build/Release/ebs_snapshot_stream.node';
  return [prebuilt, built].map((path) => fileURLToPath(new URL(path, ROOT_URL)));
}

function checkVersion(binding: NativeBinding): NativeBinding {
  if (binding.version === BINDING_VERSION) return binding;
  throw new Error(`built for version ${binding.version} of the binding, not ${BINDING_VERSION}`);
}

function firstLine(error: unknown): string {
  const [line = ''] = String(error instanceof Error ? error.message : error).split('\n');
  return line;
}

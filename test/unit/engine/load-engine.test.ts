import { copyFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BLOCK_SIZE } from '../../../src/base/constants.ts';
import { SnapshotError } from '../../../src/base/errors.ts';
import { loadEngine } from '../../../src/engine/load-engine.ts';
import { loadNative } from '../../../src/engine/load-native.ts';
import { NativeEngine } from '../../../src/engine/native-engine.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ADDON = fileURLToPath(
  new URL('../../../build/Release/ebs_snapshot_stream.node', import.meta.url),
);

describe('loadEngine', () => {
  it('loads the native engine without being asked', () => {
    const onWarning = vi.fn();
    expect(loadEngine({ onWarning }).name).toBe('native');
    expect(onWarning).not.toHaveBeenCalled();
  });

  it('loads the engine that is named', () => {
    expect(loadEngine({ engine: 'native' }).name).toBe('native');
    expect(loadEngine({ engine: 'js' }).name).toBe('js');
  });

  it('falls back to JavaScript, and says so', async () => {
    const onWarning = vi.fn();
    const nativePath = join(await temporaryFolder(), 'absent.node');
    expect(loadEngine({ nativePath, onWarning }).name).toBe('js');
    expect(onWarning).toHaveBeenCalledOnce();
    expect(onWarning).toHaveBeenCalledWith(expect.stringContaining('slower JavaScript engine'));
  });

  it('warns the process when nobody else listens', async () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onTestFinished(() => emitWarning.mockRestore());
    const nativePath = join(await temporaryFolder(), 'absent.node');
    expect(loadEngine({ engine: 'auto', nativePath }).name).toBe('js');
    expect(emitWarning).toHaveBeenCalledWith(expect.stringContaining(nativePath), {
      code: 'EBS_JS_ENGINE',
    });
  });

  it('does not fall back when the native engine is demanded', async () => {
    const nativePath = join(await temporaryFolder(), 'absent.node');
    const onWarning = vi.fn();
    expect(() => loadEngine({ engine: 'native', nativePath, onWarning })).toThrow(SnapshotError);
    expect(onWarning).not.toHaveBeenCalled();
  });
});

describe('loadNative', () => {
  it('says what it tried, why that failed and what to do', async () => {
    const folder = await temporaryFolder();
    const absent = join(folder, 'absent.node');
    const broken = join(folder, 'broken.node');
    await writeFile(broken, 'not a library');
    for (const [path, reason] of [
      [absent, 'Cannot find module'],
      [broken, 'file too short'],
    ] as const) {
      const error = failureOf(() => loadNative(path));
      expect(error).toMatchObject({ code: 'ERR_EBS_ENGINE', retryable: false });
      expect(error.message).toContain(`Tried: ${path} (`);
      expect(error.message).toContain(reason);
      expect(error.message).toContain('npm run build:native');
      expect(error.message).not.toContain('\n');
    }
  });

  it('does not call an addon of another version', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'other.cjs');
    await writeFile(path, 'module.exports = { version: 0 };');
    expect(() => loadNative(path)).toThrow('built for version 0 of the binding');
  });

  it('works beside a second copy of the addon', async () => {
    const copy = join(await temporaryFolder(), 'copy.node');
    await copyFile(ADDON, copy);
    const engines = [loadNative(), loadNative(copy)].map((binding) => new NativeEngine(binding));
    const block = Buffer.alloc(BLOCK_SIZE, 'x');
    const [[first] = [], [second] = []] = await Promise.all(
      engines.map((engine) => engine.inspect([block])),
    );
    expect(first).toEqual(second);
    expect(createRequire(import.meta.url)(copy)).not.toBe(createRequire(import.meta.url)(ADDON));
  });
});

describe('NativeEngine', () => {
  it('refuses a kernel that is not there', () => {
    const binding = loadNative();
    expect(() => new NativeEngine(binding, { sha256: 'abacus' })).toThrow(RangeError);
    expect(() => new NativeEngine(binding, { zeroScan: 'abacus' })).toThrow('got abacus');
  });
});

function failureOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown');
}

import type { Engine } from './engine.ts';
import { JsEngine } from './js-engine.ts';
import { loadNative } from './load-native.ts';
import { NativeEngine } from './native-engine.ts';

/** Which engine to load, and whom to tell when it is not the fast one. */
export interface LoadEngineOptions {
  /** Default 'auto': the native engine, or the JavaScript one with a warning. */
  readonly engine?: 'native' | 'js' | 'auto';
  /** Told, once for each call, that the slow engine serves. Default: `process.emitWarning`. */
  readonly onWarning?: (message: string) => void;
  /** A file to load the addon from in place of the usual places. */
  readonly nativePath?: string;
}

/**
 * Loads an engine.
 * @throws {SnapshotError} ERR_EBS_ENGINE when 'native' is asked for and cannot be loaded.
 */
export function loadEngine(options: LoadEngineOptions = {}): Engine {
  const { engine = 'auto', nativePath, onWarning = emitWarning } = options;
  if (engine === 'js') return new JsEngine();
  try {
    return new NativeEngine(loadNative(nativePath));
  } catch (error) {
    if (engine === 'native') throw error;
    onWarning(`${(error as Error).message}. Going on with the slower JavaScript engine.`);
    return new JsEngine();
  }
}

function emitWarning(message: string): void {
  process.emitWarning(message, { code: 'EBS_JS_ENGINE' });
}

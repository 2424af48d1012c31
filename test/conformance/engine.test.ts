import { JsEngine } from '../../src/engine/js-engine.ts';
import { loadNative } from '../../src/engine/load-native.ts';
import { NativeEngine } from '../../src/engine/native-engine.ts';
import { describeEngine } from './engine-suite.ts';
import { describeWriter } from './writer-suite.ts';

describeEngine('js', () => new JsEngine());

const binding = loadNative();
for (const sha256 of binding.sha256Kernels) {
  for (const zeroScan of binding.zeroScanKernels) {
    const name = `native, ${sha256} and ${zeroScan}`;
    describeEngine(name, () => new NativeEngine(binding, { sha256, zeroScan }));
  }
}

describeWriter('js', () => new JsEngine());
describeWriter('native', () => new NativeEngine(binding));

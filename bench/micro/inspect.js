// Zero scan and SHA-256 of whole blocks: the engines beside node:crypto, as ratios of one run.
import { createHash, randomBytes } from 'node:crypto';
import Benchmark from 'benchmark';
import { loadEngine } from '../../dist/engine/load-engine.js';

const BLOCK_COUNT = 16;
const blocks = Array.from({ length: BLOCK_COUNT }, () => randomBytes(524_288));

const contender = (engine) => ({
  defer: true,
  fn: (deferred) => void engine.inspect(blocks).then(() => deferred.resolve()),
});

const suite = new Benchmark.Suite()
  .add('node:crypto', () => {
    for (const block of blocks) createHash('sha256').update(block).digest();
  })
  .add('js engine', contender(loadEngine({ engine: 'js' })))
  .add('native engine', contender(loadEngine({ engine: 'native' })));

suite.on('complete', () => {
  const results = Array.from(suite);
  const baseline = results[0].hz;
  for (const { name, hz, stats } of results) {
    const gibPerSecond = (hz * BLOCK_COUNT * 524_288) / 2 ** 30;
    const row = [name.padEnd(14), `${gibPerSecond.toFixed(2)} GiB/s`, `±${stats.rme.toFixed(1)} %`];
    console.log([...row, `${(hz / baseline).toFixed(2)} × node:crypto`].join('   '));
  }
});
suite.run({ async: true });

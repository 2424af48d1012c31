/** Ours: TARGET SNAPSHOT. One call of the library; with "-" for TARGET a reader whose blocks are dropped. */
import { restoreSnapshot, SnapshotReader } from '../../dist/index.js';
import { spentOn } from './trial.js';

/** The service's quota is not what is measured. */
const NO_CAP = 1e6;

const [target, snapshotId] = process.argv.slice(2);
const options = { snapshotId, engine: 'native', maxRequestsPerSecond: NO_CAP };
const work = () => (target === '-' ? drop() : restoreSnapshot({ ...options, target }));
console.log(JSON.stringify(await spentOn(work)));

async function drop() {
  for await (const block of new SnapshotReader(options)) block.release();
}

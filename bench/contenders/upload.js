/** Ours: PATH TRANSPORT. One call of the library, with the client that it makes from the environment. */
import { uploadSnapshot } from '../../dist/index.js';
import { spentOn } from './trial.js';

/** The service's quota is not what is measured. */
const NO_CAP = 1e6;

const [source, transport] = process.argv.slice(2);
const options = { source, transport, engine: 'native', maxRequestsPerSecond: NO_CAP };
console.log(JSON.stringify(await spentOn(() => uploadSnapshot(options))));

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compare, run as runProgram, whileListening } from '../harness.js';

export const summary = 'blocks put to and read from the local service, over loopback';

const CONNECTIONS = 8;
const CONTENDERS = join(import.meta.dirname, '../contenders');
const COMMAND = join(import.meta.dirname, '../../dist/cli/main.js');
/** What a process that has just started does first: it tells how fast that is, and warms the process up. */
const COLD_MIB = 1024;
/** The service is measured, not the disk below it. */
const MEMORY_FOLDER = '/dev/shm';

/** @param {import('../harness.js').Settings} settings */
export async function run({ rounds = 5, sizeMiB = 3072, folder }) {
  const home = existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : folder;
  const contenders = [
    { role: 'ours', name: 'ebs-snapshot serve', measure: () => measureService({ home, sizeMiB }) },
    { role: 'bound', name: 'node:http, nothing kept', measure: () => measureBare({ sizeMiB }) },
  ];
  const title = `${sizeMiB} MiB over ${CONNECTIONS} connections after ${COLD_MIB} MiB cold, data in ${home}`;
  return [await compare({ title, rounds, contenders })];
}

async function measureService({ home, sizeMiB }) {
  const parent = mkdtempSync(join(home, 'ebs-bench-'));
  try {
    return await measure([COMMAND, 'serve', '--data', join(parent, 'data')], sizeMiB, []);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

async function measureBare({ sizeMiB }) {
  return await measure([join(CONTENDERS, 'bare-service.js')], sizeMiB, ['bare']);
}

/** Service and client each have a process of their own. */
async function measure(command, sizeMiB, clientWords) {
  // The default credentials are what the client signs with.
  const env = { PATH: process.env.PATH };
  return await whileListening(process.execPath, command, { env }, async ({ endpoint, pid }) => {
    const sizes = [COLD_MIB, sizeMiB].map((mib) => mib * 2 ** 20);
    const load = [endpoint, pid, ...sizes, CONNECTIONS, ...clientWords];
    const words = [join(CONTENDERS, 'ebs-load.js'), ...load.map(String)];
    return JSON.parse(await runProgram(process.execPath, words));
  });
}

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { arch, platform, version, versions } from 'node:process';

/**
 * Describes where and with what figures come about: without it a figure says nothing.
 * @returns {Record<string, unknown>}
 */
export function describeMachine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cpuCount: cpus().length,
    memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
    kernel: `${platform} ${release()} ${arch}`,
    node: version,
    openssl: versions.openssl,
    compiler: firstLineOf(process.env.CXX ?? 'g++', ['--version']),
    fio: firstLineOf('fio', ['--version']),
    commit: firstLineOf('git', ['rev-parse', 'HEAD']),
    uncommittedFiles: linesOf('git', ['status', '--porcelain']).length,
    loadAverage: loadavg(),
  };
}

function firstLineOf(command, args) {
  return linesOf(command, args)[0] ?? null;
}

/** No lines when the command is not there. */
function linesOf(command, args) {
  try {
    const cwd = import.meta.dirname;
    const text = execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
    return text.split('\n').filter((line) => line !== '');
  } catch {
    return [];
  }
}

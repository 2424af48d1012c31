/**
 * Every benchmark by name, with the module that has `summary` and `run`.
 * @type {Record<'micro' | 'macro', Record<string, string>>}
 */
export const CATALOGUE = {
  micro: {
    scan: './micro/scan.js',
    hash: './micro/hash.js',
    'scan-hash': './micro/scan-hash.js',
    hop: './micro/hop.js',
    pool: './micro/pool.js',
  },
  macro: {
    read: './macro/read.js',
    'main-thread': './macro/main-thread.js',
    upload: './macro/upload.js',
    download: './macro/download.js',
    'local-service': './macro/local-service.js',
    'control-law': './macro/control-law.js',
  },
};

/**
 * Returns the benchmarks that `word` means: itself, or all of its group.
 * @param {string} word
 * @returns {string[]}
 * @throws {RangeError} for a word that means none.
 */
export function namesOf(word) {
  const names = word in CATALOGUE ? Object.keys(CATALOGUE[word]) : [word];
  if (names.every((name) => moduleOf(name) !== undefined)) return names;
  throw new RangeError(`Expected a benchmark or group of benchmarks, got ${word}`);
}

/**
 * Loads a benchmark.
 * @param {string} name
 * @returns {Promise<import('./harness.js').Benchmark>}
 */
export async function loadBenchmark(name) {
  return await import(moduleOf(name));
}

function moduleOf(name) {
  return CATALOGUE.micro[name] ?? CATALOGUE.macro[name];
}

/** A chance: the same number in [0, 1) each time for the same word, another one for each other word. */
export type Draw = (what: string) => number;

/**
 * Makes the chances of one subject. Each depends on seed, subject and word alone, not on what was drawn before: a request
 * meets the same fate in whatever order requests arrive, and changing the rate of one fault moves no other.
 */
export function drawFor(seed: number, subject: string): Draw {
  const start = hashText(seed >>> 0, subject);
  return (what) => finish(hashText(start, what)) / 4_294_967_296;
}

/** A seed for who gave none. */
export function newSeed(): number {
  return Math.floor(Math.random() * 4_294_967_296);
}

/** FNV-1a. */
function hashText(start: number, text: string): number {
  let hash = (start ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  return finish(hash);
}

/** MurmurHash3's finalizer: spreads what FNV leaves in the low bits. */
function finish(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

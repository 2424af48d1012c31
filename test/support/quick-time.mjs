/**
 * Loaded by `node --import` before a command, so that it spends minutes without the network in a second: from SIGUSR2 on
 * its clock and its pauses go 300 times as fast. Silence on a socket counts 300 times from the beginning, for a socket's
 * limit cannot be changed from here once it is set; a request that is dropped for it is sent again.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

const SPEED = 300;

const timers = createRequire(import.meta.url)('node:timers/promises');
const sleep = timers.setTimeout;
const now = performance.now.bind(performance);
const { setTimeout: limitSilence } = Socket.prototype;
let speed = 1;
let sinceMs = 0;
let elapsedMs = 0;

performance.now = () => elapsedMs + (now() - sinceMs) * speed;
timers.setTimeout = (ms, ...rest) => sleep(ms / speed, ...rest);
syncBuiltinESMExports();
Socket.prototype.setTimeout = function (ms, ...rest) {
  return limitSilence.call(this, Math.ceil(ms / SPEED), ...rest);
};

process.on('SIGUSR2', () => {
  elapsedMs = performance.now();
  sinceMs = now();
  speed = SPEED;
});

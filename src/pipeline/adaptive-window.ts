import { Cohort, type CohortSummary } from './cohort.ts';
import { PathErrors } from './path-errors.ts';
import { Probe } from './probe.ts';
import type { Outcome, Window, WindowAttempt } from './window.ts';

const START_SIZE = 8;
const SIZE_MIN = 2;
/** One pipe-full queued: a freed link is used at once, and growth needs no probing of its own. */
const GAIN = 2;
const ADD = 4;
/** Bounds of one step, up and down. */
const STEP_MAX = 2;
const STEP_MIN = 0.8;

/** Least time between two verdicts: in none, nothing can be said of what limited, and the start would end. */
const VERDICT_MS = 50;

const START_COHORT_MIN = 16;
const START_COHORT_MAX = 64;
const RUN_COHORT_MIN = 32;
const RUN_COHORT_MAX = 256;

/**
 * The start ends when the median is this many times the least one, and as many of its standard errors more: without
 * those, an unlucky cohort ends it on wide latencies (random paths: worst 83 %).
 */
const SLOW = 2;
const SLOW_ERRORS = 1.5;
/**
 * A first median above this, most of it on the way of the body, is a queue of our own making, which later ones could not
 * show: without the probe it calls for, 52 are in flight in scenario '4.8 MiB/s'. A service that is merely distant must
 * not be probed so early: 86 % in scenario 'distant'.
 */
const LOADED_MS = 250;
/**
 * Round trips that TCP's slow start takes for a block on a new connection (RFC 6928: 10 segments at first), and two more: so
 * long is no queue on the way of a body.
 */
const SLOW_START_ROUNDS = 8;
/**
 * A shrink to this part of the size calls for a probe first: the path may only have become longer (61 % without, in
 * scenario 'latency x 4').
 */
const SHRINK = 0.6;

/** Latencies up to this many times the unloaded one show that it still holds. */
const LOW = 1.2;
/**
 * Without such for so long, a probe asks whether the path has become longer by less than a shrink would tell: 93 %
 * without, in scenario 'latency x 3'.
 */
const STALE_MS_MIN = 60_000;
const STALE_MEDIANS = 100;

const PROBE_MS_MIN = 1000;
const PROBE_MEDIANS = 12;
const PROBE_PAUSE_MS_MIN = 5000;
const PROBE_PAUSE_BASES = 20;

/** What the window is told from outside. */
export interface AdaptiveWindowOptions {
  /** Upper bound: the blocks that memory holds. */
  readonly max: () => number;
  /** Whether the window alone brakes now. */
  readonly isLimiting: () => boolean;
  /** Milliseconds so far in which it did. */
  readonly limitingMs: (nowMs: number) => number;
}

/**
 * A window that follows the path. By Little's law, `inFlight * baseMs / medianMs` is what the path needs in flight
 * without a queue; the window aims at {@link GAIN} times that. Medians, because a mean follows the few answers that
 * take seconds.
 *
 * It starts by doubling each round (mode 'start'), until latency says that a queue has come up, or something else
 * brakes. Then it steps to its aim at each verdict over a cohort ('run'). What it takes for the unloaded latency is
 * the least that was seen, and is measured anew by a {@link Probe} before the window shrinks by much.
 */
export class AdaptiveWindow implements Window {
  readonly #options: AdaptiveWindowOptions;
  readonly #errors = new PathErrors();
  /** Cohorts whose verdict still counts. */
  readonly #open = new Set<Cohort>();
  #mode: 'start' | 'run' = 'start';
  #size = START_SIZE;
  #inFlight = 0;
  /** Median latency of the path unloaded. */
  #baseMs = Infinity;
  /** Median latency of the last verdict. */
  #medianMs = 0;
  #cohort: Cohort | undefined;
  #probe: Probe | undefined;
  #probeEndsAtMs = 0;
  #nextProbeAtMs = 0;
  #verdictAtMs = -Infinity;
  #limitingMs = 0;
  /** When the present doubling of the start began, and from what size. */
  #growthAtMs = -Infinity;
  #growthSize = START_SIZE;
  #lowAtMs = 0;
  /** Least round trip seen; Infinity while none was told. */
  #roundTripMs = Infinity;

  constructor(options: AdaptiveWindowOptions) {
    this.#options = options;
  }

  get limit(): number {
    const size = this.#probe?.size ?? this.#size;
    return Math.max(1, Math.floor(Math.min(this.#options.max(), size)));
  }

  start(nowMs: number): WindowAttempt {
    this.#expireProbe(nowMs);
    this.#inFlight += 1;
    const inFlightAtStart = this.#inFlight;
    const cohort = this.#cohortOfStart();
    cohort?.start();
    let fromMs = nowMs;
    let flushedAtMs = nowMs;
    let isFresh = false;
    return {
      onSocket: (facts) => {
        isFresh = facts.isFresh;
        this.#roundTripMs = Math.min(this.#roundTripMs, facts.connectMs ?? Infinity);
      },
      onFirstByte: (atMs) => {
        if (isFresh) fromMs = atMs;
      },
      onFlushed: (atMs) => {
        flushedAtMs = atMs;
      },
      end: (outcome, atMs) => {
        const latencyMs = atMs - fromMs;
        const bodyMs = flushedAtMs - fromMs;
        const isBodyBound = bodyMs > latencyMs / 2 && bodyMs > this.#slowStartMs;
        const inFlight = (inFlightAtStart + this.#inFlight) / 2;
        this.#inFlight -= 1;
        if (outcome === 'ok') cohort?.answer({ latencyMs, inFlight, isBodyBound });
        else cohort?.drop();
        this.#ended(outcome, cohort, atMs);
      },
    };
  }

  /**
   * Least time between two verdicts. Running, it is a round trip: what answers sooner has not seen the last step, and the
   * window would swing about its aim (random paths: worst 84 %).
   */
  get #pauseMs(): number {
    return this.#mode === 'run' ? Math.max(VERDICT_MS, this.#medianMs) : VERDICT_MS;
  }

  get #slowStartMs(): number {
    return this.#roundTripMs === Infinity ? 0 : SLOW_START_ROUNDS * this.#roundTripMs;
  }

  #ended(outcome: Outcome, cohort: Cohort | undefined, nowMs: number): void {
    this.#expireProbe(nowMs);
    const isStarting = this.#mode === 'start' && this.#probe === undefined;
    if (outcome === 'ok' && isStarting && this.#options.isLimiting()) this.#grow(nowMs);
    if (this.#errors.shrinks(outcome, Math.max(1000, this.#medianMs), nowMs)) {
      this.#size = Math.max(SIZE_MIN, this.#size / 2);
      this.#run(nowMs);
    } else if (cohort?.isRipe === true && this.#open.delete(cohort)) {
      if (this.#probe !== undefined) this.#judgeProbe(this.#probe, cohort.summary(), nowMs);
      else if (nowMs - this.#verdictAtMs >= this.#pauseMs) this.#judge(cohort.summary(), nowMs);
    }
  }

  /** Doubles each round, but not more than that between two verdicts: a quick path would be flooded before one. */
  #grow(nowMs: number): void {
    if (nowMs - this.#growthAtMs >= VERDICT_MS) {
      this.#growthAtMs = nowMs;
      this.#growthSize = this.#size;
    }
    if (this.#size < STEP_MAX * this.#growthSize) this.#size += 1;
  }

  #judge(cohort: CohortSummary, nowMs: number): void {
    const { medianMs, errorMs, inFlight } = cohort;
    const isFirst = this.#baseMs === Infinity;
    this.#medianMs = medianMs;
    this.#baseMs = Math.min(this.#baseMs, medianMs);
    const limitingMs = this.#options.limitingMs(nowMs);
    const isLimited = limitingMs - this.#limitingMs > (nowMs - this.#verdictAtMs) / 2;
    this.#limitingMs = limitingMs;
    this.#verdictAtMs = nowMs;
    const pipe = (inFlight * this.#baseMs) / medianMs;
    const aim = GAIN * pipe + ADD;
    if (this.#mode === 'start') {
      const isLoaded = isFirst && medianMs > LOADED_MS && cohort.isBodyBound;
      if (isLoaded || medianMs > SLOW * this.#baseMs + SLOW_ERRORS * errorMs) {
        this.#size = aim;
        this.#startProbe(pipe, inFlight / medianMs, nowMs);
      } else if (!isLimited && cohort.size >= RUN_COHORT_MIN) this.#mode = 'run';
      return;
    }
    if (medianMs <= LOW * this.#baseMs) this.#lowAtMs = nowMs;
    // Bound by its source or a quota, it has room that latency says nothing of (random paths: worst 92 % without).
    if (!isLimited) return;
    const isStale = nowMs - this.#lowAtMs > Math.max(STALE_MS_MIN, STALE_MEDIANS * medianMs);
    if (nowMs >= this.#nextProbeAtMs && (isStale || aim < SHRINK * this.#size)) {
      this.#startProbe(pipe, inFlight / medianMs, nowMs);
      return;
    }
    // Up at once, for that is where rate is lost; down by halves, for a median is noisy (random paths: worst 81 %).
    const next = aim > 1.3 * this.#size ? aim : (aim + this.#size) / 2;
    this.#size = clamp(next, STEP_MIN * this.#size, STEP_MAX * this.#size);
  }

  #startProbe(pipe: number, ratePerMs: number, nowMs: number): void {
    this.#run(nowMs);
    this.#probe = new Probe({ pipe, ratePerMs, baseMs: this.#baseMs });
    this.#probeEndsAtMs = nowMs + Math.max(PROBE_MS_MIN, PROBE_MEDIANS * this.#medianMs);
  }

  #judgeProbe(probe: Probe, cohort: CohortSummary, nowMs: number): void {
    this.#probeEndsAtMs = nowMs + Math.max(PROBE_MS_MIN, PROBE_MEDIANS * this.#medianMs);
    const result = probe.judge(cohort);
    if (result === undefined) return;
    this.#baseMs = result.baseMs;
    this.#size = GAIN * result.ratePerMs * result.baseMs + ADD;
    this.#run(nowMs);
  }

  /** Gives a probe up that cannot drain or fill its cohort: nothing is ready, or what is in flight has stalled. */
  #expireProbe(nowMs: number): void {
    if (this.#probe !== undefined && nowMs > this.#probeEndsAtMs) this.#run(nowMs);
  }

  /** Goes on at the present size, with cohorts that have seen nothing else. */
  #run(nowMs: number): void {
    this.#mode = 'run';
    this.#probe = undefined;
    this.#lowAtMs = nowMs;
    this.#nextProbeAtMs =
      nowMs +
      Math.max(PROBE_PAUSE_MS_MIN, PROBE_PAUSE_BASES * Math.min(this.#baseMs, this.#medianMs));
    this.#open.clear();
    this.#cohort = undefined;
    this.#verdictAtMs = nowMs;
    this.#limitingMs = this.#options.limitingMs(nowMs);
  }

  #cohortOfStart(): Cohort | undefined {
    if (this.#probe !== undefined) {
      this.#cohort = this.#probe.cohort(this.#inFlight);
    } else if (this.#cohort?.isFull !== false) this.#cohort = new Cohort(this.#cohortSize());
    if (this.#cohort !== undefined) this.#open.add(this.#cohort);
    return this.#cohort;
  }

  #cohortSize(): number {
    const half = Math.round(this.#size / 2);
    return this.#mode === 'start'
      ? clamp(half, START_COHORT_MIN, START_COHORT_MAX)
      : clamp(half, RUN_COHORT_MIN, RUN_COHORT_MAX);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

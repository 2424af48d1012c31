const AGE_MS_MIN = 250;
const AGE_MEDIANS = 3;

/** What the decision about a second copy rests on. */
export interface HedgeFacts {
  /** Since the attempt was dispatched. */
  readonly ageMs: number;
  /** Whether the block has a second copy, or had one. */
  readonly isHedged: boolean;
  /** Whether the source has ended and no block waits to be sent, fresh or again. */
  readonly isTail: boolean;
  /** Whether the window would let one more start. */
  readonly hasRoom: boolean;
  /** Median and 99th percentile of the latencies of late; undefined while none is known. */
  readonly medianMs: number | undefined;
  readonly slowestMs: number | undefined;
}

/** Age from which on a request at the tail is old; Infinity while no latency is known. */
export function hedgeAgeMs({
  medianMs,
  slowestMs,
}: Pick<HedgeFacts, 'medianMs' | 'slowestMs'>): number {
  if (medianMs === undefined || slowestMs === undefined) return Infinity;
  return Math.max(AGE_MS_MIN, Math.min(slowestMs, AGE_MEDIANS * medianMs));
}

/**
 * Whether to send a second copy of a block. Only at the tail, where one slow request holds up the end of the job: in
 * bulk the window flows past a straggler, and copies would only take others' room.
 */
export function needsHedge(facts: HedgeFacts): boolean {
  return facts.isTail && facts.hasRoom && !facts.isHedged && facts.ageMs >= hedgeAgeMs(facts);
}

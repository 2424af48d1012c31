import type { FaultRule } from '../faults.ts';
import { faultRefusal } from '../faults.ts';
import type { Incoming } from '../incoming.ts';
import { FAULTS, type FaultName, type Place, type Scene, type Target } from './fault-table.ts';
import type { Draw } from './seeded-draw.ts';
import type { Conditions } from './settings.ts';

/** A fault that is to strike one request, scripted or drawn. */
export interface Strike {
  readonly name: string;
  readonly place: Place;
  readonly strike: (scene: Scene) => Promise<void> | void;
  readonly forMs: number | undefined;
}

/** Makes the strike that a scripted rule stands for. */
export function scriptedStrike({ fault, forMs }: FaultRule, incoming: Incoming): Strike {
  if (typeof fault === 'string') return makeStrike(fault, incoming, forMs);
  const strike = (): void => {
    throw faultRefusal(fault);
  };
  return { name: fault.type, place: 'operation', strike, forMs };
}

/** Faults by probability, and the bursts that they have started. */
export class DrawnFaults {
  readonly #burstEndsMs = new Map<FaultName, number>();

  /** Draws what strikes a request: of several faults the first in the table's order. */
  draw(
    rates: NonNullable<Conditions['faults']>,
    target: Omit<Target, 'withinMs'>,
    chance: { readonly draw: Draw; readonly operation: string; readonly nowMs: number },
  ): Strike | undefined {
    for (const name of Object.keys(FAULTS) as FaultName[]) {
      const given = rates[name];
      if (given === undefined) continue;
      const fault = typeof given === 'number' ? { rate: given } : given;
      if (fault.operations?.includes(chance.operation) === false) continue;
      if (FAULTS[name].fits?.({ ...target, withinMs: fault.withinMs }) === false) continue;
      const isBurst = chance.nowMs < (this.#burstEndsMs.get(name) ?? -Infinity);
      if (!isBurst) {
        if (chance.draw(name) >= fault.rate) continue;
        if (fault.burstMs !== undefined) {
          this.#burstEndsMs.set(name, chance.nowMs + fault.burstMs);
        }
      }
      return makeStrike(name, target.incoming, fault.forMs);
    }
    return undefined;
  }

  /** Ends the bursts. */
  clear(): void {
    this.#burstEndsMs.clear();
  }
}

function makeStrike(name: FaultName, incoming: Incoming, forMs: number | undefined): Strike {
  const { place, strike } = FAULTS[name];
  return {
    name,
    place: typeof place === 'string' ? place : place(incoming),
    strike,
    forMs,
  };
}

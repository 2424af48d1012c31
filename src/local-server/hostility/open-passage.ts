import type { ServerResponse } from 'node:http';
import type { Faults } from '../faults.ts';
import type { History, OpenRequest } from '../history.ts';
import { subjectOf, type Incoming } from '../incoming.ts';
import type { Service } from '../service.ts';
import type { Hostility } from './hostility.ts';
import { Passage } from './passage.ts';
import { drawFor, type Draw } from './seeded-draw.ts';
import { scriptedStrike, type Strike } from './strikes.ts';

/** What decides about a request. */
interface Deciders {
  readonly service: Service;
  readonly history: History;
  readonly faults: Faults;
  readonly hostility: Hostility;
}

/** A request whose operation is known. */
interface Arrived {
  readonly opened: OpenRequest;
  readonly incoming: Incoming;
  readonly response: ServerResponse;
  /** Undefined as long as the head alone has been read. */
  readonly operation?: string | undefined;
}

/**
 * Decides what a request is to run into; undefined when nothing. Scripted faults come before drawn ones. What is drawn
 * depends on the seed, the operation, which snapshot it is in the order of their first requests, the block, and the
 * attempt, so that a client meets the same faults again however its requests race one another.
 */
export function openPassage(
  { service, history, faults, hostility }: Deciders,
  { opened, incoming, response, operation = incoming.route?.operation }: Arrived,
): Passage | undefined {
  const { conditions } = hostility;
  if (conditions === undefined && faults.isEmpty) return undefined;
  const subject = subjectOf(incoming);
  const request = { incoming, operation: operation ?? 'Unknown' };
  const fate = [
    request.operation,
    history.ordinalOf(subject),
    subject.blockIndex,
    opened.attempt ?? `request ${opened.sequence}`,
  ];
  const draw = drawFor(hostility.seed, fate.join(' '));
  const strike =
    operation === undefined
      ? undefined
      : (script(faults, request) ?? chance({ hostility, service, draw }, request));
  if (conditions === undefined && strike === undefined) return undefined;
  const isFirstOfConnection = opened.connectionRequest === 1;
  return new Passage({
    hostility,
    response,
    ...request,
    isFirstOfConnection,
    draw,
    strike,
  });
}

interface Named {
  readonly incoming: Incoming;
  readonly operation: string;
}

function script(faults: Faults, { incoming, operation }: Named): Strike | undefined {
  if (faults.isEmpty) return undefined;
  const rule = faults.take({ operation, ...subjectOf(incoming) });
  return rule === undefined ? undefined : scriptedStrike(rule, incoming);
}

function chance(
  {
    hostility,
    service,
    draw,
  }: { readonly hostility: Hostility; readonly service: Service; readonly draw: Draw },
  { incoming, operation }: Named,
): Strike | undefined {
  const rates = hostility.conditions?.faults;
  if (rates === undefined) return undefined;
  const nowMs = hostility.now();
  return hostility.drawnFaults.draw(rates, { incoming, service }, { draw, operation, nowMs });
}

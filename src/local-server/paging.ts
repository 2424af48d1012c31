import { Constraints, parseInteger } from './constraints.ts';
import { invalid } from './refusal.ts';
import type { EbsCall, Service } from './service.ts';
import type { PagePosition } from './tokens.ts';
import { DEFAULT_MAX_RESULTS, PATTERN } from './wire-table.ts';

/** What both lists take to choose a page. */
export interface PageRequest {
  readonly pageToken: string | undefined;
  readonly maxResults: number;
  readonly startingBlockIndex: number;
}

/** Reads the page parameters, noting broken constraints. */
export function readPageRequest(call: EbsCall, constraints: Constraints): PageRequest {
  const pageToken = call.query.get('pageToken');
  const maxResults = parseInteger(call.query.get('maxResults'));
  const startingBlockIndex = parseInteger(call.query.get('startingBlockIndex'));
  constraints.text('nextToken', pageToken, { maxLength: 256, pattern: PATTERN.pageToken });
  constraints.range('maxResults', maxResults, { min: 100, max: 10_000 });
  constraints.range('startingBlockIndex', startingBlockIndex, { min: 0 });
  return {
    pageToken,
    maxResults: maxResults ?? DEFAULT_MAX_RESULTS,
    startingBlockIndex: startingBlockIndex ?? 0,
  };
}

/**
 * Returns the block where the page starts: where the token says, else where the request says.
 * @throws {Refusal} INVALID_PAGE_TOKEN for a token that is not of this listing, forged or expired.
 */
export function startOfPage(
  service: Service,
  page: PageRequest,
  listing: Omit<PagePosition, 'nextIndex'>,
): number {
  if (page.pageToken === undefined) return page.startingBlockIndex;
  const index = service.tokens.openPage(page.pageToken, listing, service.now());
  if (index === undefined) {
    throw invalid('INVALID_PAGE_TOKEN', `The pagination token ${page.pageToken} is invalid.`);
  }
  return index;
}

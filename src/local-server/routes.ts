import { OPERATIONS, type EbsOperation } from './wire-table.ts';

/** A service that shares the port. */
export type ServiceName = 'ebs' | 'ec2' | 'sts' | 's3';

/** An operation of the EBS direct APIs and the parts of its path. */
export interface EbsRoute {
  readonly operation: EbsOperation;
  /** By the name in the service model; percent-encoding undone. */
  readonly path: Readonly<Record<string, string>>;
}

const EBS_ROUTES = (Object.keys(OPERATIONS) as EbsOperation[]).map((operation) => {
  const { method, path } = OPERATIONS[operation];
  return { operation, method, segments: path.split('/') };
});
const SERVICES: ReadonlySet<string> = new Set(['ebs', 'ec2', 'sts', 's3']);

/**
 * Chooses the service of a request: by the credential scope when it names one of ours, else by method and path, so that
 * unsigned requests still get their error in the form of the service they meant.
 */
export function chooseService(
  scopeService: string | undefined,
  { method, path }: { readonly method: string; readonly path: string },
): ServiceName {
  if (scopeService !== undefined && SERVICES.has(scopeService)) return scopeService as ServiceName;
  if (path !== '/') return 'ebs';
  return method === 'GET' || method === 'HEAD' ? 's3' : 'ec2';
}

/** Finds the EBS operation of a method and a path; undefined when there is none. */
export function matchRoute(method: string, path: string): EbsRoute | undefined {
  const segments = path.split('/');
  for (const route of EBS_ROUTES) {
    if (route.method !== method || route.segments.length !== segments.length) continue;
    const values = matchSegments(route.segments, segments);
    if (values !== undefined) return { operation: route.operation, path: values };
  }
  return undefined;
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const values: Record<string, string> = {};
  for (const [i, expected] of pattern.entries()) {
    const segment = segments[i] ?? '';
    if (expected.startsWith('{')) values[expected.slice(1, -1)] = decodePercent(segment);
    else if (expected !== segment) return undefined;
  }
  return values;
}

/**
 * Returns path and query of a request target. An absolute one, as clients of a proxy send it, loses scheme and host:
 * RFC 9112 section 3.2.2 obliges a server to take it.
 */
export function originForm(target: string): string {
  const [origin = ''] = /^https?:\/\/[^/?]*/i.exec(target) ?? [];
  const rest = target.slice(origin.length);
  return rest.startsWith('/') || origin === '' ? rest : `/${rest}`;
}

/** Splits a request target in origin form into path and query. */
export function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** Reads a query string; of a name that comes twice the first value counts. A plus sign stays a plus sign. */
export function parseQuery(query: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decodePercent(at < 0 ? pair : pair.slice(0, at));
    if (!values.has(name)) values.set(name, at < 0 ? '' : decodePercent(pair.slice(at + 1)));
  }
  return values;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

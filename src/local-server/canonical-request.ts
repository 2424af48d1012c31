/** What a canonical request is made of. */
export interface CanonicalParts {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly url: string;
  readonly service: string;
  /** Lower-case names, in the order in which they were signed. */
  readonly signedHeaders: readonly string[];
  /** Trimmed values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly payloadHash: string;
}

/** Writes the canonical request of AWS Signature Version 4: the text whose digest is signed. */
export function canonicalRequest(parts: CanonicalParts): string {
  const { method, url, service, signedHeaders, headers, payloadHash } = parts;
  const [path = '', query = ''] = splitOnce(url, '?');
  return [
    method,
    // S3 alone signs the path as it is on the wire; all others normalise and encode it once more.
    service === 's3' ? path : canonicalPath(path),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${headers.get(name) ?? ''}`),
    '',
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

function canonicalPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(encode(segment));
  }
  return `/${kept.join('/')}${kept.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => splitOnce(pair, '='))
    .map(([name = '', value = '']) => [encode(decode(name)), encode(decode(value))] as const)
    .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Percent-encodes all but the unreserved characters of RFC 3986 section 2.3. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Undoes percent-encoding; text with a broken escape is taken as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

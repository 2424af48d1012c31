const ANY_TEXT = Symbol('any text');
const ANY_CHARACTER = Symbol('any character');

type Token = string | typeof ANY_TEXT | typeof ANY_CHARACTER;

/**
 * Makes a test for a filter value of EC2: `*` stands for any text, `?` for one character, a backslash takes the next one
 * literally. No regular expression: one with many stars takes time beyond all bounds on a text that nearly matches,
 * while this takes at most the product of both lengths.
 */
export function wildcard(pattern: string): (text: string) => boolean {
  const tokens = readTokens(pattern);
  return (text) => matches(tokens, Array.from(text));
}

function readTokens(pattern: string): Token[] {
  const tokens: Token[] = [];
  let isLiteral = false;
  for (const character of pattern) {
    if (isLiteral) tokens.push(character);
    else if (character === '*') tokens.push(ANY_TEXT);
    else if (character === '?') tokens.push(ANY_CHARACTER);
    else if (character !== '\\') tokens.push(character);
    isLiteral = !isLiteral && character === '\\';
  }
  if (isLiteral) tokens.push('\\');
  return tokens;
}

/** When it gets stuck, it lets the last star take one character more; earlier stars never need to be tried again. */
function matches(tokens: readonly Token[], text: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  for (let i = 0; i < text.length;) {
    const token = tokens[at];
    if (token === ANY_TEXT) {
      star = at;
      afterStar = i;
      at += 1;
    } else if (token !== undefined && (token === ANY_CHARACTER || token === text[i])) {
      at += 1;
      i += 1;
    } else if (star < 0) {
      return false;
    } else {
      afterStar += 1;
      i = afterStar;
      at = star + 1;
    }
  }
  return tokens.slice(at).every((token) => token === ANY_TEXT);
}

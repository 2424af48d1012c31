import { readdir, readFile } from 'node:fs/promises';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { ROWS_ELSEWHERE, SERVER_ROWS } from './contract-rows.ts';

const FOLDER = new URL('./', import.meta.url);

test('every row of the contract has a case, or a reason for having none', async () => {
  const named = await rowsNamedByCases();
  expect(SERVER_ROWS.filter((name) => !named.has(name))).toEqual([]);
});

test('no row is listed twice', () => {
  const all = [...SERVER_ROWS, ...Object.keys(ROWS_ELSEWHERE)];
  expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([]);
});

test('a row counts when a call names it, not when a comment or a text does', () => {
  const source = `
    // row('in a comment')
    const text = "row('in a text')";
    test.skip(row('skipped'), () => {});
    test(row('in a title', 'detail'), () => {});
    const cases = [[row('in a table'), 1]];
  `;
  expect(rowsIn(source)).toEqual(['in a title', 'in a table']);
});

async function rowsNamedByCases(): Promise<Set<string>> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.test.ts'));
  const sources = await Promise.all(files.map((name) => readFile(new URL(name, FOLDER), 'utf8')));
  return new Set(sources.flatMap(rowsIn));
}

/** The rows that calls of `row` name; those inside a skipped test prove nothing. */
function rowsIn(source: string): string[] {
  const rows: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const callee = node.expression.getText(file);
      if (/\.(skip|todo|fails)\b/.test(callee)) return;
      const [name] = node.arguments;
      if (callee === 'row' && name !== undefined && ts.isStringLiteral(name)) rows.push(name.text);
    }
    ts.forEachChild(node, visit);
  };
  const file = ts.createSourceFile('case.ts', source, ts.ScriptTarget.Latest);
  visit(file);
  return rows;
}

/** Cuts pages, in ascending order, into runs of at most `max` that lie side by side in the file: one write each. */
export function pageRuns<Page extends { readonly pageNumber: number }>(
  pages: readonly Page[],
  max: number,
): Page[][] {
  const runs: Page[][] = [];
  for (const page of pages) {
    const run = runs.at(-1);
    const isNeighbour = run?.at(-1)?.pageNumber === page.pageNumber - 1;
    if (run !== undefined && isNeighbour && run.length < max) run.push(page);
    else runs.push([page]);
  }
  return runs;
}

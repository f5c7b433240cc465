/** Planted bugs stay plantable: see scripts/mutants.mjs. What they are good for is shown by `npm run mutants`. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Mutant {
  readonly name: string;
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
}

const root = new URL('../', import.meta.url);
const areas = readdirSync(new URL('test/mutants/', root)).filter((name) => name.endsWith('.mjs'));

describe.each(areas)('the planted bugs of %s', async (area) => {
  const { MUTANTS } = (await import(new URL(`test/mutants/${area}`, root).href)) as { MUTANTS: readonly Mutant[] };

  it('apply to the sources as they are, each in one place', () => {
    const misfits = MUTANTS.flatMap(({ name, edits }) =>
      edits
        .map(({ file, find }) => ({ name, file, times: readFileSync(new URL(file, root), 'utf8').split(find).length - 1 }))
        .filter(({ times }) => times !== 1),
    );
    expect(misfits).toEqual([]);
  });

  it('change something', () => {
    for (const { edits } of MUTANTS) for (const { find, replace } of edits) expect(replace).not.toBe(find);
  });
});

it('each bug has a name of its own, over all sets', async () => {
  const sets = await Promise.all(
    areas.map(async (area) => (await import(new URL(`test/mutants/${area}`, root).href)).MUTANTS as readonly Mutant[]),
  );
  const names = sets.flat().map(({ name }) => name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

/** The examples that need nothing but Node; the others: examples.system.test.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outputOf, shownUnder } from './example-output.ts';

const ROOT = join(import.meta.dirname, '..');
const LINES_MAX = 130;

test('travelling sales: ten days offline, with a wrong clock', async () => {
  expect(await outputOf('travelling-sales.mjs')).toMatch(shownUnder('Travelling sales'));
});

test('every example is shown on the page, and short enough to be read', () => {
  const page = readFileSync(join(ROOT, 'docs', 'examples.md'), 'utf8');
  for (const name of readdirSync(join(ROOT, 'examples'))) {
    expect(page).toContain(`(../examples/${name})`);
    if (name.endsWith('.mjs'))
      expect(readFileSync(join(ROOT, 'examples', name), 'utf8').split('\n').length).toBeLessThan(LINES_MAX);
  }
});

/** What docs/embedded.md shows is examples/embedded.mjs, and it runs: on a new storage, and on the one it left. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../child.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const example = join(ROOT, 'examples', 'embedded.mjs');

test('the example on the page is the file', () => {
  const page = readFileSync(join(ROOT, 'docs', 'embedded.md'), 'utf8');
  expect(/```js\n([\s\S]*?)```/.exec(page)?.[1]).toBe(readFileSync(example, 'utf8'));
});

test('it runs, and again where it left off', async () => {
  const folder = temporaryFolder('embedded');
  const runs: string[] = [];
  for (let i = 0; i < 2; i++) runs.push((await promisify(execFile)(process.execPath, [example], { cwd: folder.path })).stdout);
  folder.remove();
  const said = (number: number) =>
    new RegExp(`^stored scale-3:[0-9a-f]{16}:scale-3/weights:5:${number}\nreceived 17.4 kg for the 1 time\nclosed\n$`);
  expect(runs[0]).toMatch(said(1));
  expect(runs[1]).toMatch(said(2));
});

/** What the README shows is what is there. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from './child.ts';

const ROOT = join(import.meta.dirname, '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const example = join(ROOT, 'examples', 'first-steps.mjs');

test('the example in the README is the file, and it runs', async () => {
  const shown = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  expect(shown).toBe(readFileSync(example, 'utf8'));
  const folder = temporaryFolder('readme');
  const { stdout } = await promisify(execFile)(process.execPath, [example], { cwd: folder.path });
  folder.remove();
  expect(stdout).toMatch(/^stored box-1:[0-9a-f]{16}:box-1\/bags:5:1\nreceived Map\(2\).*priority 5\n$/s);
});

test('every link in README and docs leads to a file', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'clients/README.md',
    'clients/curl.md',
    'CHANGELOG.md',
    ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
  ];
  const broken: string[] = [];
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    for (const [, target = ''] of readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      if (!existsSync(join(ROOT, dirname(page), target))) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

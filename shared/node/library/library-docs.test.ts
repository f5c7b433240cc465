/** What the pages on the library show is what happens: it is run, in its order, and what it prints is compared. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { type OpenOptions, openNode } from '../library.ts';

const AsyncFunction = (async () => {}).constructor as new (...texts: string[]) => (...values: unknown[]) => Promise<void>;

const pageOf = (name: string): string => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

test.each([
  ['library.md', 12],
  ['from-msmq.md', 22],
])('the pieces of %s run, one after the other, and print what they say', async (name, printedMin) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringmail-library-docs-'));
  const pieces = [...pageOf(name).matchAll(/^```(?:js|ts)\n([\s\S]*?)^```/gm)].map(([, piece = '']) => piece);
  const program = pieces.join('\n').replace(/^import .* from 'ringmail';$/m, '');
  const expected = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
  const printed: string[] = [];
  const console = { log: (...values: unknown[]) => void printed.push(values.map(String).join(' ')) };
  const open = (options: OpenOptions) =>
    openNode({ ...options, ring: join(folder, options.ring), ringBytes: 4 * 1024 * 1024, allowVolatile: true });
  try {
    await new AsyncFunction('openNode', 'hasCode', 'console', program)(open, hasCode, console);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(printed).toEqual(expected);
  expect(printed.length).toBeGreaterThan(printedMin);
});

test('each idiom of MSMQ stands beside a piece of ours, and both are numbered in order', () => {
  const sections = pageOf('from-msmq.md').split(/^## /m).slice(1);
  expect(sections.map((section) => Number(/^(\d+)\. /.exec(section)?.[1]))).toEqual(sections.map((_, i) => i + 1));
  for (const section of sections) expect(section).toMatch(/^```csharp\n[\s\S]*^```ts\n/m);
  expect(sections.length).toBeGreaterThanOrEqual(20);
});

/** What docs/library.md shows is what happens: it is run, in its order, and what it prints is compared. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { type OpenOptions, openNode } from '../library.ts';

const DOCS = readFileSync(new URL('../../../docs/library.md', import.meta.url), 'utf8');
const AsyncFunction = (async () => {}).constructor as new (...texts: string[]) => (...values: unknown[]) => Promise<void>;

test('the pieces run, one after the other, and print what they say', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringmail-library-docs-'));
  const pieces = [...DOCS.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, piece = '']) => piece);
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
  expect(printed.length).toBeGreaterThan(12);
});

/** Runs an example as a reader would, and what docs/examples.md says it prints. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './child.ts';

const ROOT = join(import.meta.dirname, '..');
const RUN_MS_MAX = 120_000;

/** What it prints. Rejects unless it ends with exit code 0. */
export async function outputOf(file: string): Promise<string> {
  const folder = temporaryFolder('example');
  try {
    const path = join(ROOT, 'examples', file);
    return (await promisify(execFile)(process.execPath, [path], { cwd: folder.path, timeout: RUN_MS_MAX })).stdout;
  } finally {
    folder.remove();
  }
}

/** The block of `text` under a heading of docs/examples.md, as a pattern: `…` stands for what differs. */
export function shownUnder(heading: string): RegExp {
  const page = readFileSync(join(ROOT, 'docs', 'examples.md'), 'utf8');
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const shown = /^```text\n([\s\S]*?)^```/m.exec(section)?.[1];
  if (shown === undefined) throw new Error(`docs/examples.md shows no output under ${heading}`);
  const parts = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^\\n]+')}$`);
}

/** Copies of the tree, in which bugs are planted one at a time. The tree itself stays as it is. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ROOT } from '../bundle-module.mjs';

/** Left out of the copies: what is made, what is large, and what is nobody's source. */
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', '.ringmail']);

export class Copies {
  #folders = [];

  /** @param {number} count */
  make(count) {
    for (let i = 0; i < count; i++) this.#folders.push(copyTree());
  }

  /**
   * Runs `work` for each item, in as many copies as there are, one at a time in each.
   * @template T @param {T[]} items @param {(item: T, copy: string) => Promise<void>} work
   */
  async each(items, work) {
    const left = [...items];
    await Promise.all(
      this.#folders.map(async (copy) => {
        for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item, copy);
      }),
    );
  }

  remove() {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {import('./sets.mjs').Mutant} mutant @param {string} copy @returns {() => void} makes it as it was */
export function plant({ edits }, copy) {
  const before = new Map();
  for (const { file, find, replace } of edits) {
    const path = join(copy, file);
    const source = readFileSync(path, 'utf8');
    if (!before.has(path)) before.set(path, source);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
  }
  return () => {
    for (const [path, source] of before) writeFileSync(path, source);
  };
}

function copyTree() {
  const copy = mkdtempSync(join(tmpdir(), 'ringmail-mutant-'));
  for (const name of readdirSync(ROOT)) {
    if (NOT_COPIED.has(name)) continue;
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: (from) => !NOT_COPIED.has(basename(from)) });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

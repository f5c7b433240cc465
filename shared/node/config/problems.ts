/**
 * Everything that is wrong with a configuration, each with its line. Paths are those of keys: `ring.size`, `links[0].listen`.
 * A problem with a path is one with all that it is made of, and keeps the checks that depend on it quiet: one mistake, one line.
 */
export class Problems {
  readonly #found: { readonly line: number; readonly text: string }[] = [];
  readonly #lines = new Map<string, number>();
  /** Paths with a problem of their own. */
  readonly #wrong = new Set<string>();
  /** Paths that lead to one. */
  readonly #above = new Set<string>();

  /** Where a path is written: later problems with it are told there. */
  place(path: string, line: number): void {
    this.#lines.set(path, line);
  }

  /** Line of what is written; of what is not, that of the table it would be in. */
  lineOf(path: string): number {
    for (const at of [path, ...pathsAbove(path)]) {
      const line = this.#lines.get(at);
      if (line !== undefined) return line;
    }
    return 1;
  }

  add(path: string, reason: string, line = this.lineOf(path)): void {
    this.#found.push({ line, text: `line ${line}: ${path}: ${reason}` });
    this.#wrong.add(path);
    for (const above of pathsAbove(path)) this.#above.add(above);
  }

  /** True when nothing is wrong at, in or above these paths. */
  areSound(...paths: readonly string[]): boolean {
    return paths.every((path) => !this.#above.has(path) && ![path, ...pathsAbove(path)].some((at) => this.#wrong.has(at)));
  }

  /** In the order of the lines. */
  get issues(): string[] {
    return [...this.#found].sort((a, b) => a.line - b.line).map(({ text }) => text);
  }
}

/** `a.b[0].c` gives `a.b[0]`, `a.b` and `a`. */
function pathsAbove(path: string): string[] {
  const paths: string[] = [];
  for (let end = endOfAbove(path, path.length); end > 0; end = endOfAbove(path, end)) paths.push(path.slice(0, end));
  return paths;
}

function endOfAbove(path: string, end: number): number {
  return Math.max(path.lastIndexOf('.', end - 1), path.lastIndexOf('[', end - 1));
}

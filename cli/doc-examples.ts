/** For tests: the examples of a page in Markdown, so that what it shows is what happens. */
import { spawn } from 'node:child_process';

export interface Example {
  readonly command: string;
  /** Its output; where it has `…`, how that begins. */
  readonly output: string;
}

/** All that stands behind a `$` in its console blocks, in their order. */
export function examplesOf(page: string): Example[] {
  const blocks = [...page.matchAll(/^```console\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const end = text.indexOf('\n');
        return { command: text.slice(0, end), output: text.slice(end + 1) };
      }),
  );
}

/** What was printed, left out where the page leaves out: equal to what the page shows if it is as the page says. */
export function shownAs(printed: string, shown: string): string {
  const cut = shown.indexOf('…');
  return cut < 0 ? printed : printed.slice(0, cut) + shown.slice(cut);
}

/** Resolves with both outputs as they came. */
export function shell(program: string, argv: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(program, argv, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    child.on('close', () => resolve(text));
  });
}

/** The command line of `npm run bench -- link`. */

export interface Options {
  readonly output: 'table' | 'json';
  readonly length: 'full' | 'quick';
  /** What a missed target does to the exit code. */
  readonly missed: 'fails' | 'is-reported';
  readonly casePattern: RegExp | undefined;
}

export const USAGE = `usage: npm run bench -- link [options]

  --json            rows as JSON, one per line, and nothing else on stdout
  --quick           about two minutes: shorter runs. Figures are rough
  --case PATTERN    only cases that match, a regular expression: goodput/128/, /1e-4/, urgent, replug, socket
  --report-only     targets that are missed do not fail the run

Exit code: 0 all targets reached, 1 one missed or the run failed, 2 wrong use.`;

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): Options | { readonly wrong: string } | { readonly help: true } {
  let casePattern: RegExp | undefined;
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const [name = '', inline] = (args[i] ?? '').split(/=(.*)/s);
    if (name === '--help' || name === '-h') return { help: true };
    if (['--json', '--quick', '--report-only'].includes(name)) {
      flags.add(name);
      continue;
    }
    if (name !== '--case') return { wrong: `unknown option: ${args[i]}` };
    const value = inline ?? args[++i];
    if (value === undefined || value === '') return { wrong: '--case needs a value' };
    try {
      casePattern = new RegExp(value);
    } catch {
      return { wrong: `--case: no regular expression: ${value}` };
    }
  }
  return {
    output: flags.has('--json') ? 'json' : 'table',
    length: flags.has('--quick') ? 'quick' : 'full',
    missed: flags.has('--report-only') ? 'is-reported' : 'fails',
    casePattern,
  };
}

/** Says what is wrong, or how it is used; returns the exit code. */
export function tellUse(unread: { readonly wrong: string } | { readonly help: true }, usage: string): number {
  if ('help' in unread) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  process.stderr.write(`${unread.wrong}\n\n${usage}\n`);
  return 2;
}

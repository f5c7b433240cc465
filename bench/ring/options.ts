/** The command line of `npm run bench -- ring`. */
import { SUBJECT_NAMES, type SubjectName } from './subjects/subject.ts';

export interface Options {
  readonly output: 'table' | 'json';
  readonly length: 'full' | 'quick';
  /** What a missed target of speed or wear does to the exit code. */
  readonly missed: 'fails' | 'is-reported';
  readonly casePattern: RegExp | undefined;
  readonly subjects: readonly SubjectName[];
  readonly directory: string | undefined;
}

export const USAGE = `usage: npm run bench -- ring [options]

  --json            rows as JSON, one per line, and nothing else on stdout
  --quick           one to two minutes: fewer cases, shorter stretches. Figures are rough
  --case PATTERN    only cases that match, a regular expression: put/128/1$, pinned, open
  --subject NAME    only this one; may be repeated: ${SUBJECT_NAMES.join(', ')}
  --report-only     targets that are missed do not fail the run
  --dir PATH        where the image, or without root the files, are made (default: the directory for temporary files)

Exit code: 0 all targets reached, 1 one missed or the run failed, 2 wrong use.`;

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): Options | { readonly wrong: string } | { readonly help: true } {
  const subjects: SubjectName[] = [];
  let casePattern: RegExp | undefined;
  let directory: string | undefined;
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const [name = '', inline] = (args[i] ?? '').split(/=(.*)/s);
    if (name === '--help' || name === '-h') return { help: true };
    if (['--json', '--quick', '--report-only'].includes(name)) {
      flags.add(name);
      continue;
    }
    if (!['--case', '--subject', '--dir'].includes(name)) return { wrong: `unknown option: ${args[i]}` };
    const value = inline ?? args[++i];
    if (value === undefined || value === '') return { wrong: `${name} needs a value` };
    if (name === '--dir') directory = value;
    if (name === '--case') {
      try {
        casePattern = new RegExp(value);
      } catch {
        return { wrong: `--case: no regular expression: ${value}` };
      }
    }
    if (name === '--subject') {
      const subject = SUBJECT_NAMES.find((known) => known === value);
      if (subject === undefined) return { wrong: `--subject: one of ${SUBJECT_NAMES.join(', ')}` };
      subjects.push(subject);
    }
  }
  return {
    output: flags.has('--json') ? 'json' : 'table',
    length: flags.has('--quick') ? 'quick' : 'full',
    missed: flags.has('--report-only') ? 'is-reported' : 'fails',
    casePattern,
    subjects: subjects.length === 0 ? SUBJECT_NAMES : subjects,
    directory,
  };
}

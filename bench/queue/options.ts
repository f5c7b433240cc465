/** The command line of `npm run bench -- queue`, which is read as that of the link. */
export { type Options, parseOptions, tellUse } from '../link/options.ts';

export const USAGE = `usage: npm run bench -- queue [options]

  --json            rows as JSON, one per line, and nothing else on stdout
  --quick           about one minute: shorter runs. Figures are rough
  --case PATTERN    only cases that match, a regular expression: receive, receive/1000$, send, api
  --report-only     targets that are missed do not fail the run

Exit code: 0 all targets reached, 1 one missed or the run failed, 2 wrong use.`;

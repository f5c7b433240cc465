/** The command line of `npm run bench -- relay`, which is read as that of the link. */
export { type Options, parseOptions, tellUse } from '../link/options.ts';

export const USAGE = `usage: npm run bench -- relay [options]

  --json            rows as JSON, one per line, and nothing else on stdout
  --quick           about four minutes: shorter runs, a smaller backlog. Figures are rough
  --case PATTERN    only cases that match, a regular expression: relay/128/1$, relay-batched, latency, backlog, kill, powercut
  --report-only     targets that are missed do not fail the run

Needs mosquitto; nats-server for its rows of kill and powercut, root for powercut.

Exit code: 0 all targets reached, 1 one missed or the run failed, 2 wrong use.`;

/** What docs/local-api.md says is what happens: its examples are run, its tables compared. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as limits from '../shared/node/api/api-limits.ts';
import { ENDPOINTS } from '../shared/node/api/endpoints.ts';
import { STATUS_BY_CODE } from '../shared/node/api/reply.ts';
import { CliFixture, COMMANDS, GROUPS } from './cli-fixture.ts';
import { examplesOf, shell, shownAs } from './doc-examples.ts';
import { EXIT } from './exit-codes.ts';
import { placeOf } from './reach-node.ts';

const DOCS = readFileSync(new URL('../docs/local-api.md', import.meta.url), 'utf8');
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

let cli: CliFixture;
beforeAll(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterAll(() => cli.end());

/** Words of a command line that quotes with single quotes only. */
function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

test('its examples print what they say, one after the other', async ({ skip }) => {
  skip(!has('curl'), 'there is no curl');
  skip(!has('bash'), 'there is no bash');
  const examples = examplesOf(DOCS);
  expect(examples.length).toBeGreaterThan(15);
  for (const { command, output } of examples) {
    const isOurs = command.startsWith('ringmail ');
    const printed = isOurs ? (await cli.run(words(command).slice(1))).out : await shell('bash', ['-c', command], cli.folder);
    expect({ command, output: shownAs(printed, output) }).toEqual({ command, output });
  }
});

test('every endpoint has an example', () => {
  const commands = examplesOf(DOCS).map(({ command }) => command);
  for (const { method, path } of ENDPOINTS) {
    const pattern = new RegExp(`http://ringmail${path.replaceAll(/\{\w+\}/g, "[^/?' ]+")}(?=[?' ]|$)`);
    expect(
      commands.some((command) => pattern.test(command) && methodOf(command) === method),
      `${method} ${path}`,
    ).toBe(true);
    expect(DOCS).toContain(`| \`${method} ${path}\` |`);
  }
});

/** As curl has it: what has a body is a POST. */
function methodOf(command: string): string {
  const [, said] = / -X ([A-Z]+) /.exec(command) ?? [];
  return said ?? (/ (-d|--json|--data-binary) /.test(command) ? 'POST' : 'GET');
}

test('its client in Python works', async ({ skip }) => {
  skip(!has('python3'), 'there is no python3');
  const [, program = ''] = /^```python\n([\s\S]*?)^```/m.exec(DOCS) ?? [];
  expect(await shell('python3', ['-c', program], cli.folder)).toBe(
    "belt1:00c0ffee00c0ffee:belt1/parcels:3:1\nb'\\x00\\xff' café\n",
  );
  expect(cli.node.calls.at(-1)).toMatchObject({ verb: 'ack' });
});

describe('its tables are those of the code', () => {
  test.each(Object.entries(STATUS_BY_CODE))('%s is %i', (code, status) => expect(DOCS).toContain(`| ${status} | \`${code}\` |`));

  test.each(Object.entries(EXIT))('exit code of %s is %i', (_name, code) =>
    expect(DOCS).toMatch(new RegExp(`^\\| ${code} \\| [a-z]`, 'm')),
  );

  test('limits', () => {
    const { API_TIMING: timing } = limits;
    for (const row of [
      `| body of a request | ${limits.BODY_BYTES_MAX / 1024} KiB;`,
      `| body of a transaction | ${limits.TRANSACTION_BYTES_MAX / 1024} KiB;`,
      `| of one client: bodies | ${limits.CLIENT_BODY_BYTES_MAX / 1024 / 1024} MiB |`,
      `| of one client: requests under way | ${limits.CLIENT_REQUEST_COUNT_MAX} |`,
      `| of one client: receives and looks that wait | ${limits.CLIENT_WAIT_COUNT_MAX} |`,
      `| of one client: streams | ${limits.CLIENT_STREAM_COUNT_MAX} |`,
      `| of one client over the network: leases | ${limits.CLIENT_LEASE_COUNT_MAX} |`,
      `| of one client over the network: handles | ${limits.CLIENT_HANDLE_COUNT_MAX} |`,
      `| connections over the network | ${limits.REMOTE_CONNECTION_COUNT_MAX} |`,
      `| \`prefetch\` | ${limits.PREFETCH_DEFAULT} | leases of this stream that are outstanding, at most; 1 to ${limits.PREFETCH_MAX}.`,
      `| \`idleMs\` | ${limits.HANDLE_IDLE_MS_DEFAULT} |`,
      `takes nothing for ${timing.answerMs / 1000} s is closed`,
      `| bodies being read and stored, all together | ${limits.BODY_POOL_BYTES_MAX / 1024 / 1024} MiB |`,
      `| request line and headers | ${limits.HEAD_BYTES_MAX / 1024} KiB |`,
      `| headers of a request | ${limits.HEAD_COUNT_MAX - 1} |`,
      `| connections | ${limits.CONNECTION_COUNT_MAX} |`,
      `| requests sent ahead on one connection | ${limits.PIPELINED_COUNT_MAX} |`,
      `| a request's headers, all of a request | ${timing.headMs / 1000} s, ${timing.requestMs / 1000} s |`,
      `| a connection between requests | ${timing.idleMs / 1000} s |`,
      `| taking an answer | ${timing.answerMs / 1000} s |`,
      `| \`leaseMs\` | ${limits.LEASE_MS_DEFAULT} |`,
      `nested deeper than ${limits.JSON_DEPTH_MAX},`,
      `finishes what it has for up to ${timing.closeMs / 1000} s`,
    ]) {
      expect(DOCS).toContain(row);
    }
  });

  test.each(Object.keys({ ...COMMANDS, ...GROUPS }))('the command %s', (name) => {
    expect(DOCS).toMatch(new RegExp(`^\\| \`${name}[ \`]`, 'm'));
  });

  test('where the command line looks', () => {
    const { socketPath, ringPath } = placeOf({}, { ...cli.newWorld(), env: {}, cwd: '/' } as never);
    expect(DOCS).toContain(`\`.${socketPath}\``);
    expect(DOCS).toContain(`\`.${ringPath}\``);
  });
});

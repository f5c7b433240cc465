import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RingmailError } from '../shared/errors.ts';
import { durationMs, wholeNumber } from './args.ts';
import { CliFixture, COMMANDS, GROUPS } from './cli-fixture.ts';
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './run.ts';

let cli: CliFixture;
beforeEach(() => {
  cli = new CliFixture();
});
afterEach(() => cli.end());

test.each([[['--help']], [['-h']], [['help']]])('%j lists every command and every exit code', async (argv) => {
  const { code, out } = await cli.run(argv);
  expect(code).toBe(0);
  for (const name of Object.keys(COMMANDS)) expect(out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  for (const number of Object.values(EXIT)) expect(out).toMatch(new RegExp(`\\b${number} [a-z]`));
});

test.each(Object.keys(COMMANDS))('%s --help says what it takes, and does nothing', async (name) => {
  const { code, out } = await cli.run([name, '--help']);
  expect(code).toBe(0);
  expect(out).toContain(`Usage: ringmail ${name} `);
  expect(out).toContain('--socket <path>');
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect((await cli.run(['help', name])).out).toBe(out);
});

test.each(Object.keys(GROUPS))('%s --help lists its commands, and each says what it takes', async (name) => {
  const { tools = {} } = (await GROUPS[name]?.()) ?? {};
  const { code, out } = await cli.run([name, '--help']);
  expect(code).toBe(0);
  for (const tool of Object.keys(tools)) {
    expect(out).toMatch(new RegExp(`^  ${name} ${tool} +\\S`, 'm'));
    const help = (await cli.run([name, tool, '--help'])).out;
    expect(help).toContain(`Usage: ringmail ${name} ${tool} `);
    expect(help).toContain('--json');
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  }
  expect(await cli.run([name, 'sned'])).toMatchObject({ code: 2, err: expect.stringContaining('needs one of') });
});

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(await cli.run(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test('without a command, or with one there is not, says what there is', async () => {
  expect(await cli.run([])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Usage: ringmail <command>') });
  for (const name of ['sned', '', '--bogus', 'constructor', '__proto__']) {
    const { code, err } = await cli.run([name]);
    expect([code, err]).toEqual([2, expect.stringContaining('there are send, receive, peek')]);
  }
});

test('a list of problems has a line each', async () => {
  const broken = {
    name: 'broken',
    summary: '',
    run: () => Promise.reject(new RingmailError('CONFIG_INVALID', { issues: ['line 1: a', 'line 2: b'] })),
  };
  const world = cli.newWorld();
  expect(await runCommandLine({ broken: async () => broken }, ['broken'], world)).toBe(2);
  expect(world.err).toBe('ringmail: CONFIG_INVALID\n  line 1: a\n  line 2: b\n');
});

test('a bug is not a refusal: it is left to end the process', async () => {
  const buggy = { name: 'buggy', summary: '', run: () => Promise.reject(new TypeError('x is undefined')) };
  await expect(runCommandLine({ buggy: async () => buggy }, ['buggy'], cli.newWorld())).rejects.toThrow('x is undefined');
});

describe('values', () => {
  test.each<[string, number]>([
    ['0', 0],
    ['500ms', 500],
    ['5s', 5000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['4d', 345_600_000],
  ])('%s is %i ms', (text, ms) => expect(durationMs('wait', text)).toBe(ms));

  test.each(['', '5', 's', '-5s', '5 s', '1.5s', '5S', '1e3ms', '9999999999s'])('%j is no time', (text) => {
    expect(() => durationMs('wait', text)).toThrow(/USAGE_INVALID.*--wait/);
  });

  test.each(['', '-1', '1.5', '1e3', 'x', '٣', '9'.repeat(16)])('%j is no whole number', (text) => {
    expect(() => wholeNumber('count', text)).toThrow(/USAGE_INVALID.*--count/);
  });
});

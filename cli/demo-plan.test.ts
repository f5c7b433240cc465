import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hasCode } from '../shared/errors.ts';
import { DEMO_OPTIONS, type DemoPlan, FOR_MS_MAX, planOf } from './demo-plan.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ringmail-'));
  writeFileSync(join(cwd, 'a.txt'), 'BSM\r\n');
  writeFileSync(join(cwd, 'b.txt'), 'BPM\r\n');
  writeFileSync(join(cwd, 'etx.txt'), 'BSM\x03');
  writeFileSync(join(cwd, 'empty.txt'), '');
});
afterAll(() => rmSync(cwd, { recursive: true }));

function plan(args: string, isTty = false): Promise<DemoPlan> {
  const { values, positionals } = parseArgs({
    args: args.split(' ').filter(Boolean),
    options: DEMO_OPTIONS,
    allowPositionals: true,
  });
  return planOf({ values, operands: positionals }, { cwd, isTty });
}

test('without options: the full hall, for 20 seconds where nobody watches, until Ctrl-C on a terminal', async () => {
  const bare = await plan('');
  expect(bare).toMatchObject({ shape: 'full', end: { kind: 'time', forMs: 20_000 }, output: 'people', afterwards: 'remove' });
  expect([bare.broker, bare.outageMs]).toEqual([undefined, undefined]);
  expect(bare.telegrams).toEqual({ kind: 'generated', seed: bare.seed });
  expect((await plan('', true)).end).toEqual({ kind: 'time', forMs: FOR_MS_MAX });
});

test('every option', async () => {
  expect(await plan('--for 15s --outage --compact --json --keep --seed 7 --broker mqtt://10.0.0.1:1884')).toEqual({
    shape: 'compact',
    neighbours: 'alone',
    telegrams: { kind: 'generated', seed: 7 },
    end: { kind: 'time', forMs: 15_000 },
    outageMs: 15_000,
    bitErrorRate: 0,
    broker: 'mqtt://10.0.0.1:1884',
    seed: 7,
    output: 'json',
    afterwards: 'keep',
  });
});

test('neighbours are a run of their own', async () => {
  expect((await plan('--neighbours --for 15s')).neighbours).toBe('reached');
  expect((await plan('')).neighbours).toBe('alone');
  for (const other of ['--outage', '--compact', '--broker mqtt://h:1', '--from a.txt'])
    await expect(plan(`--neighbours ${other}`)).rejects.toSatisfy((error) => hasCode(error, 'USAGE_INVALID'));
});

test('noise is a share of the bits on the cables, of which the compact hall has none', async () => {
  expect((await plan('--noise 1e-4')).bitErrorRate).toBe(1e-4);
  for (const wrong of ['--noise much', '--noise=-1', '--noise 0.5', '--compact --noise 1e-4']) {
    await expect(plan(wrong)).rejects.toSatisfy((error) => hasCode(error, 'USAGE_INVALID'));
  }
});

test('a run without an end has its outages early', async () => {
  expect((await plan('--outage', true)).outageMs).toBe(30_000);
});

test('files: bytes as they are, in the order of the command line', async () => {
  const given = await plan('--from a.txt b.txt --json --from a.txt');
  expect(given.end).toEqual({ kind: 'told' });
  const texts = given.telegrams.kind === 'given' ? given.telegrams.telegrams.map((bytes) => Buffer.from(bytes).toString()) : [];
  expect(texts.sort()).toEqual(['BPM\r\n', 'BSM\r\n', 'BSM\r\n']);
});

test.each([
  ['a.txt', /a\.txt: files stand behind --from/],
  ['--from a.txt --for 20s', /takes no --for/],
  ['--from a.txt --outage', /no --outage/],
  [
    '--from nowhere.txt etx.txt empty.txt',
    /nowhere\.txt(.|\n)*etx\.txt cannot be.*control-byte(.|\n)*empty\.txt cannot be.*empty/,
  ],
  ['--for 9s --outage', /at least 10s/],
  ['--for 0', /--for 0/],
  ['--for 5h', /--for 5h/],
  ['--for 20', /unit/],
  ['--seed x', /whole number/],
  ['--broker localhost', /--broker localhost/],
  ['--broker mqtt://user@host', /--broker/],
  ['--broker http://host', /--broker/],
  ['--broker mqtts://host --outage', /mqtt:\/\/ only/],
])('%s is refused', async (args, reason) => {
  const error: unknown = await plan(args).catch((caught: unknown) => caught);
  expect(hasCode(error, 'USAGE_INVALID') ? error.details.reason : String(error)).toMatch(reason);
});

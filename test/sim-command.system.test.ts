/** `npm run sim` and `npm run soak` as commands, over a toy yard: what goes in, what comes out, and how it ends. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './child.ts';

const SIM = join(import.meta.dirname, '..', 'scripts', 'sim.mjs');
const SOAK = join(import.meta.dirname, '..', 'scripts', 'soak.mjs');
const TOY = join(import.meta.dirname, 'toy-sim.mjs');
const folder = temporaryFolder('sim-command');
afterAll(folder.remove);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly lastLine: string;
}

function run(script: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], { cwd: folder.path }, (_error, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err, lastLine: out.trimEnd().split('\n').at(-1) ?? '' });
    });
  });
}

const toy = (...args: string[]) => run(TOY, 'sim', ...args);

function jsonLines({ out }: Ended): Record<string, unknown>[] {
  return out
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text));
}

describe('arguments', () => {
  test.each([
    ['sim', SIM],
    ['soak', SOAK],
  ])('%s --help says what there is, and ends well', async (name, script) => {
    const { code, out, err } = await run(script, '--help');
    expect(code).toBe(0);
    expect(out).toContain(`npm run ${name} -- [options]`);
    expect(err).toBe('');
  });

  test.each<[string, string, string[]]>([
    ['an unknown option', SIM, ['--nonsense']],
    ['a word too many', SIM, ['yard']],
    ['seeds that are no number', SIM, ['--seeds', 'many']],
    ['no seeds at all', SIM, ['--seeds', '0']],
    ['a seed that could leave its folder', SIM, ['--seed', '../x']],
    ['a seed and a number of seeds', SIM, ['--seed', '1', '--seeds', '2']],
    ['a first seed beside a seed', SIM, ['--seed', '1', '--from', '2']],
    ['the trace of many seeds', SIM, ['--seeds', '2', '--trace']],
    ['a plan that is not there', SIM, ['--plan', 'nowhere.json']],
    ['half a worker', SIM, ['--workers', '0.5']],
    ['time that is none', SOAK, ['--minutes', '0']],
    ['an unknown option to soak', SOAK, ['--seeds', '1']],
  ])('%s is refused with the help and exit code 64', async (_name, script, args) => {
    const { code, out, err } = await run(script, ...args);
    expect(code).toBe(64);
    expect(out).toBe('');
    expect(err).toContain('[options]');
  });

  test('a file that is no plan is refused', async () => {
    writeFileSync(join(folder.path, 'no-plan.json'), '{"seed":"1"}');
    const { code, err } = await run(SIM, '--plan', 'no-plan.json');
    expect(code).toBe(64);
    expect(err).toContain('no-plan.json is no plan of the yard');
  });
});

describe('seeds that keep every promise', () => {
  test('end with a verdict', async () => {
    const { code, out, lastLine } = await toy('--seeds', '40');
    expect(code).toBe(0);
    expect(lastLine).toBe('sim: 40 seeds, 6 min 40 s virtual time, 800 faults, 0 violations');
    expect(out).toContain('not exercised   S10\n');
  });

  test('say the same with any number of workers', async () => {
    const [none, one, three] = await Promise.all(
      ['0', '1', '3'].map((count) => toy('--seeds', '60', '--workers', count, '--json')),
    );
    expect(one?.out).toBe(none?.out);
    expect(three?.out).toBe(none?.out);
  });

  test('are counted behind a word', async () => {
    expect((await toy('--seeds', '3', '--from', 'abc', '--json')).code).toBe(0);
    expect((await toy('--seeds', '3', '--from', 'bad', '--json', '--no-shrink')).out).toContain('"seed":"bad-2"');
  });

  test('are too little where a long run never hits a mark', async () => {
    const { code, lastLine } = await toy('--seeds', '300');
    expect(code).toBe(1);
    expect(lastLine).toContain('0 violations; FAILED: marks that were never hit: nothing happened');
  });

  test('are too little where they deliver nothing', async () => {
    const { code, lastLine } = await toy('--seeds', '100', '--from', 'empty');
    expect(code).toBe(1);
    expect(lastLine).toContain('100 of 100 seeds delivered too little');
  });
});

describe('a seed that breaks a promise', () => {
  test('is made smaller, and told with the one line that replays it', async () => {
    const { code, out, lastLine } = await toy('--seed', 'bad-1', '--out', 'plans');
    expect(code).toBe(1);
    expect(lastLine).toBe('sim: 1 seed, 10 s virtual time, 21 faults, 1 violation; FAILED: promises are broken');
    expect(out).toContain('3 nodes, 1 send, 1 fault; nothing more can be left out');
    const replays = out.split('\n').filter((text) => text.includes('npm run sim'));
    expect(replays).toEqual(['  npm run sim -- --seed bad-1   # made smaller: npm run sim -- --plan plans/bad-1.json']);
    const again = await toy('--plan', 'plans/bad-1.json', '--trace');
    expect(again.code).toBe(1);
    expect(again.out).toContain('S1: what device-2 sent at 5010 ms is gone');
    expect(again.out).toContain('      5010.000  accepted    {"node":"device-2"}');
    expect(again.lastLine).toContain('1 fault, 1 violation');
  });

  test('is told in JSON, and nothing else is', async () => {
    const lines = jsonLines(await toy('--seed', 'odd-1', '--json', '--out', 'json-plans'));
    expect(lines.map(({ kind }) => kind)).toEqual(['failure', 'shrunk', 'verdict']);
    expect(lines[0]).toMatchObject({ seed: 'odd-1', check: 'S2', replay: 'npm run sim -- --seed odd-1' });
    expect(lines[1]).toMatchObject({ check: 'S2', sends: 1, faults: 0, file: 'json-plans/odd-1.json', ended: 'smallest' });
    expect(lines[2]).toMatchObject({ ok: false, violations: 1, seeds: 1 });
    expect(JSON.parse(readFileSync(join(folder.path, 'json-plans', 'odd-1.json'), 'utf8')).sends).toHaveLength(1);
  });

  test('ends the run where the first failure shall, whichever worker is faster', async () => {
    const lines = jsonLines(
      await toy('--seeds', '50', '--from', 'bad', '--first-failure', '--no-shrink', '--json', '--out', 'none'),
    );
    expect(lines.filter(({ kind }) => kind === 'failure').map(({ seed }) => seed)).toEqual(['bad-0']);
    expect(lines.at(-1)).toMatchObject({ kind: 'verdict', seeds: 1, endedEarly: true });
    expect(existsSync(join(folder.path, 'none'))).toBe(false);
  });
});

describe('a yard that cannot be trusted', () => {
  test('is found where a seed ends differently the second time', async () => {
    const lines = jsonLines(await toy('--seeds', '100', '--from', 'moody', '--json', '--no-shrink', '--first-failure'));
    expect(lines[0]).toMatchObject({ kind: 'failure', check: 'not deterministic' });
  });

  test.each(['crash-1', 'exit-1'])('is no broken promise where it ends badly: %s', async (seed) => {
    const ended = await toy('--seed', seed, '--json');
    expect(ended.code).toBe(1);
    expect(jsonLines(ended).map(({ kind }) => kind)).toEqual(['crash', 'verdict']);
    expect(jsonLines(ended)[1]).toMatchObject({ violations: 0, crashes: 1, ok: false });
  });
});

describe('soak', () => {
  test('ends when the time is up, with totals', async () => {
    const { code, lastLine, out } = await run(TOY, 'soak', '--minutes', '0.0002', '--workers', '1');
    expect([code, lastLine]).toEqual([expect.any(Number), expect.stringMatching(/^soak: [\d,]+ seeds?, .* 0 violations/)]);
    expect(out).toContain('fault × fault');
  });

  test('ends with totals when it is asked to', async () => {
    const child = execFile(process.execPath, [TOY, 'soak', '--json'], { cwd: folder.path });
    let out = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr?.once('data', () => child.kill('SIGINT')); // its first progress
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.signalCode).toBe(null);
    expect(JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      kind: 'verdict',
      violations: 0,
      endedEarly: true,
    });
  });
});

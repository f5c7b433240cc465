/** `npm run explore` as a command: what comes out, how it ends, and that what it prints can be played again. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

function run(...args: string[]): Promise<{ code: number; out: string; lastLine: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(ROOT, 'scripts', 'explore.mjs'), ...args], (_error, out) => {
      resolve({ code: child.exitCode ?? -1, out, lastLine: out.trimEnd().split('\n').at(-1) ?? '' });
    });
  });
}

test('the last line is the verdict', async () => {
  const { code, lastLine } = await run('--states', '660', '--config', 'pair', '--config', 'link');
  expect([code, lastLine]).toEqual([0, '660 states, 0 violations']);
});

test('as JSON, one object a line', async () => {
  const { code, out } = await run('--states', '300', '--config', 'link-begin', '--json');
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([code, lines.map(({ kind }) => kind)]).toEqual([0, ['config', 'verdict']]);
  expect(lines[1]).toMatchObject({ states: 300, violations: 0 });
});

test('what it finds in a spoilt core it prints, and its schedule breaks the same again', async () => {
  const spoilt = ['--config', 'pair', '--weaken', 'free-when-sent'];
  const found = await run('--states', '20000', ...spoilt);
  expect([found.code, found.lastLine]).toEqual([1, expect.stringMatching(/^\d+ states, 1 violations$/)]);
  const schedule = /--replay '([^']+)'/.exec(found.out)?.[1] ?? '';
  const again = await run('--weaken', 'free-when-sent', '--replay', schedule);
  expect([again.code, again.lastLine]).toEqual([1, expect.stringContaining('accepted, and nowhere any more: m0')]);
  const sound = await run('--replay', schedule);
  expect([sound.code, sound.lastLine]).toEqual([0, expect.stringContaining('nothing is broken')]);
});

test.each([
  [['--config', 'nowhere']],
  [['--weaken', 'nothing']],
  [['--states', '0']],
  [['--replay', 'nowhere: 0 flush']],
  [['--unheard-of']],
])('refused: %s', async (args) => {
  expect((await run(...args)).code).toBe(64);
});

test('--help says what there is', async () => {
  const { code, out } = await run('--help');
  expect([code, out]).toEqual([0, expect.stringContaining('--replay')]);
});

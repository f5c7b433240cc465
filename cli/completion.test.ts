/** Scripts of completion: all of the help is in them, the shells read them, and bash completes by them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandTable } from './args.ts';
import { COMMANDS, GROUPS } from './cli-fixture.ts';
import { completionOf, treeOf } from './completion.ts';
import { FakeWorld } from './fake-world.ts';
import { runCommandLine } from './run.ts';

const ALL: CommandTable = {
  ...COMMANDS,
  ...GROUPS,
  ring: async () => (await import('./ring.ts')).ring,
  completion: async () => completionOf(ALL),
};
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

let folder: string;
const scripts = new Map<string, string>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const world = new FakeWorld(folder);
    expect(await runCommandLine(ALL, ['completion', shell], world)).toBe(0);
    scripts.set(shell, world.out);
    writeFileSync(join(folder, shell), world.out);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(['bash', 'zsh', 'fish'])('%s has each command and each option of the help', async (shell) => {
  const script = scripts.get(shell) ?? '';
  for (const { words, options, tools } of await treeOf(ALL)) {
    const help = new FakeWorld(folder);
    await runCommandLine(ALL, [...words, '--help'], help);
    const said = [...help.out.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map(([, name = '']) => name);
    if (tools.length === 0) expect(Object.keys(options).sort()).toEqual([...new Set(said)].sort());
    const line = script
      .split('\n')
      .filter((one) => (shell === 'fish' ? isFishLineOf(one, words) : one.includes(`'${words.join(' ')}')`)));
    const flags = Object.keys(options).map((name) => (shell === 'fish' ? `-l ${name} ` : `--${name}`));
    for (const word of [...flags, ...tools.map(({ name }) => name)]) expect(line.join('\n'), words.join(' ')).toContain(word);
  }
});

function isFishLineOf(line: string, words: readonly string[]): boolean {
  const conditions = [...line.matchAll(/(?<!not )__fish_seen_subcommand_from (\w[\w-]*)/g)].map(([, word]) => word);
  return line.startsWith('complete') && conditions.join(' ') === words.join(' ');
}

describe.each(['bash', 'zsh', 'fish'])('%s', (shell) => {
  test.skipIf(!has(shell))('reads it', () => {
    expect(spawnSync(shell, ['-n', join(folder, shell)], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});

describe.skipIf(!has('bash'))('bash completes', () => {
  test.each<[string, string]>([
    ['ringmail que', 'queue'],
    ['ringmail queue cr', 'create'],
    ['ringmail queue create bags --when-full drop-', 'drop-oldest drop-lowest-priority'],
    ['ringmail queue create --bytes-l', '--bytes-limit'],
    ['ringmail send bags --acknowledge r', 'reach receive'],
    ['ringmail send bags --priority 5 --appl', ''],
    ['ringmail receive bags --head', ''],
    ['ringmail peek bags --head', '--headers-only'],
    ['ringmail completion --he', '--help'],
    ['ringmail --ver', '--version'],
  ])('%s', (line, expected) => {
    const words = line.split(' ');
    const program = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _ringmail; echo "\${COMPREPLY[*]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', program, join(folder, 'bash'), ...words], { encoding: 'utf8' });
    expect([stdout.trim(), stderr]).toEqual([expected, '']);
  });
});

test('another shell is refused by the name of the operand', async () => {
  const world = new FakeWorld(folder);
  expect(await runCommandLine(ALL, ['completion', 'tcsh'], world)).toBe(2);
  expect(world.err).toContain('<shell> tcsh: one of bash, zsh, fish');
});

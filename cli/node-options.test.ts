/** The command lines of `ringmail node` and its presets, as far as nothing is started. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig } from '../shared/node/config/config.ts';
import { CliFixture } from './cli-fixture.ts';
import type { FakeWorld } from './fake-world.ts';
import { node, presetCommand } from './node.ts';
import { runCommandLine } from './run.ts';

const COMMANDS = {
  node: async () => node,
  device: async () => presetCommand('device', 'a device'),
  gateway: async () => presetCommand('gateway', 'a gateway'),
  central: async () => presetCommand('central', 'a central'),
};
const PRESETS = ['device', 'gateway', 'central'] as const;

let cli: CliFixture;
let world: FakeWorld;
beforeEach(() => {
  cli = new CliFixture();
  world = cli.newWorld();
});
afterEach(() => cli.end());

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const code = await runCommandLine(COMMANDS, argv, world);
  return { code, out: world.out, err: world.err };
}

/** Gives its path, relative to where the command runs. */
function file(lines: readonly string[]): string {
  writeFileSync(join(cli.folder, 'node.toml'), lines.join('\n'));
  return 'node.toml';
}

describe('--check', () => {
  test('of a good file says so, and starts nothing', async () => {
    const path = file(['name = "box-1"', '[ring]', 'path = "box.ring"', 'size = "16 MiB"', '[queues.bags]', 'limit = "1 MiB"']);
    expect(await run('node', '--config', path, '--check')).toEqual({ code: 0, out: 'node.toml: no problems\n', err: '' });
    expect(readdirSync(cli.folder)).toEqual(['node.toml']);
  });

  test('of a bad file tells every problem with its line, and ends with 2', async () => {
    const path = file(['name = "Box 1"', '[ring]', 'size = "16 MB of it"', 'pth = "x"', '[uplink]', 'kind = "pigeon"']);
    const { code, out, err } = await run('node', '--config', path, '--check');
    expect([code, out]).toEqual([2, '']);
    const [first, ...problems] = err.trimEnd().split('\n');
    expect(first).toBe('ringmail: CONFIG_INVALID');
    const told = problems.map((problem) => /^ {2}line (\d+): (\S+): ./.exec(problem)?.slice(1, 3).join(' '));
    expect(told).toEqual(['1 name', '3 ring.size', '4 ring.pth', '6 uplink.kind']);
    expect(readdirSync(cli.folder)).toEqual(['node.toml']);
  });

  test('of a file that is no TOML tells where it stops being it', async () => {
    const { code, err } = await run('node', '--config', file(['name = "box-1"', 'oops']), '--check');
    expect([code, err]).toEqual([2, expect.stringContaining('line 2')]);
  });

  test('of a file that is not there ends with 2', async () => {
    const { code, err } = await run('node', '--config', 'absent.toml', '--check');
    expect([code, err]).toEqual([2, expect.stringContaining('absent.toml: no such file')]);
  });

  test('of what --dev stands for', async () => {
    expect(await run('node', '--dev', '--check')).toEqual({ code: 0, out: 'dev preset: no problems\n', err: '' });
  });
});

test('a bad file is refused without --check too, and nothing is started', async () => {
  expect((await run('node', '--config', file(['name = 5']))).code).toBe(2);
  expect(readdirSync(cli.folder)).toEqual(['node.toml']);
});

describe('command lines that are not understood end with 2, and start nothing', () => {
  test.each([
    [['node'], '--config <file> or --dev'],
    [['node', '--config', 'node.toml', '--dev'], '--config <file> or --dev'],
    [['node', '--confg', 'node.toml'], '--confg'],
    [['node', 'node.toml'], 'node.toml'],
    [['gateway', '--speed', '9600'], '--speed'],
    [['device', '--belt', 'belt-1'], '--belt belt-1'],
    [['device', '--belt', '=unix:a.sock'], '--belt =unix:a.sock'],
    [['device', '--belt', 'belt-1='], '--belt belt-1='],
  ])('%j', async (argv, named) => {
    file(['name = "box-1"']);
    const { code, out, err } = await run(...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('ringmail: USAGE_INVALID');
    expect(err).toContain(named);
    expect(err).toContain(`Try: ringmail ${argv[0]} --help`);
    expect(readdirSync(cli.folder)).toEqual(['node.toml']);
  });
});

describe('--print-config', () => {
  const printed = async (...argv: string[]) => {
    const { code, out, err } = await run(...argv, '--print-config');
    expect([code, err]).toEqual([0, '']);
    expect(readdirSync(cli.folder)).toEqual([]);
    return parseConfig(out, { directory: cli.folder });
  };

  test.each(PRESETS)('%s: what it prints is a configuration', async (preset) => {
    const config = await printed(preset);
    expect(config.name).toBe({ device: 'device-1', gateway: 'gateway-1', central: 'central' }[preset]);
    expect(config.ring.path.startsWith(cli.folder)).toBe(true);
  });

  test('device: every option is in it, each belt as an adapter', async () => {
    const config = await printed(
      ...['device', '--name', 'box-7', '--folder', 'var', '--ring-size', '4 MiB', '--central', 'hub', '--queue', 'local'],
      ...['--line', 'tcp:127.0.0.1:7001', '--belt', 'east=serial:/dev/ttyUSB0?baud=9600', '--belt', 'west=unix:west.sock'],
    );
    expect(config).toMatchObject({
      name: 'box-7',
      ring: { path: join(cli.folder, 'var', 'box-7.ring'), bytes: 4 * 2 ** 20 },
      queues: [{ name: 'local' }],
      uplinks: [{ kind: 'link', line: { kind: 'tcp', host: '127.0.0.1', port: 7001 } }],
      adapters: [
        { kind: 'belt', name: 'east', destination: 'hub/bags', port: { kind: 'serial', path: '/dev/ttyUSB0' } },
        { kind: 'belt', name: 'west', destination: 'hub/bags', port: { kind: 'unix', path: join(cli.folder, 'west.sock') } },
      ],
    });
  });

  test('gateway: broker and lines are in it', async () => {
    const lines = ['--listen', 'unix:a.sock', '--listen', 'tcp:127.0.0.1:7002'];
    const { uplinks, links } = await printed('gateway', '--broker', 'mqtt://b.example:1884', ...lines);
    expect(uplinks[0]).toMatchObject({ kind: 'mqtt', broker: 'mqtt://b.example:1884', central: 'central' });
    expect(links.map(({ listen }) => listen.kind)).toEqual(['unix', 'tcp']);
  });

  test('central: its name, broker and queues are in it', async () => {
    const options = ['--name', 'hub', '--broker', 'mqtt://b.example:1884', '--queue', 'a', '--queue', 'b'];
    const { central, queues } = await printed('central', ...options);
    expect(central).toMatchObject({ name: 'hub', broker: 'mqtt://b.example:1884' });
    expect(queues.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('options that make no configuration are refused before anything starts', async () => {
    const { code, err } = await run('device', '--belt', 'belt-1=pigeon:post');
    expect([code, err]).toEqual([2, expect.stringContaining('adapters[0].port')]);
    expect(readdirSync(cli.folder)).toEqual([]);
  });
});

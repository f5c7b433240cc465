/** What is published: the entries of package.json as they were built, their names, the notices, and what a node loads. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CLI, startCli, temporaryFolder } from './child.ts';

const ROOT = join(import.meta.dirname, '..');
const run = promisify(execFile);

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

describe('package.json', () => {
  test.each(Object.entries(manifest.exports))('%s leads to a file that was built from a source of its own', (_name, target) => {
    if (typeof target === 'string') return expect(existsSync(join(ROOT, target))).toBe(true);
    expect(existsSync(join(ROOT, target.default))).toBe(true);
    // The declarations mirror the sources; a build without them is allowed here.
    const [, source = ''] = /^\.\/dist\/types\/(.+)\.d\.ts$/.exec(target.types) ?? [];
    expect(existsSync(join(ROOT, `${source}.ts`))).toBe(true);
  });

  test('its command is the built command line, and says its version', async () => {
    expect(manifest.bin).toEqual({ ringmail: 'dist/cli.js' });
    expect(readFileSync(CLI, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
    const { stdout } = await run(CLI, ['--version']);
    expect(stdout).toBe(`${manifest.version}\n`);
  });
});

describe('an import by another program gives the names that README and docs promise', () => {
  test.each([
    ['ringmail', ['openNode', 'LocalNode', 'ApiClient', 'RingmailError', 'hasCode', 'parseAddress', 'identityText']],
    ['ringmail/device', ['runBelt', 'BeltAdapter', 'readRp1745', 'encodeTelegram', 'runUplink']],
    ['ringmail/gateway', ['startBroker', 'runIngress', 'runLink', 'Passwords']],
    ['ringmail/central', ['openCentral']],
    ['ringmail/embedded', ['EmbeddedNode', 'formatStorage', 'toUtf8', 'fromUtf8', 'RingmailError', 'hasCode']],
    [
      'ringmail/sim',
      ['World', 'SimNode', 'SimDisk', 'SimBroker', 'BeltController', 'telegramSource', 'openPty', 'PtyCable', 'stream'],
    ],
  ])('%s', async (entry, names) => {
    const script = `const all = await import('${entry}'); console.log(JSON.stringify(Object.entries(all).map(([n, v]) => [n, typeof v])));`;
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT });
    const exported = new Map(JSON.parse(stdout) as [string, string][]);
    expect(names.filter((name) => exported.get(name) !== 'function')).toEqual([]);
    expect(stderr).toBe('');
  });

  test('and nothing that is not in the list of entries', async () => {
    const script = "await import('ringmail/dist/cli.js')";
    await expect(run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT })).rejects.toMatchObject({
      stderr: expect.stringContaining('ERR_PACKAGE_PATH_NOT_EXPORTED'),
    });
  });
});

describe('THIRD-PARTY-NOTICES.txt', () => {
  const [, ...notices] = readFileSync(join(ROOT, 'dist', 'THIRD-PARTY-NOTICES.txt'), 'utf8').split(/^-{78}\n/m);

  test.each(['mqtt', 'cbor-x', 'aedes', 'toml-eslint-parser'])('names %s, its version, and the text of its licence', (name) => {
    const installed = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string };
    const [notice = ''] = notices.filter((text) => text.startsWith(`${name} ${installed.version}\n`));
    expect(notice).toMatch(/^Licence: MIT$/m);
    expect(notice).toMatch(/copyright|permission is hereby granted|MIT License/i);
  });

  test('every package has a licence text', () => {
    expect(notices.length).toBeGreaterThan(10);
    expect(notices.filter((text) => text.includes('carries no licence text')).map((text) => text.split('\n')[0])).toEqual([]);
  });
});

describe('native code', () => {
  const NATIVE = /\S+\.node$/gm;
  const hasMaps = existsSync('/proc/self/maps');
  const hasSerialport = ((): boolean => {
    try {
      createRequire(import.meta.url).resolve('serialport');
      return true;
    } catch {
      return false; // optional: it is not installed everywhere
    }
  })();

  test('a node without serial ports loads none', async (context) => {
    context.skip(!hasMaps, 'this system has no /proc/<pid>/maps');
    const folder = temporaryFolder('native');
    const child = startCli(['node', '--dev', '--allow-volatile'], folder.path);
    try {
      const [, pid = ''] = await child.said(/^pid (\d+)$/m);
      await run(process.execPath, [CLI, 'send', 'bags', 'x'], { cwd: folder.path });
      const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
      expect(maps).toContain(process.execPath);
      expect(maps.match(NATIVE)).toBeNull();
    } finally {
      await child.kill('SIGTERM');
      folder.remove();
    }
  });

  test('would be seen that way', async (context) => {
    context.skip(!hasMaps || !hasSerialport, 'needs /proc/<pid>/maps and serialport');
    const script = "require('serialport'); process.stdout.write(require('node:fs').readFileSync('/proc/self/maps', 'utf8'))";
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: ROOT });
    expect(stdout.match(NATIVE)).not.toBeNull();
  });
});

/** What is published: the entries of package.json as they were built, their names, the notices, and what a node loads. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { createRing } from '../shared/node/create-ring.ts';
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
    ['ringmail/gateway', ['startBroker', 'runLink']],
    ['ringmail/central', ['openCentral']],
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

describe('the device core', () => {
  /** Runs in the bare engine: opens a ring in an array, sends, receives, acknowledges, closes. */
  const PROGRAM = `
    const file = Uint8Array.from(image, (char) => char.charCodeAt(0));
    let seed = 1;
    const random = { bytes: (count) => Uint8Array.from({ length: count }, () => (seed = (seed * 48271) % 2147483647) & 255) };
    const config = { name: 'box-1', queues: [{ name: 'bags', bytesLimit: 100000 }], unknownQueue: 'refuse', queueBytesLimit: 100000,
      uplink: 'link', central: 'central', isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined };
    const node = new core.NodeCore(config, { file: { path: 'ring', size: file.length }, checksum: core.crc32, random });
    const said = [];
    let nowMs = 0;
    const put = (input) => {
      const inputs = [input];
      for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
        for (const output of node.step(next, nowMs)) {
          const { kind, id, offset } = output;
          if (kind === 'read')
            inputs.push({ kind: 'ring', input: { kind: 'readDone', id, bytes: file.slice(offset, offset + output.length) } });
          else if (kind === 'write') {
            file.set(output.bytes, offset);
            inputs.push({ kind: 'ring', input: { kind: 'flushed', id } });
          } else said.push(output);
        }
      }
      for (let i = 0; i < 1000 && node.wakeAtMs !== undefined && node.wakeAtMs <= nowMs; i++) put({ kind: 'tick' });
    };
    const call = (token, what) => {
      put({ kind: 'call', token, call: what });
      return said.find((output) => output.kind === 'answer' && output.token === token)?.result;
    };
    put({ kind: 'tick' });
    const sent = call(1, { verb: 'send', destination: 'bags', body: Uint8Array.of(1, 2, 3), properties: { label: 'Gepäck 🧳' } });
    const got = call(2, { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
    const acked = call(3, { verb: 'ack', lease: got?.received?.lease });
    put({ kind: 'close' });
    JSON.stringify({
      serves: said.some(({ kind }) => kind === 'serving'), identity: sent?.identity, sent: sent?.kind,
      body: [...(got?.received?.message.body ?? [])], label: got?.received?.message.label, acked: acked?.kind, ended: node.phase,
      host: ['Buffer', 'process', 'require', 'setTimeout', 'TextEncoder', 'TextDecoder', 'performance', 'crypto'].filter((n) => n in globalThis),
    });`;

  test('runs where there is nothing but the language: no module, no timer, no Buffer, no text codec', async () => {
    const folder = temporaryFolder('core');
    const ringPath = join(folder.path, 'ring');
    await createRing(ringPath, { fileBytes: 388 * 4096, fileId: new Uint8Array(16).fill(9), volatile: 'allow' });
    const image = readFileSync(ringPath, 'latin1');
    folder.remove();
    const { outputFiles, warnings } = await build({
      stdin: {
        contents: "export { NodeCore } from './dist/core.js'; export { crc32 } from './shared/crc32.ts';",
        resolveDir: ROOT,
        loader: 'ts',
      },
      absWorkingDir: ROOT,
      bundle: true,
      format: 'iife',
      globalName: 'core',
      platform: 'neutral',
      target: 'es2022',
      write: false,
      logLevel: 'silent',
    });
    expect(warnings).toEqual([]);
    const context = createContext({ image });
    runInContext(outputFiles[0]?.text ?? '', context);
    const result = JSON.parse(
      runInContext(`(() => {${PROGRAM.replace(/JSON\.stringify\(\{\n/, (match) => `return ${match}`)}})()`, context),
    ) as object;
    expect(result).toEqual({
      serves: true,
      sent: 'sent',
      identity: expect.stringMatching(/^box-1:[0-9a-f]{16}:box-1\/bags:\d:1$/),
      body: [1, 2, 3],
      label: 'Gepäck 🧳',
      acked: 'done',
      ended: 'closed',
      host: [],
    });
  });

  test('asks for no module but cbor-x without native code and without eval', async () => {
    const { metafile } = await build({
      entryPoints: [join(ROOT, 'dist', 'core.js')],
      bundle: true,
      packages: 'external',
      platform: 'neutral',
      format: 'esm',
      metafile: true,
      write: false,
    });
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
    expect(imports).toEqual(['cbor-x/index-no-eval']);
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

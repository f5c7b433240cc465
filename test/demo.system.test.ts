/**
 * The main job as a newcomer starts it: the built command line, real processes, real terminals, a real broker, in a directory of its
 * own. What it says is compared with what it left behind.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RecordReader } from '../hardware-sim/hall/hall-arrivals.ts';
import type { HallLedger } from '../hardware-sim/hall/hall-ledger.ts';
import { serialLinesAvailable } from '../hardware-sim/hall/hall-lines.ts';

const CLI = join(import.meta.dirname, '../dist/cli.js');
const TELEGRAMS = join(import.meta.dirname, '../../shared/data/bsm');
const KEYS =
  'accepted,received,deadLettered,expired,lost,duplicates,redelivered,outOfOrder,outages,seconds,messagesPerSecond'.split(',');
/** 10 s of belts, start, draining and end, several times over. */
const DEMO_MS_MAX = 120_000;

const noSerial = await serialLinesAvailable();
const mosquitto = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (program) => spawnSync(program, ['-h'], { stdio: 'ignore' }).error === undefined,
);

let cwd: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ringmail-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await vi.waitFor(() => expect(processIdsOf(cwd).map(commandLineOf)).toEqual([]), 10_000);
  rmSync(cwd, { recursive: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly out: { stdout: string; stderr: string };
  /** Exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

function run(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Run {
  const child = spawn(process.execPath, [CLI, 'demo', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  started.push(child);
  const out = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    out.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    out.stderr += chunk;
  });
  return { child, out, ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? ''))) };
}

/** Runs to the end. stdout must be one line of JSON, whatever the exit code; that must be 0. */
async function ledgerOf(...[args, options]: Parameters<typeof run>): Promise<HallLedger & { stderr: string }> {
  const { out, ended } = run([...args, '--json'], options);
  const code = await ended;
  expect(code, `${out.stderr}\n${out.stdout}`).toBe(0);
  const [line = '', ...rest] = out.stdout.split('\n');
  expect(rest).toEqual(['']);
  const ledger = JSON.parse(line) as HallLedger;
  expect(Object.keys(ledger)).toEqual(KEYS);
  return { ...ledger, stderr: out.stderr };
}

/** Processes that work in `directory` or below it. */
function processIdsOf(directory: string): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      const place = readlinkSync(`/proc/${entry}/cwd`);
      return place === directory || place.startsWith(`${directory}/`);
    } catch {
      return false; // no process, or it ended while we looked
    }
  });
}

/** Empty when it has ended. */
function commandLineOf(pid: string): string {
  const path = `/proc/${pid}/cmdline`;
  return existsSync(path) ? readFileSync(path, 'utf8').replaceAll('\0', ' ') : '';
}

function expectClean(ledger: HallLedger): void {
  expect(ledger).toMatchObject({ lost: 0, duplicates: 0, outOfOrder: 0 });
  expect(ledger.received + ledger.deadLettered + ledger.expired).toBe(ledger.accepted);
}

/** Starts mosquitto on a free port of the loopback device, without memory. */
async function startMosquitto(program: string): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const file = join(cwd, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
  started.push(spawn(program, ['-c', file], { stdio: 'ignore' }));
  await vi.waitFor(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(void socket.destroy())).on('error', reject);
      }),
    10_000,
  );
  return `mqtt://127.0.0.1:${port}`;
}

describe.each([
  ['full', 5, 100],
  ['compact', 4, 50],
] as const)('the %s hall, everything in it broken once', (shape, outages, acceptedMin) => {
  const args = [...(shape === 'compact' ? ['--compact'] : []), '--for', '12s', '--outage'];

  test(
    'on the embedded broker: nothing lost, nothing twice, in order',
    async () => {
      const ledger = await ledgerOf(args);
      expectClean(ledger);
      expect(ledger.outages).toBe(outages);
      expect(ledger.accepted).toBeGreaterThan(acceptedMin);
      expect(ledger.stderr).not.toMatch(/ended by itself/);
      if (noSerial === undefined)
        expect(ledger.stderr).toMatch(shape === 'full' ? /cable-\d: back, now \/dev\/pts/ : /belt-\d: back, now \/dev\/pts/);
      else expect(ledger.stderr).toMatch(/TCP lines stand in/);
      expect(existsSync(join(cwd, '.ringmail'))).toBe(false);
    },
    DEMO_MS_MAX,
  );

  test(
    'on mosquitto, cut off instead of killed',
    async (context) => {
      if (mosquitto === undefined) return context.skip('mosquitto is not installed');
      const ledger = await ledgerOf([...args, '--broker', await startMosquitto(mosquitto)]);
      expectClean(ledger);
      expect(ledger.outages).toBe(outages);
      expect(ledger.accepted).toBeGreaterThan(acceptedMin);
    },
    DEMO_MS_MAX,
  );
});

test(
  'neighbours under one gateway reach each other while broker and central are away',
  async () => {
    const { out, ended } = run(['--neighbours', '--for', '10s', '--json']);
    expect(await ended, out.stderr).toBe(0);
    const ledger = JSON.parse(out.stdout) as HallLedger;
    expectClean(ledger);
    expect(ledger.neighbours).toBeGreaterThan(10);
    expect(out.stderr).toMatch(/central is gone, and stays away until the end/);
  },
  DEMO_MS_MAX,
);

test(
  'telegrams of the world go through all hops byte for byte; the one without a tag is dead-lettered, with its reason',
  async (context) => {
    if (!existsSync(TELEGRAMS)) return context.skip(`no ${TELEGRAMS}`);
    const files = readdirSync(TELEGRAMS).filter((name) => name.endsWith('.txt'));
    expect(files).toContain('bad_no_tag.txt');
    const ledger = await ledgerOf(['--keep', '--from', ...files.map((name) => join(TELEGRAMS, name))]);
    expectClean(ledger);
    expect(ledger).toMatchObject({ accepted: files.length, received: files.length - 1, deadLettered: 1 });

    const [folder = ''] = readdirSync(join(cwd, '.ringmail'));
    const text = readFileSync(join(cwd, '.ringmail', folder, 'arrivals.jsonl'), 'utf8');
    const arrivals = new RecordReader().push(text).flatMap((record) => (record.kind === 'effect' ? [record.arrival] : []));
    const told = (names: string[]): string[] => names.map((name) => readFileSync(join(TELEGRAMS, name), 'latin1')).sort();
    const bodies = (queue: string): string[] =>
      arrivals
        .filter((arrival) => arrival.queue === queue)
        .map(({ body }) => Buffer.from(body).toString('latin1'))
        .sort();
    expect(bodies('bags')).toEqual(told(files.filter((name) => name !== 'bad_no_tag.txt')));
    expect(bodies('$dead')).toEqual(told(['bad_no_tag.txt']));
    expect(arrivals.find(({ queue }) => queue === '$dead')?.ending).toBe('BAD_TELEGRAM');
  },
  DEMO_MS_MAX,
);

test(
  'without pseudo-terminals it uses TCP lines, and says so',
  async () => {
    const ledger = await ledgerOf(['--for', '10s', '--outage'], { env: { ...process.env, PATH: cwd } });
    expectClean(ledger);
    expect(ledger.outages).toBe(5);
    expect(ledger.stderr).toMatch(/TCP lines stand in/);
  },
  DEMO_MS_MAX,
);

test(
  'in memory it runs, and says what that means',
  async (context) => {
    const memory = '/dev/shm';
    if (!existsSync(memory) || statfsSync(memory).type !== 0x01021994) return context.skip(`no tmpfs at ${memory}`);
    rmSync(cwd, { recursive: true });
    cwd = mkdtempSync(join(memory, 'ringmail-'));
    const ledger = await ledgerOf(['--for', '3s']);
    expectClean(ledger);
    expect(ledger.stderr).toMatch(/in memory \(tmpfs\)/);
  },
  DEMO_MS_MAX,
);

test(
  'Ctrl-C drains, prints the ledger and exits by it',
  async () => {
    const { child, out, ended } = run(['--for', '1h', '--seed', '7']);
    await vi.waitFor(() => expect(out.stderr).toMatch(/received [1-9]/), { timeout: 60_000, interval: 100 });
    child.kill('SIGINT');
    expect(await ended, out.stderr).toBe(0);
    expect(out.stdout).toMatch(/Every acknowledged telegram is accounted for\./);
    expect(out.stdout).toMatch(/device-4/);
    expect(existsSync(join(cwd, '.ringmail'))).toBe(false);
  },
  DEMO_MS_MAX,
);

test.each([
  ['a second Ctrl-C leaves at once', ['SIGINT', 'SIGINT'], 130],
  ['kill -9', ['SIGKILL'], 'SIGKILL'],
] as const)(
  '%s, and no process is left behind',
  async (name, signals, end) => {
    const { child, out, ended } = run(['--for', '1h', '--json']);
    await vi.waitFor(() => expect(out.stderr).toMatch(/received [1-9]/), { timeout: 60_000, interval: 100 });
    expect(processIdsOf(cwd).length).toBeGreaterThan(6);
    for (const signal of signals) {
      child.kill(signal);
      if (signals.length > 1) await vi.waitFor(() => expect(out.stderr).toMatch(/draining/), 5000);
    }
    expect(await ended).toBe(end);
    if (name !== 'kill -9' || spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0) {
      await vi.waitFor(() => expect(processIdsOf(cwd).map(commandLineOf)).toEqual([]), 10_000);
    }
  },
  DEMO_MS_MAX,
);

test(
  'a process that ends by itself is started again and reported, the ledger stays clean, the exit code does not',
  async () => {
    const { child, out, ended } = run(['--for', '1h']);
    await vi.waitFor(() => expect(out.stderr).toMatch(/received [1-9]/), { timeout: 60_000, interval: 100 });
    const gateway = processIdsOf(cwd).find((pid) => commandLineOf(pid).includes('gateway.toml'));
    process.kill(Number(gateway), 'SIGKILL');
    await vi.waitFor(() => expect(out.stderr).toMatch(/gateway ended by itself \(SIGKILL\)/), 10_000);
    child.kill('SIGTERM');
    expect(await ended, out.stderr).toBe(1);
    expect(out.stdout).toMatch(/Every acknowledged telegram is accounted for\./);
    expect(out.stdout).toMatch(/PROBLEM: gateway ended by itself/);
    const [folder = ''] = readdirSync(join(cwd, '.ringmail'));
    expect(out.stderr).toContain(folder);
    expect(readdirSync(join(cwd, '.ringmail', folder))).toEqual(
      expect.arrayContaining(['gateway.log', 'gateway.ring', 'arrivals.jsonl']),
    );
  },
  DEMO_MS_MAX,
);

test(
  'Ctrl-C before anything was told: nothing is left, neither processes nor files, however deep the directory',
  async () => {
    const deep = join(cwd, 'd'.repeat(120));
    mkdirSync(deep);
    const { child, out, ended } = run([], { cwd: deep });
    await vi.waitFor(() => expect(processIdsOf(cwd).length).toBeGreaterThan(8), { timeout: 60_000, interval: 20 });
    child.kill('SIGINT');
    expect([0, 130], out.stderr).toContain(await ended);
    expect(processIdsOf(cwd)).toEqual([]);
    expect(readdirSync(deep)).toEqual([]);
  },
  DEMO_MS_MAX,
);

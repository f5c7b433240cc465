/**
 * Goal: whatever process on a box is killed, every number that was sent is received, once, under one identity. Method: three senders
 * in three languages, two receivers in two, one node; `kill -9` of each of the six in turn, twice around, each time when all of them
 * have got on since the last kill. A receiver that is killed between its effect and the answer to its ack gets the message again:
 * that is told by the identity, so what counts is identities.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ApiClient } from '../shared/node/api/client.ts';
import { startCli, temporaryFolder } from './child.ts';

const PROGRAMS = join(import.meta.dirname, 'three-senders');
const ROUNDS = 2;
/** Between two kills each sender gets this many numbers through, and each receiver takes as many. */
const PROGRESS_COUNT = 5;
const STEP_MS_MAX = 20_000;

type Role = 'node' | 'typescript' | 'python' | 'curl' | 'receiver-ts' | 'receiver-py';
const SENDERS = ['typescript', 'python', 'curl'] as const;
const RECEIVERS = ['receiver-ts', 'receiver-py'] as const;

const folder = temporaryFolder('three-senders');
const socketPath = join(folder.path, '.ringmail', 'ringmail.sock');
const inFolder = (name: string): string => join(folder.path, name);
const running = new Map<Role, ChildProcess>();
/** Those whose output is whole: an `exit` may come before the last line was read. */
const closed = new WeakSet<ChildProcess>();
let printed = '';

const COMMANDS: Readonly<Record<Exclude<Role, 'node'>, readonly [string, ...string[]]>> = {
  typescript: [process.execPath, join(PROGRAMS, 'sender.mjs'), socketPath, inFolder('stop')],
  python: ['python3', '-B', join(PROGRAMS, 'sender.py'), socketPath, inFolder('stop')],
  curl: ['bash', join(PROGRAMS, 'sender.sh'), socketPath, inFolder('stop'), inFolder('curl.numbers')],
  'receiver-ts': [process.execPath, join(PROGRAMS, 'receiver.mjs'), socketPath, inFolder('drained'), inFolder('receiver-ts')],
  'receiver-py': ['python3', '-B', join(PROGRAMS, 'receiver.py'), socketPath, inFolder('drained'), inFolder('receiver-py')],
};

afterEach(() => {
  for (const child of running.values()) child.kill('SIGKILL');
  folder.remove();
});

async function start(role: Role): Promise<void> {
  if (role === 'node') {
    const node = startCli(['node', '--dev'], folder.path);
    running.set(role, node.process);
    await node.said(/pid \d+/);
    return;
  }
  const [program, ...args] = COMMANDS[role];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const hear = (chunk: Buffer): void => {
    printed += `${role}: ${chunk}`;
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.once('close', () => closed.add(child));
  running.set(role, child);
}

async function kill(role: Role): Promise<void> {
  const child = running.get(role);
  // One that ended by itself is a failure of its own.
  expect({ role, ended: child?.exitCode ?? null, printed }).toEqual({ role, ended: null, printed });
  const ended = new Promise((resolve) => child?.once('exit', resolve));
  child?.kill('SIGKILL');
  await ended;
}

/** What a receiver did: `<identity> <sender> <number>`. */
function effectsOf(
  receiver: (typeof RECEIVERS)[number],
): { readonly identity: string; readonly sender: string; number: number }[] {
  if (!existsSync(inFolder(receiver))) return [];
  const lines = readFileSync(inFolder(receiver), 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => {
    const [identity = '', sender = '', number = ''] = line.split(' ');
    return { identity, sender, number: Number(number) };
  });
}

/** How far each of them got. */
function progress(): Map<string, number> {
  const effects = RECEIVERS.map(effectsOf);
  const far = new Map<string, number>(RECEIVERS.map((receiver, i) => [receiver, effects[i]?.length ?? 0]));
  for (const { sender, number } of effects.flat()) far.set(sender, Math.max(number, far.get(sender) ?? 0));
  return far;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + STEP_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${STEP_MS_MAX} ms; ${[...progress()]}; ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function allGotOnSince(before: ReadonlyMap<string, number>): boolean {
  const now = progress();
  return [...SENDERS, ...RECEIVERS].every((role) => (now.get(role) ?? 0) >= (before.get(role) ?? 0) + PROGRESS_COUNT);
}

/** Asks it to stop, and waits until it did. */
async function finish(role: Role): Promise<void> {
  const child = running.get(role);
  await until(`${role} ends`, () => child !== undefined && closed.has(child));
  expect({ role, code: child?.exitCode, printed }).toEqual({ role, code: 0, printed });
}

test('three senders, two receivers, each killed in turn: every number once', { timeout: 90_000 }, async ({ skip }) => {
  for (const program of ['python3', 'curl', 'bash']) {
    skip(spawnSync(program, ['--version']).status !== 0, `there is no ${program}`);
  }
  const roles: readonly Role[] = ['node', ...SENDERS, ...RECEIVERS];
  for (const role of roles) await start(role);
  for (let round = 1; round <= ROUNDS; round++) {
    for (const role of roles) {
      const before = progress();
      await until(`all get on before ${role} is killed`, () => allGotOnSince(before));
      process.stderr.write(
        `three senders: round ${round}, killing ${role} at ${[...progress()].map((one) => one.join(' ')).join(', ')}\n`,
      );
      await kill(role);
      await start(role);
    }
  }
  const before = progress();
  await until('all get on after the last kill', () => allGotOnSince(before));

  writeFileSync(inFolder('stop'), '');
  for (const sender of SENDERS) await finish(sender);
  const last = new Map(SENDERS.map((sender) => [sender, Number(new RegExp(`^${sender}: last (\\d+)$`, 'm').exec(printed)?.[1])]));
  const client = new ApiClient({ socketPath });
  await until('the queue is empty', async () => {
    const { ready, leased, delayed } = await client.queue('bags');
    return ready + leased + delayed === 0;
  });
  client.close();
  writeFileSync(inFolder('drained'), '');
  for (const receiver of RECEIVERS) await finish(receiver);

  const effects = RECEIVERS.flatMap(effectsOf);
  const identities = new Map<string, Set<string>>();
  for (const { identity, sender, number } of effects) {
    const key = `${sender} ${number}`;
    identities.set(key, (identities.get(key) ?? new Set()).add(identity));
  }
  const sent = SENDERS.flatMap((sender) => Array.from({ length: last.get(sender) ?? 0 }, (_, i) => `${sender} ${i + 1}`));
  expect(sent.filter((key) => !identities.has(key))).toEqual([]);
  expect([...identities].filter(([, under]) => under.size > 1)).toEqual([]);
  expect([...identities.keys()].length).toBe(sent.length);
  expect(new Set(effects.map(({ identity }) => identity)).size).toBe(sent.length);
  // What came again was in the hands of a receiver when that one, or the node, was killed; or it was late by its own word.
  const late = printed.match(/late/g)?.length ?? 0;
  expect(effects.length - sent.length).toBeLessThanOrEqual(ROUNDS * RECEIVERS.length * 2 + late);
  process.stderr.write(
    `three senders: ${sent.length} numbers, ${effects.length - sent.length} of them delivered again, none lost or doubled\n`,
  );
});

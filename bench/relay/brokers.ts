/** Brokers of this run: each on a free port of the loopback device, in a folder of its own, ended by its process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';

const START_MS_MAX = 10_000;
const alive = new Set<ChildProcess>();

export interface RunningBroker {
  readonly port: number;
  /** kill -9, SIGSTOP, SIGCONT: waits until it is gone where it goes. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
}

/** Why there is no such program here; undefined where there is. */
export function missing(program: 'mosquitto' | 'nats-server'): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.some((folder) => existsSync(join(folder, program))) ? undefined : `no ${program} on this machine`;
}

/** `memory`: none of its own; `persistent`: its database is written as often as it can be asked to. */
export interface MosquittoOptions {
  readonly folder: string;
  readonly port?: number;
  readonly memory: 'none' | 'persistent';
  /** It hands over to this port, as an edge bridge does. */
  readonly bridgeTo?: number;
}

export async function startMosquitto({ folder, memory, bridgeTo, port: wanted }: MosquittoOptions): Promise<RunningBroker> {
  const port = wanted ?? (await freePort());
  mkdirSync(folder, { recursive: true });
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'user root',
    'set_tcp_nodelay true',
    // Otherwise it drops what is above 1,000 without a word.
    'max_queued_messages 0',
    'max_inflight_messages 200',
    ...(memory === 'none'
      ? ['persistence false']
      : ['persistence true', `persistence_location ${folder}/`, 'autosave_interval 1']),
    ...(bridgeTo === undefined
      ? []
      : [
          'connection up',
          `address 127.0.0.1:${bridgeTo}`,
          'topic bench/# out 1',
          'cleansession false',
          'restart_timeout 1',
          'bridge_attempt_unsubscribe false',
          'try_private true',
        ]),
  ];
  const path = join(folder, 'mosquitto.conf');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return started('mosquitto', ['-c', path], port);
}

export async function startNats({ folder, port: wanted }: { folder: string; port?: number }): Promise<RunningBroker> {
  const port = wanted ?? (await freePort());
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'nats.conf');
  const text = `server_name: bench\nlisten: "127.0.0.1:${await freePort()}"\njetstream { store_dir: "${folder}" }\nmqtt { listen: "127.0.0.1:${port}" }\n`;
  writeFileSync(path, text);
  return started('nats-server', ['-c', path], port);
}

export async function endBrokers(): Promise<void> {
  await Promise.all([...alive].map((child) => signalled(child, 'SIGKILL')));
}

async function started(program: string, args: readonly string[], port: number): Promise<RunningBroker> {
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  const deadlineMs = performance.now() + START_MS_MAX;
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) throw new Error(`${program} does not start`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { port, signal: (name) => signalled(child, name) };
}

async function signalled(child: ChildProcess, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(name);
  if (name === 'SIGKILL') await gone;
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
}

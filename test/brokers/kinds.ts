/**
 * The brokers that ringmail runs over, each as a process of its own: on a free port of the loopback device, in a folder of its own, ended
 * by its process. A broker keeps port and folder over a restart.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { freePort } from '../ingress-world.ts';

/** How it is set up beside what every one is. */
export type Setup =
  | 'plain'
  /** It keeps what it has on the disk, or nothing. */
  | 'persistent'
  /** The gateway may not publish to the queues of the central. */
  | 'denied'
  /** One publish without a PUBACK. */
  | 'one-in-flight'
  /** No packet above 4 KiB. */
  | 'tiny-packets'
  /** No room where it keeps what it has, or none that it would use. */
  | 'full-disk';

export interface BrokerKind {
  readonly name: string;
  readonly protocol: 4 | 5;
  /** Why it cannot be run here. */
  missing(): string | undefined;
  /** Why there is no such setup, undefined where there is. */
  lacks(setup: Setup): string | undefined;
  start(at: { readonly folder: string; readonly port: number; readonly setup: Setup }): Promise<BrokerProcess>;
}

export interface BrokerProcess {
  /** Resolves when it is gone. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** The user that the gateway connects as where there are rights. */
export const GATEWAY_USER = 'gateway';
export const TINY_BYTES = 4096;
const START_MS_MAX = 40_000;
const END_MS_MAX = 20_000;

/** `root`: of the tree, where the bundle that this is in lies elsewhere. */
export function brokerKinds(root: string): readonly BrokerKind[] {
  return [embedded(join(root, 'dist/cli.js')), mosquitto(4), mosquitto(5), RABBITMQ, NATS];
}

function embedded(cli: string): BrokerKind {
  return {
    name: 'embedded',
    protocol: 4,
    missing: () => (existsSync(cli) ? undefined : 'dist is not built'),
    lacks: (setup) => {
      if (setup === 'denied') return 'it has no rights per topic';
      if (setup === 'one-in-flight') return 'it sets no such limit';
      if (setup === 'tiny-packets') return 'its limit is 512 KiB';
      return setup === 'full-disk' || setup === 'persistent' ? 'it keeps nothing on a disk' : undefined;
    },
    start: async ({ folder, port }) => {
      const ring = '[ring]\nsize = "2 MiB"\nallowVolatile = true\n';
      writeFileSync(join(folder, 'broker.toml'), `name = "broker"\n${ring}[broker]\nlisten = "127.0.0.1:${port}"\n`);
      return started(process.execPath, [cli, 'node', '--config', 'broker.toml'], { folder, port });
    },
  };
}

function mosquitto(protocol: 4 | 5): BrokerKind {
  return {
    name: protocol === 4 ? 'mosquitto' : 'mosquitto-5',
    protocol,
    missing: () => missingProgram('mosquitto'),
    lacks: (setup) => (setup === 'full-disk' && process.getuid?.() !== 0 ? 'a small file system takes root' : undefined),
    start: async ({ folder, port, setup }) => {
      const data = join(folder, 'data');
      mkdirSync(data, { recursive: true });
      disk(data, setup);
      const acl = join(folder, 'acl');
      // Everybody may everything, but a gateway nothing that is for a queue.
      const own = ['sync', 'receipt', 'status', 'down'].map((kind) => `topic readwrite ringmail/${kind}/#\n`).join('');
      writeFileSync(acl, `topic readwrite #\nuser ${GATEWAY_USER}\n${own}`, { mode: 0o700 });
      const keeps = setup === 'persistent' || setup === 'full-disk';
      const lines = [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        'user root',
        ...(keeps
          ? ['persistence true', `persistence_location ${data}/`, 'autosave_interval 1', 'autosave_on_changes true']
          : ['persistence false']),
        ...(setup === 'denied' ? [`acl_file ${acl}`] : []),
        ...(setup === 'one-in-flight' ? ['max_inflight_messages 1'] : []),
        ...(setup === 'tiny-packets' ? [`max_packet_size ${TINY_BYTES}`] : []),
      ];
      const path = join(folder, 'mosquitto.conf');
      writeFileSync(path, `${lines.join('\n')}\n`);
      return started('mosquitto', ['-c', path], { folder, port });
    },
  };
}

const NATS: BrokerKind = {
  name: 'nats',
  protocol: 4,
  missing: () => missingProgram('nats-server'),
  lacks: (setup) => {
    if (setup === 'tiny-packets') return 'its max_payload does not hold for MQTT in this version';
    return setup === 'full-disk' && process.getuid?.() !== 0 ? 'a small file system takes root' : undefined;
  },
  start: async ({ folder, port, setup }) => {
    const data = join(folder, 'data');
    mkdirSync(data, { recursive: true });
    disk(data, setup);
    const rights =
      setup === 'denied'
        ? `accounts { A { jetstream: enabled, users: [
             { user: all, password: all },
             { user: ${GATEWAY_USER}, password: pw, permissions: { publish: { deny: ["ringmail.queue.>"] } } } ] } }
           no_auth_user: all\n`
        : '';
    const inFlight = setup === 'one-in-flight' ? '\n  max_ack_pending: 1' : '';
    const text = `server_name: broker
listen: "127.0.0.1:${await freePort()}"
jetstream { store_dir: "${data}" }
mqtt {
  listen: "127.0.0.1:${port}"${inFlight}
}
${rights}`;
    const path = join(folder, 'nats.conf');
    writeFileSync(path, text);
    return started('nats-server', ['-c', path], { folder, port });
  },
};

const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

const RABBITMQ: BrokerKind = {
  name: 'rabbitmq',
  protocol: 4,
  missing: () => (existsSync(RABBITMQ_SERVER) ? missingProgram('epmd') : 'no rabbitmq-server on this machine'),
  lacks: (setup) => {
    if (setup === 'tiny-packets') return 'its MQTT plugin has no such limit in this version';
    return setup === 'denied' ? 'rights per topic are set while it runs, by its own tool, which this leaves out' : undefined;
  },
  start: async ({ folder, port, setup }) => {
    const amqpPort = await freePort();
    const epmdPort = await freePort();
    const lines = [
      `listeners.tcp.1 = 127.0.0.1:${amqpPort}`,
      `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`,
      'mqtt.allow_anonymous = true',
      // It stops all who publish when less is free: more than any disk has.
      ...(setup === 'full-disk' ? ['disk_free_limit.absolute = 900TB'] : []),
      ...(setup === 'one-in-flight' ? ['mqtt.prefetch = 1'] : []),
    ];
    writeFileSync(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
    writeFileSync(join(folder, 'plugins'), '[rabbitmq_mqtt].\n');
    const pidFile = join(folder, 'pid');
    const env = {
      HOME: folder,
      ERL_EPMD_PORT: `${epmdPort}`,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `ringmail-${port}@localhost`,
      RABBITMQ_MNESIA_BASE: join(folder, 'db'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_LOGS: join(folder, 'log', 'rabbitmq.log'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
      RABBITMQ_DIST_PORT: `${await freePort()}`,
      RABBITMQ_PID_FILE: pidFile,
    };
    const epmd = await started('epmd', ['-port', `${epmdPort}`], { folder, port: epmdPort });
    const server = await started(RABBITMQ_SERVER, [], { folder, port, env });
    return {
      end: async (signal) => {
        // The script waits for the machine that it started, which is the one to end.
        const pid = Number(readFileSync(pidFile, 'utf8').trim());
        if (isAlive(pid)) process.kill(pid, signal);
        await server.gone(END_MS_MAX);
        await epmd.end('SIGKILL');
      },
    };
  },
};

interface Started extends BrokerProcess {
  gone(ms: number): Promise<void>;
}

async function started(
  program: string,
  args: readonly string[],
  at: { readonly folder: string; readonly port: number; readonly env?: Readonly<Record<string, string>> },
): Promise<Started> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, ...at.env };
  const child = spawn(program, args, { cwd: at.folder, stdio: 'ignore', env });
  const deadlineMs = performance.now() + START_MS_MAX;
  while (!(await listens(at.port))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) throw new Error(`${program} does not start`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    gone: (ms) => goneWithin(child, ms),
    end: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await goneWithin(child, END_MS_MAX);
    },
  };
}

function goneWithin(child: ChildProcess, ms: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function missingProgram(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.some((folder) => existsSync(join(folder, program))) ? undefined : `no ${program} on this machine`;
}

/** With a full disk a file system of 1 MiB in the place of the folder, with next to nothing left in it; otherwise none. */
function disk(folder: string, setup: Setup): void {
  if (setup !== 'full-disk') {
    spawnSync('umount', [folder]);
    return;
  }
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=777', 'tmpfs', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount: ${stderr.trim()}`);
  fill(folder);
}

/** All but a little, so that it starts. */
function fill(folder: string): void {
  writeFileSync(join(folder, 'ballast'), new Uint8Array(900 * 1024));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
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

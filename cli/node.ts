/** `ringmail node` and its presets: one process, one ring, any roles. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { runBelt } from '../device/belt-role.ts';
import { runUplink } from '../device/uplink-role.ts';
import { startBroker } from '../gateway/embedded-broker.ts';
import { runIngress } from '../gateway/ingress-role.ts';
import { runLink } from '../gateway/link-role.ts';
import { Passwords } from '../gateway/passwords.ts';
import { RingmailError } from '../shared/errors.ts';
import { readRemote } from '../shared/node/api/remote.ts';
import { serveApi } from '../shared/node/api/server.ts';
import { centralBrokers, type NodeFileConfig, parseConfig, toCoreConfig } from '../shared/node/config/config.ts';
import { formatHostPort } from '../shared/node/config/line-address.ts';
import { type Preset, type PresetOptions, presetText } from '../shared/node/config/presets.ts';
import { createRing } from '../shared/node/create-ring.ts';
import { homeOf } from '../shared/node/home.ts';
import { rest, whenAborted } from '../shared/node/library/patience.ts';
import { connectBroker } from '../shared/node/mqtt-broker.ts';
import { consoleText, Node } from '../shared/node/node.ts';
import { openLine, waitMsMaxOf } from '../shared/node/open-line.ts';
import { systemRandom } from '../shared/node/random.ts';
import { runTrigger } from '../shared/node/trigger-role.ts';
import type { Broker } from '../shared/ports.ts';
import { type Command, defineCommand, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import type { World } from './world.ts';

/** A command that found no node may have the ring open for this long. */
const LOCK_MS_MAX = 5_000;
/** A trigger stores its place before the node closes, unless its store does not answer for so long. Then it looks at some messages again. */
const TRIGGER_STOP_MS_MAX = 2_000;

type Log = (level: 'info' | 'warn', text: string) => void;

const VOLATILE = {
  'allow-volatile': { type: 'boolean', help: 'start even where a power cut empties the ring (tmpfs, a RAM disk)' },
} as const;
const ENDING =
  'Ends on SIGTERM or Ctrl-C: writes what is pending and closes the ring clean. After kill -9 nothing acknowledged is lost.';

export const node = defineCommand(
  {
    name: 'node',
    summary: 'run a node with the roles of its configuration: adapters, links, relay, MQTT ingress, local API',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: {
      config: { type: 'string', value: 'file', help: 'the configuration (docs/configuration.md)' },
      check: { type: 'boolean', help: 'say every problem of the configuration, with its line, and start nothing' },
      dev: { type: 'boolean', help: 'a node for trying out: ring and socket below ./.ringmail/' },
      ...VOLATILE,
    },
    notes: [ENDING],
  },
  async ({ values }, world) => {
    if ((values.config === undefined) === (values.dev !== true)) throw usage('ringmail node takes --config <file> or --dev');
    const source = values.config === undefined ? devSource(world) : fileSource(values.config, world);
    const config = parseConfig(source.text, source);
    if (values.check === true) {
      await world.stdout(`${source.name}: no problems\n`);
      return EXIT.ok;
    }
    return runNode(config, volatileOf(config, values['allow-volatile']), world);
  },
);

/** `device`, `gateway`, `central`: each runs the file that it prints. */
export function presetCommand(preset: Exclude<Preset, 'dev'>, summary: string): Command {
  return defineCommand(
    {
      name: preset,
      summary,
      operands: '',
      operandCount: { min: 0, max: 0 },
      options: {
        name: { type: 'string', value: 'name', help: 'name of the node' },
        folder: { type: 'string', value: 'path', help: 'where ring and socket are' },
        'ring-size': { type: 'string', value: 'size', help: 'length of a new ring file, such as "16 MiB"' },
        line: { type: 'string', value: 'line', help: 'device: the line to the gateway' },
        broker: { type: 'string', value: 'url', help: 'the MQTT broker' },
        central: { type: 'string', value: 'name', help: 'name of the logical central' },
        belt: {
          type: 'string',
          multiple: true,
          value: 'name=line',
          help: 'device: a belt controller, such as belt-1=serial:/dev/ttyUSB0?baud=9600; may be repeated',
        },
        listen: { type: 'string', multiple: true, value: 'line', help: 'gateway: where devices reach it; may be repeated' },
        queue: { type: 'string', multiple: true, value: 'name', help: 'a queue of this node; may be repeated' },
        'print-config': { type: 'boolean', help: 'print the configuration this stands for, and start nothing' },
        ...VOLATILE,
      },
      notes: ['The same as `ringmail node --config` with the file that --print-config shows.', ENDING],
    },
    async ({ values }, world) => {
      const { name, folder, line, broker, central, listen, queue } = values;
      const belts = values.belt?.map(beltOf);
      const given = { name, folder, line, broker, central, belts, listen, queues: queue, ringSize: values['ring-size'] };
      const text = presetText(
        preset,
        Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as PresetOptions,
      );
      if (values['print-config'] === true) {
        await world.stdout(text);
        return EXIT.ok;
      }
      const config = parseConfig(text, { directory: world.cwd });
      return runNode(config, volatileOf(config, values['allow-volatile']), world);
    },
  );
}

/** The name is up to the first `=`: a line may have others. @throws USAGE_INVALID */
function beltOf(text: string): { name: string; port: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1)
    throw usage(`--belt ${text}: not <name>=<line>, such as belt-1=serial:/dev/ttyUSB0?baud=9600`);
  return { name: text.slice(0, at), port: text.slice(at + 1) };
}

interface Source {
  readonly text: string;
  readonly directory: string;
  readonly name: string;
}

function devSource(world: World): Source {
  return { text: presetText('dev', {}), directory: world.cwd, name: 'dev preset' };
}

function fileSource(path: string, world: World): Source {
  const whole = resolve(world.cwd, path);
  if (!existsSync(whole)) throw new RingmailError('CONFIG_INVALID', { issues: [`${path}: no such file`] });
  return { text: readFileSync(whole, 'utf8'), directory: dirname(whole), name: path };
}

function volatileOf(config: NodeFileConfig, allowed: boolean | undefined): { volatile: 'allow' | 'refuse' } {
  return { volatile: allowed === true || config.ring.allowVolatile ? 'allow' : 'refuse' };
}

/** Runs a node with its roles until `world.signal` aborts, or until its store can't be opened any more. */
export async function runNode(config: NodeFileConfig, options: { volatile: 'allow' | 'refuse' }, world: World): Promise<number> {
  const log: Log = (level, text) => {
    if (level === 'warn' || config.log.level === 'info' || config.log.level === 'debug')
      void world.stderr(`${config.name} ${level}: ${text}\n`);
  };
  const stop = new AbortController();
  const roles: Promise<void>[] = [];
  const triggers: Promise<void>[] = [];
  const closers: Closer[] = [];
  const passwords = config.ingress?.passwords === undefined ? undefined : Passwords.read(config.ingress.passwords);
  try {
    if (config.broker !== undefined) {
      const broker = await startBroker(config.broker);
      closers.push(() => broker.close());
      log('info', `broker on ${config.broker.host}:${broker.port}`);
    }
    const node = await openRing(config, options, log);
    closers.push(() => Promise.allSettled(roles)); // their lines end with the node
    closers.push(() => node.close());
    closers.push(() => within(TRIGGER_STOP_MS_MAX, Promise.allSettled(triggers)));
    mkdirSync(dirname(config.api.socket), { recursive: true });
    const { socket: socketPath, mode, remote } = config.api;
    const api = await serveApi(node, { socketPath, mode, ...(remote && { remote: readRemote(remote) }) });
    if (api.remote !== undefined) log('info', `local API on ${formatHostPort(api.remote)} too, for who has a token`);
    closers.push(() => api.close());
    roles.push(...startRoles(node, config, { log, signal: stop.signal, passwords }));
    for (const trigger of config.triggers) triggers.push(runTrigger(node, { ...trigger, log }, stop.signal));
    await announce(node, config, world);
    const failure = await Promise.race([node.ended, whenAborted(world.signal)]);
    if (failure instanceof Error) throw failure;
    return EXIT.ok;
  } finally {
    stop.abort();
    await closeAll(closers);
  }
}

type Closer = () => Promise<unknown>;

/** The newest first, and the others also when one fails. */
async function closeAll(closers: Closer[]): Promise<void> {
  const close = closers.pop();
  if (close === undefined) return;
  try {
    await close();
  } finally {
    await closeAll(closers);
  }
}

/** Resolves when `done` does, or after so many ms. */
async function within(ms: number, done: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([done.finally(() => over.abort()), rest(ms, over.signal)]);
}

/** The node over its ring, which is created if it is not there. */
async function openRing(config: NodeFileConfig, options: { volatile: 'allow' | 'refuse' }, log: Log): Promise<Node> {
  await makeRing(config, options, log);
  return Node.open({
    config: toCoreConfig(config, homeOf(config.ring.path)),
    ringPath: config.ring.path,
    volatile: options.volatile,
    lockMsMax: LOCK_MS_MAX,
    log,
    console: (line, said) => {
      if (said.level === 'debug' && config.log.level !== 'debug') return;
      log(said.level === 'warn' || said.level === 'error' ? 'warn' : 'info', consoleText(line, said));
    },
    connectBrokers: brokersOf(config, log),
  });
}

/** A connection for each uplink over MQTT, and for each broker of the central. The first of them has the plain client id. */
function brokersOf(config: NodeFileConfig, log: Log): Map<string, () => Broker> {
  const { name: node, central, uplinks } = config;
  const places = central === undefined ? [] : centralBrokers(central);
  const lazy = new Set<string>();
  for (const uplink of uplinks) {
    if (uplink.kind !== 'mqtt') continue;
    places.push({ name: uplink.name, access: uplink });
    if (uplink.lazy !== undefined) lazy.add(uplink.name);
  }
  return new Map(
    places.map(({ name, access }, at) => {
      const connection = at === 0 ? undefined : name.replace(/^\$/, '');
      const begins = lazy.has(name) ? 'apart' : 'connected';
      return [name, () => connectBroker({ node, access, log, begins, ...(connection !== undefined && { connection }) })];
    }),
  );
}

/** A ring that is not there is created, and said so: its neighbours will see a new incarnation, never an old one that forgot. */
async function makeRing(config: NodeFileConfig, options: { volatile: 'allow' | 'refuse' }, log: Log): Promise<void> {
  const { path, bytes } = config.ring;
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  log('info', `no ring at ${path}: creating one of ${bytes} bytes`);
  await createRing(path, { fileBytes: bytes, fileId: systemRandom.bytes(16), volatile: options.volatile });
}

interface Shell {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly passwords: Passwords | undefined;
}

function startRoles(node: Node, config: NodeFileConfig, shell: Shell): Promise<void>[] {
  const { log, signal } = shell;
  const roles: Promise<void>[] = [];
  for (const link of config.links) roles.push(runLink(node, { listen: link.listen, log }, signal));
  for (const uplink of config.uplinks) {
    if (uplink.kind === 'link') roles.push(runUplink(node, { name: uplink.name, line: uplink.line, log }, signal));
  }
  for (const adapter of config.adapters) {
    const { name, destination, port } = adapter;
    const counters = node.adapterCounters;
    const open = () => openLine(port, { report: { counters: node.portCounters, log } });
    const state = (text: string): void => void node.lineStates.set(name, text);
    const role = { name, node: config.name, destination, open, log, counters, state, ...waitMsMaxOf(port) };
    roles.push(runBelt(node, role, signal));
  }
  if (config.ingress !== undefined)
    roles.push(runIngress(node, { config: config.ingress, passwords: shell.passwords, log }, signal));
  for (const role of roles) role.catch((error: unknown) => log('warn', String(error)));
  return roles;
}

async function announce(node: Node, config: NodeFileConfig, world: World): Promise<void> {
  const { report } = node;
  for (const gap of report?.gaps ?? []) await world.stderr(`damage: ${gap.framesLost} frames lost at block ${gap.lsn}\n`);
  const lines = [
    `node ${node.name} is up`,
    `ring ${config.ring.path} (${node.durability}, ${report?.messages ?? 0} messages)`,
    `socket ${config.api.socket}`,
    `pid ${process.pid}`,
  ];
  await world.stdout(`${lines.join('\n')}\n`);
}

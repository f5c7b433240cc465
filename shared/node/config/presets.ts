/**
 * The usual sets of roles, as the files they stand for: `ringmail gateway --broker …` runs what `presetText('gateway', …)` writes, and
 * `--print-config` shows it. So there is one way to configure a node, and a preset is where a file of one's own begins.
 */
import { unreachable } from '../../assert.ts';
import { BLOCK_COUNT_MIN, geometryFor, liveBytesMaxOf, SUPERBLOCK_COPIES } from '../../ring/geometry.ts';
import { CENTRAL_NAME } from './config-schema.ts';
import { parseSize } from './sizes.ts';

export const PRESETS = ['device', 'gateway', 'central', 'dev'] as const;
export type Preset = (typeof PRESETS)[number];

/** Each has a default. What a preset has no use for is ignored; what is wrong is found when the text is parsed. */
export interface PresetOptions {
  readonly name?: string;
  /** Where ring and socket are, from the directory of the file. */
  readonly folder?: string;
  readonly ringSize?: string;
  /** Device: the line to the gateway. */
  readonly line?: string;
  /** URL of the MQTT broker. For a device it makes the uplink MQTT instead of a line: everything on one box. */
  readonly broker?: string;
  /** Name of the logical central; for the central itself `name` is the same. */
  readonly central?: string;
  /** Gateway: where devices reach it. */
  readonly listen?: readonly string[];
  /** Device: the belt controllers. Their telegrams go to the central's queue `bags` unless said otherwise. */
  readonly belts?: readonly { readonly name: string; readonly port: string; readonly destination?: string }[];
  /** Queues of this node. The central has `bags` by default. */
  readonly queues?: readonly string[];
}

const BROKER_URL = 'mqtt://127.0.0.1:1883';
/** Where the presets of a gateway and of a device beside it meet. */
const LINK_LINE = 'unix:gateway-link.sock';
const QUEUE = 'bags';

/** A whole configuration, with comments. `parseConfig` takes it when the options are right. */
export function presetText(preset: Preset, options: PresetOptions): string {
  switch (preset) {
    case 'device':
      return deviceText(options);
    case 'gateway':
      return gatewayText(options);
    case 'central':
      return centralText(options);
    case 'dev':
      return devText(options);
    default:
      return unreachable(preset);
  }
}

function deviceText(options: PresetOptions): string {
  const central = options.central ?? CENTRAL_NAME;
  const belts = (options.belts ?? []).map((belt) => ({ destination: `${central}/${QUEUE}`, ...belt }));
  return blocks(
    '# A device: takes telegrams from controllers, keeps them in its ring, hands them on.',
    baseText(options, { name: 'device-1', ringSize: '16 MiB', queues: [] }),
    options.broker === undefined ? linkUplinkText(options.line ?? LINK_LINE) : mqttUplinkText(options.broker, central),
    belts.length === 0 ? commented('One for each controller:', beltText(EXAMPLE_BELT)) : belts.map(beltText).join('\n'),
  );
}

function gatewayText(options: PresetOptions): string {
  const listen = (options.listen ?? [LINK_LINE]).map((line) => `[[links]]\nlisten = ${toml(line)}\n`);
  return blocks(
    '# A gateway: takes what devices hand over, keeps it in its ring, relays it to the central over MQTT.',
    baseText(options, { name: 'gateway-1', ringSize: '64 MiB', queues: [] }),
    mqttUplinkText(options.broker ?? BROKER_URL, options.central ?? CENTRAL_NAME),
    `# Where devices reach this node. A serial port is opened, a socket is listened on.\n${listen.join('\n')}`,
    commented(
      'More lines:',
      '[[links]]\nlisten = "serial:/dev/ttyUSB0?baud=115200"\n\n[[links]]\nlisten = "tcp:127.0.0.1:7001"\n',
    ),
  );
}

function centralText(options: PresetOptions): string {
  const name = options.central ?? options.name ?? CENTRAL_NAME;
  return blocks(
    '# The central: stores what gateways relay, answers with receipts, serves the applications.',
    baseText({ ...options, name }, { name, ringSize: '64 MiB', queues: [QUEUE] }),
    `[central]\n# The name in the addresses of those who send to it; that of the node.\nname = ${toml(name)}\nbroker = ${toml(options.broker ?? BROKER_URL)}\n`,
    commented('Instead of a broker of your own, one inside this node:', '[broker]\nlisten = "127.0.0.1:1883"\n'),
  );
}

function devText(options: PresetOptions): string {
  return blocks(
    '# A node to try things out: alone, and every queue is made when it is first named.',
    baseText(
      { folder: '.ringmail', ...options },
      { name: 'dev', files: 'ringmail', ringSize: '16 MiB', queues: [], unknownQueue: 'create' },
    ),
  );
}

interface Base {
  readonly name: string;
  /** What ring and socket are called; the node's name by default. */
  readonly files?: string;
  readonly ringSize: string;
  readonly queues: readonly string[];
  readonly unknownQueue?: 'create';
}

/** What every node has. */
function baseText(options: PresetOptions, base: Base): string {
  const name = options.name ?? base.name;
  const files = base.files ?? name;
  const size = options.ringSize ?? base.ringSize;
  const inFolder = (file: string) => toml(options.folder === undefined ? file : `${options.folder}/${file}`);
  const queues = options.queues ?? base.queues;
  const limit = limitText(size, queues.length);
  const top = [`name = ${toml(name)}`, ...(base.unknownQueue === undefined ? [] : [`unknownQueue = ${toml(base.unknownQueue)}`])];
  return blocks(
    `${top.join('\n')}\n`,
    `[ring]\n# Allocated once, and never grows.\npath = ${inFolder(`${files}.ring`)}\nsize = ${toml(size)}\n`,
    `[api]\n# Who may use this socket may send and receive.\nsocket = ${inFolder(`${files}.sock`)}\nmode = "660"\n`,
    ...queues.map((queue) => `[queues.${tomlKey(queue)}]\nlimit = ${toml(limit)}\n`),
  );
}

/** Three quarters of what the ring admits, shared among the queues. A size that is none is reported when the text is parsed. */
function limitText(ringSize: string, queueCount: number): string {
  const ringBytes = Math.max(parseSize(ringSize) ?? 0, RING_BYTES_MIN);
  const bytes = Math.floor((liveBytesMaxOf(geometryFor(ringBytes)) * 3) / 4 / Math.max(1, queueCount));
  return bytes >= 2 ** 20 ? `${Math.floor(bytes / 2 ** 20)} MiB` : `${Math.floor(bytes / 2 ** 10)} KiB`;
}

const RING_BYTES_MIN = (BLOCK_COUNT_MIN + SUPERBLOCK_COPIES) * 4096;
const EXAMPLE_BELT = { name: 'belt-1', port: 'serial:/dev/ttyUSB0?baud=9600', destination: `${CENTRAL_NAME}/${QUEUE}` };

function beltText(belt: { name: string; port: string; destination: string }): string {
  const { name, port, destination } = belt;
  return `[[adapters]]\nkind = "belt"\nname = ${toml(name)}\nport = ${toml(port)}\ndestination = ${toml(destination)}\n`;
}

function linkUplinkText(line: string): string {
  return `[uplink]\n# To the gateway: unix:<path>, tcp:<host>:<port> or serial:<path>?baud=<n>.\nkind = "link"\nline = ${toml(line)}\n`;
}

function mqttUplinkText(broker: string, central: string): string {
  return `[uplink]\nkind = "mqtt"\nbroker = ${toml(broker)}\n# Of the node that stores and answers with receipts.\ncentral = ${toml(central)}\n`;
}

/** A part that stands there to be switched on. */
function commented(title: string, text: string): string {
  const lines = text.trimEnd().split('\n');
  return [`# ${title}`, '#', ...lines.map((line) => `# ${line}`.trimEnd())].map((line) => `${line}\n`).join('');
}

function blocks(...parts: readonly string[]): string {
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}

/** A basic string of TOML, whatever the text: JSON's escapes are TOML's, only DEL must be escaped too. */
function toml(text: string): string {
  return JSON.stringify(text).replaceAll('\x7f', '\\u007f');
}

function tomlKey(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : toml(name);
}

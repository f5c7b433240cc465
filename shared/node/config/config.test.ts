import { describe, expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { QUEUE_DEFAULTS } from '../../queue/queue-options.ts';
import { geometryFor, liveBytesMaxOf } from '../../ring/geometry.ts';
import { type NodeFileConfig, parseConfig, toCoreConfig } from './config.ts';
import { SERIAL_DEFAULTS } from './serial-options.ts';

const FROM = { directory: '/etc/ringmail' };

function parse(text: string): NodeFileConfig {
  return parseConfig(text, FROM);
}

test('a name is all that must be there', () => {
  expect(parse('name = "n1"')).toEqual({
    name: 'n1',
    unknownQueue: 'refuse',
    queueBytesLimit: Math.floor(liveBytesMaxOf(geometryFor(16 * 2 ** 20)) / 4),
    blockMs: 30_000,
    holeWaitMs: 60_000,
    ring: { path: '/etc/ringmail/n1.ring', bytes: 16 * 2 ** 20, allowVolatile: false, commitDelayMs: 0, intervalMs: undefined },
    api: { socket: '/etc/ringmail/n1.sock', mode: 0o660 },
    queues: [],
    uplinks: [],
    failoverMs: 5_000,
    failbackMs: 30_000,
    links: [],
    central: undefined,
    adapters: [],
    triggers: [],
    routes: [],
    broker: undefined,
    log: { level: 'info' },
  });
});

test('empty tables are tables of defaults', () => {
  const text = 'name = "central"\n[ring]\n[api]\n[queues]\n[queues.bags]\n[central]\n[broker]\n[log]\n';
  const { ring, api, queues, queueBytesLimit, central, broker, log } = parse(text);
  expect({ ring, api, log }).toEqual({
    ring: {
      path: '/etc/ringmail/central.ring',
      bytes: 16 * 2 ** 20,
      allowVolatile: false,
      commitDelayMs: 0,
      intervalMs: undefined,
    },
    api: { socket: '/etc/ringmail/central.sock', mode: 0o660 },
    log: { level: 'info' },
  });
  expect(queues).toEqual([{ name: 'bags', bytesLimit: queueBytesLimit, ...QUEUE_DEFAULTS }]);
  expect(broker).toEqual({ host: '127.0.0.1', port: 1883 });
  expect(central).toEqual({
    name: 'central',
    partitionCount: 1,
    broker: 'mqtt://127.0.0.1:1883',
    protocol: 4,
    username: undefined,
    passwordFile: undefined,
    moreBrokers: [],
  });
});

test('every key of a node with many roles', () => {
  const config = parse(`
name = "box-1"
unknownQueue = "create"
queueLimit = 65536
blockMs = 5000
holeWaitMs = 10
ring = { path = "data/box.ring", size = "64 MiB", allowVolatile = true, commitDelayMs = 20, durability = "interval", intervalMs = 200 }
api.socket = "/run/box.sock"
api.mode = "0600"
[queues]
bags.limit = "8 MiB"
bags.reserve = "2 MiB"
bags.whenFull = "drop-lowest-priority"
bags.remoteWhenFull = "dead-letter"
bags.label = "bags of belt 1"
bags.ordering = "strict"
bags.journal = "on"
bags.deadLetterQueue = "lost"
bags.timeToBeReceivedMs = 60000
bags.deliveriesMax = 5
bags.retryMs = 5000
bags.retryFactor = 1.5
bags.retryMsMax = 90000
bags.retryJitterPercent = 10
"$dead".limit = "1 MiB"
[uplink]
kind = "mqtt"
broker = "mqtts://broker.example"
central = "centre"
partitions = 4
protocol = 5
username = "box"
passwordFile = "box.password"
[[links]]
listen = "unix:link.sock"
[[links]]
listen = "tcp:0.0.0.0:0"
allowRemote = true
[[links]]
listen = "serial:/dev/ttyUSB1"
[[adapters]]
kind = "belt"
name = "belt-1"
port = "serial:/dev/ttyUSB0"
destination = "bags"
[[adapters]]
kind = "belt"
name = "belt-2"
port = "tcp:ports.example:4001"
destination = "centre/bags"
[[routes]]
from = "bags"
source = "device-*"
where.label = "x"
to = ["bags", "central/bags", "topic:bags"]
priority = 5

[[routes]]
from = "b*"
to = ["copies"]
timeToReachQueueMs = 1
timeToBeReceivedMs = 2

[[triggers]]
name = "all"
queue = "$journal"
send = "copies"
[[triggers]]
name = "alarms"
queue = "bags"
send = "centre/alarms"
where.label = "alarm"
where.appSpecific = 0
where.contentType = "text/plain"
where.headers.belt = "3"
where.headers."x-Größe" = ""
[broker]
listen = "[::]:1884"
allowRemote = true
[log]
level = "warn"
`);
  expect(config).toEqual({
    name: 'box-1',
    unknownQueue: 'create',
    queueBytesLimit: 65_536,
    blockMs: 5_000,
    holeWaitMs: 10,
    ring: { path: '/etc/ringmail/data/box.ring', bytes: 64 * 2 ** 20, allowVolatile: true, commitDelayMs: 20, intervalMs: 200 },
    api: { socket: '/run/box.sock', mode: 0o600 },
    queues: [
      {
        ...QUEUE_DEFAULTS,
        name: 'bags',
        bytesLimit: 8 * 2 ** 20,
        bytesReserved: 2 * 2 ** 20,
        whenFull: 'drop-lowest-priority',
        remoteWhenFull: 'dead-letter' as const,
        label: 'bags of belt 1',
        ordering: 'strict',
        journal: 'on',
        deadLetterQueue: 'lost',
        timeToBeReceivedMs: 60_000,
        deliveriesMax: 5,
        retryMs: 5000,
        retryFactor: 1.5,
        retryMsMax: 90_000,
        retryJitterPercent: 10,
      },
      { name: '$dead', bytesLimit: 2 ** 20, ...QUEUE_DEFAULTS },
    ],
    uplinks: [
      {
        kind: 'mqtt',
        broker: 'mqtts://broker.example:8883',
        central: 'centre',
        messagesPerPublish: undefined,
        lazy: undefined,
        partitionCount: 4,
        protocol: 5,
        username: 'box',
        passwordFile: '/etc/ringmail/box.password',
        name: 'up',
        to: ['*'],
        at: 'uplink',
      },
    ],
    failoverMs: 5_000,
    failbackMs: 30_000,
    links: [
      { listen: { kind: 'unix', path: '/etc/ringmail/link.sock' } },
      { listen: { kind: 'tcp', host: '0.0.0.0', port: 0 } },
      { listen: { kind: 'serial', path: '/dev/ttyUSB1', baudRate: 115_200, ...SERIAL_DEFAULTS } },
    ],
    central: undefined,
    adapters: [
      {
        kind: 'belt',
        name: 'belt-1',
        port: { kind: 'serial', path: '/dev/ttyUSB0', baudRate: 9600, ...SERIAL_DEFAULTS },
        destination: 'box-1/bags',
      },
      { kind: 'belt', name: 'belt-2', port: { kind: 'tcp', host: 'ports.example', port: 4001 }, destination: 'centre/bags' },
    ],
    triggers: [
      { name: 'all', queue: '$journal', send: 'box-1/copies', where: {} },
      {
        name: 'alarms',
        queue: 'bags',
        send: 'centre/alarms',
        where: { label: 'alarm', appSpecific: 0, contentType: 'text/plain', headers: { belt: '3', 'x-Größe': '' } },
      },
    ],
    routes: [
      { from: 'bags', to: ['box-1/bags', 'central/bags', 'topic:bags'], source: 'device-*', where: { label: 'x' }, priority: 5 },
      { from: 'b*', to: ['box-1/copies'], timeToReachQueueMs: 1, timeToBeReceivedMs: 2 },
    ],
    broker: { host: '::', port: 1884 },
    log: { level: 'warn' },
  });
});

test('a node that makes queues on demand takes any of its own as a destination', () => {
  const belt = '[[adapters]]\nkind = "belt"\nname = "b"\nport = "tcp:h:1"\ndestination = "new"';
  expect(parse(`name = "n"\nunknownQueue = "create"\n${belt}`).adapters[0]?.destination).toBe('n/new');
  expect(parse(`name = "n"\nqueues.new = {}\n${belt}`).adapters[0]?.destination).toBe('n/new');
  expect(parse(`name = "n"\n${belt.replace('"new"', '"$dead"')}`).adapters[0]?.destination).toBe('n/$dead');
});

test('any number of links may each take a free port', () => {
  const link = '[[links]]\nlisten = "tcp:127.0.0.1:0"\n';
  expect(parse(`name = "n"\n${link}${link}`).links).toHaveLength(2);
});

test('an uplink over a line', () => {
  const [uplink] = parse('name = "d"\n[uplink]\nkind = "link"\nline = "tcp:10.0.0.1:7001"').uplinks;
  const line = { kind: 'tcp', host: '10.0.0.1', port: 7001 };
  expect(uplink).toEqual({ kind: 'link', line, name: 'up', to: ['*'], at: 'uplink' });
});

test.each<[string, string]>([
  ['', 'mqtt://127.0.0.1:1883'],
  ['[broker]\nlisten = "127.0.0.1:1900"', 'mqtt://127.0.0.1:1900'],
  ['[broker]\nlisten = "0.0.0.0:1900"\nallowRemote = true', 'mqtt://127.0.0.1:1900'],
  ['[broker]\nlisten = "[::]:1900"\nallowRemote = true', 'mqtt://[::1]:1900'],
])("the broker by default is this node's own: %j", (broker, url) => {
  expect(parse(`name = "g"\n[uplink]\nkind = "mqtt"\n${broker}`).uplinks[0]).toMatchObject({ broker: url });
  expect(parse(`name = "central"\n[central]\n${broker}`).central).toMatchObject({ broker: url });
});

test.each<[string, string]>([
  ['mqtt://h', 'mqtt://h:1883'],
  ['mqtt://h:1', 'mqtt://h:1'],
  ['mqtt://h:1/', 'mqtt://h:1'],
  ['mqtts://h', 'mqtts://h:8883'],
  ['mqtt://[::1]', 'mqtt://[::1]:1883'],
  ['mqtt://[::1]:7', 'mqtt://[::1]:7'],
])('%s is %s', (written, url) => {
  expect(parse(`name = "g"\n[uplink]\nkind = "mqtt"\nbroker = "${written}"`).uplinks[0]).toMatchObject({ broker: url });
});

test('a ring is rounded down to whole blocks', () => {
  expect(parse('name = "n"\nring.size = 1593343').ring.bytes).toBe(1_589_248);
  expect(parse('name = "n"\nring.size = "10001 KiB"').ring.bytes).toBe(10_000 * 1024);
  expect(parse('name = "n"\nring.size = "1024 GiB"').ring.bytes).toBe(2 ** 40);
});

test('every size from the smallest ring to large ones admits its default limits', () => {
  for (let bytes = 1_589_248; bytes < 2 ** 34; bytes = Math.ceil(bytes * 1.07)) {
    const text = `name = "n"\nring.size = ${bytes}\n[queues.a]\n[queues.b]\n[queues.c]\n`;
    expect(parse(text).queues).toHaveLength(3);
  }
});

test('a relative path starts at the directory of the file', () => {
  const { ring, api } = parseConfig('name = "n"\nring.path = "../r/n.ring"\napi.socket = "./n.sock"', { directory: '/srv/mail' });
  expect([ring.path, api.socket]).toEqual(['/srv/r/n.ring', '/srv/mail/n.sock']);
});

describe('what the core is told', () => {
  test('by a central', () => {
    const text =
      'name = "centre"\nblockMs = 7\nring.commitDelayMs = 5\nring.durability = "interval"\nqueues.bags.limit = "1 MiB"\n[central]\nname = "centre"\npartitions = 3';
    const config = parse(text);
    expect(toCoreConfig(config, 'home-1')).toEqual({
      name: 'centre',
      queues: [{ name: 'bags', bytesLimit: 2 ** 20, ...QUEUE_DEFAULTS }],
      routes: [],
      unknownQueue: 'refuse',
      queueBytesLimit: config.queueBytesLimit,
      uplink: 'none',
      failoverMs: 5_000,
      failbackMs: 30_000,
      central: 'centre',
      isCentral: 'yes',
      partitionCount: 3,
      commitDelayMs: 5,
      intervalMs: 50,
      blockMs: 7,
      holeWaitMs: 60_000,
      home: 'home-1',
    });
  });

  test.each<[string, string, object]>([
    ['a node alone', '', { uplink: 'none', central: 'central', partitionCount: 1, isCentral: 'no' }],
    [
      'a gateway',
      'kind = "mqtt"\ncentral = "c2"\npartitions = 2',
      { uplink: 'mqtt', central: 'c2', partitionCount: 2, isCentral: 'no' },
    ],
    ['a device', 'kind = "link"\nline = "unix:x"', { uplink: 'link', central: 'central', partitionCount: 1, isCentral: 'no' }],
  ])('by %s', (_name, uplink, core) => {
    const text = uplink === '' ? 'name = "n"' : `name = "n"\n[uplink]\n${uplink}`;
    expect(toCoreConfig(parse(text), undefined)).toMatchObject({ ...core, home: undefined });
  });
});

describe('several uplinks', () => {
  const text = `name = "edge"
failoverMs = 1000
failbackMs = 0
[[uplinks]]
kind = "link"
line = "unix:a"
[[uplinks]]
name = "b"
to = ["site-*", "central"]
kind = "mqtt"
broker = "mqtt://b1"
[[uplinks]]
name = "c"
to = "central"
kind = "mqtt"
broker = "mqtt://b2"
`;

  test('in their order, each with its name and where it leads', () => {
    const { uplinks, failoverMs, failbackMs } = parse(text);
    expect([failoverMs, failbackMs]).toEqual([1000, 0]);
    expect(uplinks.map(({ name, to, kind, at }) => ({ name, to, kind, at }))).toEqual([
      { name: 'up', to: ['*'], kind: 'link', at: 'uplinks[0]' },
      { name: 'b', to: ['site-*', 'central'], kind: 'mqtt', at: 'uplinks[1]' },
      { name: 'c', to: ['central'], kind: 'mqtt', at: 'uplinks[2]' },
    ]);
  });

  test('the core is told all of them; of one that leads everywhere what it always was', () => {
    expect(toCoreConfig(parse(text), undefined)).toMatchObject({
      uplink: 'link',
      uplinks: [
        { name: 'up', kind: 'link', to: ['*'] },
        { name: 'b', kind: 'mqtt', to: ['site-*', 'central'], central: 'central', partitionCount: 1 },
        { name: 'c', kind: 'mqtt', to: ['central'], central: 'central', partitionCount: 1 },
      ],
      failoverMs: 1000,
      failbackMs: 0,
    });
    const one = '[[uplinks]]\nkind = "link"\nline = "unix:a"\n';
    expect(toCoreConfig(parse(`name = "n"\n${one}`), undefined)).not.toHaveProperty('uplinks');
    expect(toCoreConfig(parse(`name = "n"\n${one}to = ["a"]`), undefined)).toMatchObject({ uplinks: [{ to: ['a'] }] });
  });

  test('one may be metered, and its burst has a default', () => {
    const metered = 'name = "n"\n[uplink]\nkind = "link"\nline = "unix:a"\nbytesPerSecond = 2000\n';
    const capOf = (config: string) => toCoreConfig(parse(config), undefined).uplinks?.[0]?.cap;
    expect(capOf(metered)).toEqual({ bytesPerSecond: 2_000, burstBytes: 8_192 });
    expect(capOf(`${metered}burstBytes = "1 MiB"`)).toEqual({ bytesPerSecond: 2_000, burstBytes: 1_048_576 });
    expect(capOf(text)).toBeUndefined();
  });

  test('one may publish messages one by one', () => {
    const mqtt = 'name = "n"\n[uplink]\nkind = "mqtt"\n';
    const setupOf = (config: string) => toCoreConfig(parse(config), undefined).uplinks?.[0];
    expect(setupOf(`${mqtt}messagesPerPublish = 1`)).toMatchObject({ kind: 'mqtt', messagesPerPublish: 1 });
    expect(setupOf(mqtt)).toBeUndefined();
  });

  test('one may be connected only when it must, and how that is has defaults', () => {
    const lazy = 'name = "n"\n[uplink]\nkind = "mqtt"\nconnect = "lazy"\n';
    const lazinessOf = (config: string) => toCoreConfig(parse(config), undefined).uplinks?.[0]?.lazy;
    expect(lazinessOf(lazy)).toEqual({ idleMs: 10_000, checkEveryMs: 3_600_000 });
    expect(lazinessOf(`${lazy}idleMs = 60000\ncheckEveryMs = 86400000`)).toEqual({ idleMs: 60_000, checkEveryMs: 86_400_000 });
    expect(lazinessOf(lazy.replace('"lazy"', '"always"'))).toBeUndefined();
  });

  test('a central may listen at several brokers, and be a site with a central of its own', () => {
    const site = `name = "site"
[central]
name = "site"
[[central.brokers]]
broker = "mqtt://second"
username = "me"
[uplink]
kind = "mqtt"
broker = "mqtt://above"
`;
    const { central, uplinks } = parse(site);
    expect(central).toMatchObject({
      broker: 'mqtt://127.0.0.1:1883',
      moreBrokers: [{ broker: 'mqtt://second:1883', username: 'me' }],
    });
    expect(uplinks).toMatchObject([{ kind: 'mqtt', central: 'central' }]);
    expect(toCoreConfig(parse(site), undefined)).toMatchObject({
      uplink: 'mqtt',
      isCentral: 'yes',
      centralBrokers: ['$central', '$central-2'],
    });
  });
});

describe('serial ports', () => {
  const issues = (text: string): readonly string[] => {
    try {
      parse(text);
      return [];
    } catch (error) {
      return hasCode(error, 'CONFIG_INVALID') ? error.details.issues : [String(error)];
    }
  };
  const link = (listen: string) => `[[links]]\nlisten = "${listen}"\n`;
  const belt = (port: string) =>
    `[queues.bags]\n[[adapters]]\nkind = "belt"\nname = "b"\ndestination = "bags"\nport = "${port}"\n`;

  test('a controller may have seven data bits, a link has all 256 bytes', () => {
    expect(issues(`name = "n"\n${belt('serial:/dev/x?dataBits=7&parity=even')}`)).toEqual([]);
    const refused = ['line 3: links[0].listen: dataBits 7: a link has bytes of eight bits'];
    expect(issues(`name = "n"\n${link('serial:/dev/x?dataBits=7&parity=even')}`)).toEqual(refused);
  });

  test('two uses of one match are refused, whatever their rates', () => {
    const two = link('serial:?vid=0403&serial=A1') + link('serial:?serial=A1&vid=0403&baud=9600');
    expect(issues(`name = "n"\n${two}`)).toEqual([
      "line 5: links[1].listen: 'serial:?vid=0403&serial=A1' is taken by links[0].listen (line 3)",
    ]);
    expect(issues(`name = "n"\n${link('serial:?vid=0403&serial=A1')}${link('serial:?vid=0403&serial=A2')}`)).toEqual([]);
  });
});

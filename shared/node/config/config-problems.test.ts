import { describe, expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { geometryFor, liveBytesMaxOf } from '../../ring/geometry.ts';
import { parseConfig } from './config.ts';

function issuesOf(text: string): readonly string[] {
  try {
    parseConfig(text, { directory: '/etc/ringmail' });
    return [];
  } catch (error) {
    if (hasCode(error, 'CONFIG_INVALID')) return error.details.issues;
    throw error;
  }
}

/** Below a good first line, so that what follows begins on line 2. */
const below = (text: string) => issuesOf(`name = "n1"\n${text}`);

const MQTT = '[uplink]\nkind = "mqtt"\n';
const LINK = '[uplink]\nkind = "link"\nline = "unix:/run/up.sock"\n';
const BELT = '[[adapters]]\nkind = "belt"\nname = "belt-1"\nport = "tcp:h:1"\n';
const QUEUES = 'queues.a = {}\nqueues.b = {}\n';
const TRIGGER = '[[triggers]]\nname = "t"\nqueue = "a"\n';
const RING = '[ring]\nsize = "8 MiB"\n';
const SIZE_FORMS = 'bytes, or a number with KiB, MiB or GiB, like "16 MiB"';
const LINE_FORMS = 'serial:<path>?baud=<n>, unix:<path> or tcp:<host>:<port>';
const NAME_RULE = '[a-z0-9][a-z0-9_-]{0,62}';

describe('one mistake, one line that says where', () => {
  test.each<[string, string, string]>([
    ['no name', '[ring]\n', `line 1: name: missing; it is a name: ${NAME_RULE}`],
    ['a name with a dot', '# node\nname = "n.1"', `line 2: name: 'n.1' is not a name: ${NAME_RULE}`],
    ['a name that is a number', 'name = 1', `line 1: name: expected a name: ${NAME_RULE}, not a number`],
    ['not TOML', 'name = "n1"\nring = {', 'line 2, column 9: unexpected token'],
  ])('%s', (_name, text, issue) => expect(issuesOf(text)).toEqual([issue]));

  test.each<[string, string, string]>([
    ['an unknown queue policy', 'unknownQueue = "drop"', "line 2: unknownQueue: 'drop' is not one of refuse, create"],
    ['an unknown level', '[log]\nlevel = "loud"', "line 3: log.level: 'loud' is not one of debug, info, warn, error"],
    ['a kind of uplink', '[uplink]\nkind = "lnk"', "line 3: uplink.kind: 'lnk' is not one of link, mqtt"],
    ['an uplink without a kind', '[uplink]\nline = "unix:/x"', 'line 2: uplink.kind: missing; it is one of link, mqtt'],
    [
      'a kind of adapter',
      `${LINK}[[adapters]]\nkind = "bell"\nname = "b"\nport = "tcp:h:1"\ndestination = "c/q"`,
      "line 6: adapters[0].kind: 'bell' is not one of belt",
    ],
    ['a protocol', `${MQTT}protocol = 3`, 'line 4: uplink.protocol: 3 is not one of 4, 5'],
    ['a protocol as text', `${MQTT}protocol = "5"`, 'line 4: uplink.protocol: expected one of 4, 5, not a string'],

    ['a flag as text', '[ring]\nallowVolatile = "yes"', 'line 3: ring.allowVolatile: expected true or false, not a string'],
    ['a number as text', '[ring]\ncommitDelayMs = "5 ms"', 'line 3: ring.commitDelayMs: expected a whole number, not a string'],
    ['a fraction', '[ring]\ncommitDelayMs = 0.5', 'line 3: ring.commitDelayMs: expected a whole number, not a fraction'],
    ['a number below', '[ring]\ncommitDelayMs = -1', 'line 3: ring.commitDelayMs: -1 is not within 0 to 10000'],
    ['a number above', '[ring]\ncommitDelayMs = 10001', 'line 3: ring.commitDelayMs: 10001 is not within 0 to 10000'],
    ['no partition', `${MQTT}partitions = 0`, 'line 4: uplink.partitions: 0 is not within 1 to 1024'],
    [
      'a number of many digits',
      `[ring]\ncommitDelayMs = 1${'0'.repeat(99)}`,
      'line 3: ring.commitDelayMs: a number of 100 digits is not within 0 to 10000',
    ],
    ['a text as a number', '[api]\nmode = 660', 'line 3: api.mode: expected a mode, like "660", not a number'],
    ['a text as a flag', '[api]\nmode = false', 'line 3: api.mode: expected a mode, like "660", not false'],
    ['a text as a date', '[api]\nmode = 2024-01-01', 'line 3: api.mode: expected a mode, like "660", not a date'],
    ['a text as a list', '[api]\nmode = ["660"]', 'line 3: api.mode: expected a mode, like "660", not a list'],
    ['a mode', '[api]\nmode = "rw"', `line 3: api.mode: 'rw' is not a mode: three digits from 0 to 7, like "660"`],

    ['a unit', '[ring]\nsize = "16 MB"', `line 3: ring.size: '16 MB' is not a size: ${SIZE_FORMS}`],
    ['a negative size', '[ring]\nsize = -1', `line 3: ring.size: '-1' is not a size: ${SIZE_FORMS}`],
    ['a size as a flag', '[ring]\nsize = true', `line 3: ring.size: expected ${SIZE_FORMS}, not true`],
    [
      'a small ring',
      '[ring]\nsize = "1 MiB"',
      'line 3: ring.size: 1 MiB is too small for a ring: it takes at least 1589248 bytes',
    ],
    [
      'a ring one byte too small',
      '[ring]\nsize = 1589247',
      'line 3: ring.size: 1.51 MiB is too small for a ring: it takes at least 1589248 bytes',
    ],
    ['a large ring', '[ring]\nsize = "1025 GiB"', 'line 3: ring.size: 1025 GiB is more than 1024 GiB'],
    ['a queue for nothing', '[queues.bags]\nlimit = 0', 'line 3: queues.bags.limit: 0 bytes take no message'],

    ['an empty path', '[ring]\npath = ""', 'line 3: ring.path: the path is empty'],
    ['a home', '[api]\nsocket = "~/x.sock"', "line 3: api.socket: '~/x.sock': ~ is not expanded here, write the whole path"],
    ['an empty user', `${MQTT}username = ""`, 'line 4: uplink.username: it is empty'],
    ['a password without a user', `${MQTT}passwordFile = "pw"`, 'line 4: uplink.passwordFile: needs a username beside it'],

    ['a line', '[uplink]\nkind = "link"\nline = "/dev/ttyUSB0"', `line 4: uplink.line: '/dev/ttyUSB0' is not ${LINE_FORMS}`],
    ['a baud', '[[links]]\nlisten = "serial:/dev/x?baud=1"', 'line 3: links[0].listen: baud 1 is not within 50 to 4000000'],
    ['a line to port 0', '[uplink]\nkind = "link"\nline = "tcp:h:0"', 'line 4: uplink.line: port 0 cannot be connected to'],
    [
      'an adapter at port 0',
      `${LINK}${BELT.replace('h:1', 'h:0')}destination = "c/q"`,
      'line 8: adapters[0].port: port 0 cannot be connected to',
    ],
    [
      'no line',
      '[uplink]\nkind = "link"',
      'line 2: uplink.line: missing; it is a line, like "serial:/dev/ttyUSB0?baud=115200", "unix:/run/x.sock" or "tcp:127.0.0.1:7001"',
    ],
    [
      'a link that listens nowhere',
      '\n[[links]]\n',
      'line 3: links[0].listen: missing; it is a line, like "serial:/dev/ttyUSB0?baud=115200", "unix:/run/x.sock" or "tcp:127.0.0.1:7001"',
    ],
    [
      'a broker without a scheme',
      `${MQTT}broker = "h:1883"`,
      "line 4: uplink.broker: 'h:1883' is not mqtt://<host>:<port> or mqtts://<host>:<port>",
    ],
    [
      'a broker with a path',
      `${MQTT}broker = "mqtt://h/x"`,
      "line 4: uplink.broker: 'mqtt://h/x' is not mqtt://<host>:<port> or mqtts://<host>:<port>",
    ],
    ['a broker without a host', `${MQTT}broker = "mqtt://:1883"`, "line 4: uplink.broker: '' is not a host name or an address"],
    [
      'a password in a URL, which is not repeated',
      `${MQTT}broker = "mqtt://me:secret@h/x"`,
      'line 4: uplink.broker: a URL with a user in it is refused: write username and passwordFile',
    ],
    ['a broker at port 0', `${MQTT}broker = "mqtt://h:0"`, 'line 4: uplink.broker: port 0 cannot be connected to'],
    [
      'a broker that listens at port 0',
      '[broker]\nlisten = "127.0.0.1:0"',
      'line 3: broker.listen: port 0 is none: the URL of the broker names this port',
    ],
    [
      'a broker that listens on a URL',
      '[broker]\nlisten = "mqtt://h:1"',
      "line 3: broker.listen: 'mqtt://h:1' is not <host>:<port>",
    ],

    [
      'an unknown key at the top',
      'color = "red"',
      'line 2: color: no such key; there are name, unknownQueue, ring, queueLimit, blockMs, holeWaitMs, broker, api, queues, uplink, uplinks, failoverMs, failbackMs, links, central, adapters, triggers, routes, ingress, log',
    ],
    ['a mistyped key', '[ring]\nsizes = "16 MiB"', "line 3: ring.sizes: no such key; did you mean 'size'?"],
    [
      'a key of another spelling',
      '[ring]\ncommit_delay_ms = 5',
      "line 3: ring.commit_delay_ms: no such key; did you mean 'commitDelayMs'?",
    ],
    [
      'a key of no kind of uplink',
      `${LINK}colour = 1`,
      'line 5: uplink.colour: no such key; there are kind, line, name, to, bytesPerSecond, burstBytes',
    ],
    ['a mistyped key of one kind', `${MQTT}partition = 2`, "line 4: uplink.partition: no such key; did you mean 'partitions'?"],
    ['a mistyped table', '[rings]\nsize = 5', "line 2: rings: no such key; did you mean 'ring'?"],
    ['a mistyped list', '[[link]]\nlisten = "x"', "line 2: link: no such key; did you mean 'links'?"],
    [
      'a key too low',
      '[log]\nunknownQueue = "create"',
      'line 3: log.unknownQueue: no such key; unknownQueue stands above the first [table] of the file',
    ],
    ['a key of nobody', '[log]\nfile = "x"', 'line 3: log.file: no such key; there are level'],
    [
      'a dotted key',
      'ring.colour.dark = 1',
      'line 2: ring.colour: no such key; there are path, size, allowVolatile, commitDelayMs, durability, intervalMs',
    ],
    ['a key in quotes', '[log]\n"a b" = 1', 'line 3: log."a b": no such key; there are level'],
    [
      'a key that a terminal would obey',
      '[log]\n"\\u001b[2J\\n" = 1',
      'line 3: log."\\u{1b}[2J\\u{a}": no such key; there are level',
    ],
    [
      '__proto__',
      '__proto__ = 1',
      'line 2: __proto__: no such key; there are name, unknownQueue, ring, queueLimit, blockMs, holeWaitMs, broker, api, queues, uplink, uplinks, failoverMs, failbackMs, links, central, adapters, triggers, routes, ingress, log',
    ],
    [
      '__proto__ of a table',
      '[ring.__proto__]\nsize = 1',
      'line 2: ring.__proto__: no such key; there are path, size, allowVolatile, commitDelayMs, durability, intervalMs',
    ],
    [
      '__proto__ as a queue',
      '[queues.__proto__]',
      `line 2: queues.__proto__: not a name of a queue: ${NAME_RULE}, or $dead, $journal, $admin`,
    ],
    [
      'constructor in a list',
      '[[links]]\nlisten = "unix:/x"\nconstructor = 1',
      'line 4: links[0].constructor: no such key; there are listen, allowRemote',
    ],

    ['a value for a table', 'ring = "16 MiB"', 'line 2: ring: expected a table [ring], not a string'],
    ['a list for a table', '[[ring]]', 'line 2: ring: there is one: write [ring], not [[ring]]'],
    ['a table for a list', '[links]\nlisten = "unix:/x"', 'line 2: links: there may be several: write [[links]], not [links]'],
    ['a value for a list', 'links = "unix:/x"', 'line 2: links: expected tables [[links]], not a string'],
    [
      'a value in a list',
      'links = [\n{ listen = "unix:/x" },\n"unix:/y" ]',
      'line 4: links[1]: expected a table [[links]], not a string',
    ],
    ['a value for a queue', '[queues]\nbags = "1 MiB"', 'line 3: queues.bags: expected a table [queues.bags], not a string'],
    [
      'a name of a queue',
      '[queues."a.b"]',
      `line 2: queues."a.b": not a name of a queue: ${NAME_RULE}, or $dead, $journal, $admin`,
    ],
    [
      'a system queue of nobody',
      '[queues."$all"]',
      `line 2: queues."$all": not a name of a queue: ${NAME_RULE}, or $dead, $journal, $admin`,
    ],

    [
      'MQTT keys of a link',
      `${LINK}broker = "mqtt://h"`,
      'line 5: uplink.broker: belongs to kind = "mqtt"; an uplink is one or the other',
    ],
    ['a line of MQTT', `${MQTT}line = "unix:/x"`, 'line 4: uplink.line: belongs to kind = "link"; an uplink is one or the other'],
    [
      'a link for everybody',
      '[[links]]\nlisten = "tcp:0.0.0.0:7001"',
      'line 3: links[0].listen: other machines reach 0.0.0.0, and nobody asks who they are; write allowRemote = true if that is meant',
    ],
    [
      'a link that is explicitly not for everybody',
      '[[links]]\nlisten = "tcp:[2001:db8::1]:7001"\nallowRemote = false',
      'line 3: links[0].listen: other machines reach 2001:db8::1, and nobody asks who they are; write allowRemote = true if that is meant',
    ],
    [
      'a broker for everybody',
      '[broker]\nlisten = "0.0.0.0:1883"',
      'line 3: broker.listen: other machines reach 0.0.0.0, and nobody asks who they are; write allowRemote = true if that is meant',
    ],

    [
      'a socket where the ring is',
      '[api]\nsocket = "n1.ring"',
      "line 3: api.socket: '/etc/ringmail/n1.ring' is taken by ring.path (line 1)",
    ],
    [
      'two uses of one socket',
      '[api]\nsocket = "/run/x.sock"\n[[links]]\nlisten = "unix:/run/../run/x.sock"',
      "line 5: links[0].listen: '/run/x.sock' is taken by api.socket (line 3)",
    ],
    [
      'a node that dials itself',
      '[[links]]\nlisten = "tcp:localhost:7001"\n[uplink]\nkind = "link"\nline = "tcp:127.0.0.1:7001"',
      "line 6: uplink.line: '127.0.0.1:7001' is taken by links[0].listen (line 3)",
    ],
    [
      'two listeners on one port',
      '[broker]\nlisten = "127.0.0.1:7001"\n[[links]]\nlisten = "tcp:127.0.0.1:7001"',
      "line 5: links[0].listen: '127.0.0.1:7001' is taken by broker.listen (line 3)",
    ],
    [
      'two roles on one serial port',
      `[[links]]\nlisten = "serial:/dev/x"\n${LINK}${BELT.replace('tcp:h:1', 'serial:/dev/x?baud=9600')}destination = "c/q"`,
      "line 10: adapters[0].port: '/dev/x' is taken by links[0].listen (line 3)",
    ],
    [
      'a socket with a long path',
      `[api]\nsocket = "/${'s'.repeat(107)}"`,
      `line 3: api.socket: the whole path of a socket has at most 107 bytes, not 108: '/${'s'.repeat(79)}…'`,
    ],
    [
      'a link with a long path, in bytes',
      `[[links]]\nlisten = "unix:/${'é'.repeat(54)}"`,
      `line 3: links[0].listen: the whole path of a socket has at most 107 bytes, not 109: '/${'é'.repeat(54)}'`,
    ],

    [
      'an address of three parts',
      `${LINK}${BELT}destination = "a/b/c"`,
      "line 9: adapters[0].destination: 'a/b/c' is not an address: an address is queue or node/queue",
    ],
    [
      'an address with capitals',
      `${LINK}${BELT}destination = "Central/bags"`,
      `line 9: adapters[0].destination: 'Central/bags' is not an address: node: ${NAME_RULE}`,
    ],
    ['no destination', `${LINK}${BELT}`, 'line 5: adapters[0].destination: missing; it is an address, like "central/bags"'],
    [
      'a destination beyond',
      `${BELT}destination = "central/bags"`,
      "line 6: adapters[0].destination: no [uplink] leads from here to 'central'",
    ],
    [
      'a queue that is not here',
      `${BELT}destination = "n1/bags"`,
      'line 6: adapters[0].destination: there is no [queues.bags] here',
    ],
    [
      'two adapters of one name',
      `${LINK}${BELT}destination = "c/q"\n${BELT.replace('h:1', 'h:2')}destination = "c/q"`,
      "line 12: adapters[1].name: 'belt-1' is the name of another adapter (line 7)",
    ],

    [
      'two triggers of one name',
      `${QUEUES}${TRIGGER}send = "b"\n${TRIGGER}send = "b"`,
      "line 9: triggers[1].name: 't' is the name of another trigger (line 5)",
    ],
    [
      'a trigger at a queue that is not here',
      `queues.b = {}\n${TRIGGER}send = "b"`,
      'line 5: triggers[0].queue: there is no [queues.a] here',
    ],
    [
      'a trigger at a queue of another node',
      `${QUEUES}${TRIGGER.replace('"a"', '"n2/a"')}send = "b"`,
      `line 6: triggers[0].queue: 'n2/a' is not a name of a queue: ${NAME_RULE}, or $dead, $journal, $admin`,
    ],
    [
      'a copy for a queue that is not here',
      `${QUEUES}${TRIGGER}send = "c"`,
      'line 7: triggers[0].send: there is no [queues.c] here',
    ],
    [
      'a copy for beyond',
      `${QUEUES}${TRIGGER}send = "central/b"`,
      "line 7: triggers[0].send: no [uplink] leads from here to 'central'",
    ],
    [
      'a copy for a queue that the node fills',
      `${QUEUES}${TRIGGER}send = "$dead"`,
      'line 7: triggers[0].send: nobody sends to $dead: its node fills it',
    ],
    [
      'a copy for where it comes from',
      `${QUEUES}${TRIGGER}send = "n1/a"`,
      'line 7: triggers[0].send: it is the queue of the trigger itself: no copy would be the last',
    ],
    [
      'routes in a circle',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["b"]\n[[routes]]\nfrom = "b"\nto = ["a"]`,
      'line 6: routes[0].to: it leads in a circle: b, a, b',
    ],
    [
      'a route to a queue of the system',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["$dead"]`,
      'line 6: routes[0].to: n1/$dead is a queue of the system: nodes fill it by themselves',
    ],
    [
      'a route from a queue that is not there',
      `${QUEUES}[[routes]]\nfrom = "c"\nto = ["b"]`,
      'line 5: routes[0].from: there is no [queues.c] here',
    ],
    [
      'a route to a queue that is not there',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["b", "c"]`,
      'line 6: routes[0].to: there is no [queues.c] here',
    ],
    [
      'a route to a node that nothing leads to',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["central/a"]`,
      "line 6: routes[0].to: no [uplink] leads from here to 'central', and no [[links]]",
    ],
    [
      'a route to a topic without a broker',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["topic:belt/3"]`,
      `line 6: routes[0].to: 'topic:belt/3' takes an [uplink] of kind "mqtt"`,
    ],
    [
      'a route to a topic with wildcards',
      `${QUEUES}[[routes]]\nfrom = "a"\nto = ["topic:belt/+"]`,
      "line 6: routes[0].to: 'topic:belt/+': a topic that is published to has no + and no #",
    ],
    ['a route to no list', `${QUEUES}[[routes]]\nfrom = "a"\nto = "b"`, 'line 6: routes[0].to: expected a list, not a string'],
    [
      'a pattern that is none',
      `${QUEUES}[[routes]]\nfrom = "A?"\nto = ["b"]`,
      "line 5: routes[0].from: 'A?' is not a name, nor a pattern of names: a * stands for any characters",
    ],
    [
      'a trigger that does nothing',
      `${QUEUES}${TRIGGER}`,
      'line 4: triggers[0].send: missing; it is an address, like "central/bags"',
    ],
    [
      'a condition of no property',
      `${QUEUES}${TRIGGER}send = "b"\nwhere.lable = "x"`,
      "line 8: triggers[0].where.lable: no such key; did you mean 'label'?",
    ],
    [
      'a header that is a number',
      `${QUEUES}${TRIGGER}send = "b"\nwhere.headers.belt = 3`,
      'line 8: triggers[0].where.headers.belt: expected a text of up to 250 characters, not a number',
    ],
    [
      'a number that no message has',
      `${QUEUES}${TRIGGER}send = "b"\nwhere.appSpecific = 4294967296`,
      'line 8: triggers[0].where.appSpecific: 4294967296 is not within 0 to 4294967295',
    ],

    [
      'a central of another name',
      '[central]\nname = "n2"',
      "line 3: central.name: 'n2' is not the name of this node, 'n1': what is sent to n2/… would not be at home here",
    ],
    [
      'a central of no name',
      '\n[central]',
      "line 3: central.name: 'central' is not the name of this node, 'n1': what is sent to central/… would not be at home here",
    ],
    [
      'a second uplink without a name',
      '[[uplinks]]\nkind = "link"\nline = "unix:/a"\n[[uplinks]]\nkind = "link"\nline = "unix:/b"',
      'line 5: uplinks[1].name: missing; it is a name: [a-z0-9][a-z0-9_-]{0,62}',
    ],
    [
      'a burst of an uplink without a cap',
      '[uplink]\nkind = "link"\nline = "unix:/a"\nburstBytes = 100',
      'line 5: uplink.burstBytes: goes with bytesPerSecond, which is not there',
    ],
    [
      'how lazy one is that is always connected',
      '[uplink]\nkind = "mqtt"\nidleMs = 5000',
      'line 4: uplink.idleMs: goes with connect = "lazy"',
    ],
    [
      'a cap of nothing',
      '[uplink]\nkind = "link"\nline = "unix:/a"\nbytesPerSecond = 0',
      'line 5: uplink.bytesPerSecond: 0 is not within 1 to 125000000',
    ],
    [
      'two uplinks of one name',
      '[[uplinks]]\nkind = "link"\nline = "unix:/a"\nname = "a"\n[[uplinks]]\nkind = "link"\nline = "unix:/b"\nname = "a"',
      "line 9: uplinks[1].name: 'a' is the name of another uplink (line 5)",
    ],
    [
      'two uplinks over one line',
      '[[uplinks]]\nkind = "link"\nline = "unix:/a"\n[[uplinks]]\nkind = "link"\nline = "unix:/a"\nname = "b"',
      "line 7: uplinks[1].line: '/a' is taken by uplinks[0].line (line 4)",
    ],
    [
      'two uplinks over one broker to one central',
      '[[uplinks]]\nkind = "mqtt"\nbroker = "mqtt://h"\n[[uplinks]]\nkind = "mqtt"\nbroker = "mqtt://h"\nname = "b"',
      "line 7: uplinks[1].broker: 'mqtt://h:1883' leads to central for uplinks[0] already (line 2)",
    ],
    [
      'an uplink and uplinks',
      '[[uplinks]]\nkind = "link"\nline = "unix:/a"\n[uplink]\nname = "b"\nkind = "link"\nline = "unix:/b"\n',
      'line 5: uplink: is one of [[uplinks]] alone: write one or the other',
    ],
    [
      'where an uplink leads',
      `${LINK}to = ["Site"]`,
      "line 5: uplink.to: 'Site' is not a pattern: a name with * in place of any part",
    ],
    [
      'an uplink that leads nowhere',
      `${LINK}to = []`,
      'line 5: uplink.to: expected one or up to 64 patterns of names, like ["site-*", "central"], not 0',
    ],
    ['an uplink to itself', `${MQTT}central = "n1"`, "line 4: uplink.central: 'n1' is the name of this node"],

    [
      'a limit above the ring',
      `${RING}[queues.bags]\nlimit = "8 MiB"`,
      "line 4: queues: the limits, $dead's among them, add up to 8.39 MiB: a ring of 8 MiB admits 3.19 MiB",
    ],
    [
      'limits that together are above the ring',
      `${RING}[queues.a]\nlimit = "1.5 MiB"\n[queues.b]\nlimit = "1.5 MiB"`,
      "line 4: queues: the limits, $dead's among them, add up to 3.39 MiB: a ring of 8 MiB admits 3.19 MiB",
    ],
    [
      'a reserve above the limit of its queue',
      `${RING}[queues.a]\nlimit = "1 MiB"\nreserve = "2 MiB"`,
      'line 6: queues.a.reserve: 2 MiB are more than the limit of the queue, 1 MiB',
    ],
    [
      'reserves that the ring cannot keep beside its counters',
      `${RING}[queues.a]\nlimit = "1.6 MiB"\nreserve = "1.6 MiB"\n[queues.b]\nlimit = "1.55 MiB"\nreserve = "1.55 MiB"\n[queues."$dead"]\nlimit = 4096`,
      'line 4: queues: the reserves add up to 3.14 MiB: a ring of 8 MiB can keep 3.13 MiB',
    ],
    [
      'an interval where every answer waits for the disk',
      '[ring]\nintervalMs = 50',
      'line 3: ring.intervalMs: belongs to durability = "interval"; with "sync" every answer comes after the disk',
    ],
    [
      'a policy for $dead, which has one',
      '[queues."$dead"]\nwhenFull = "block"',
      'line 3: queues."$dead".whenFull: this queue makes room for a letter by dropping its least urgent, oldest ones',
    ],
    [
      'a system queue that is to be strict',
      '[queues."$journal"]\nordering = "strict"',
      'line 3: queues."$journal".ordering: a system queue has a limit, a reserve and a label',
    ],
    [
      'letters that come back for ever',
      '[queues.bags]\ndeadLetterQueue = "bags"',
      'line 3: queues.bags.deadLetterQueue: it is this queue itself',
    ],
    ['a factor that shrinks', '[queues.bags]\nretryFactor = 0.5', 'line 3: queues.bags.retryFactor: 0.5 is not within 1 to 100'],
    [
      'what is only set while a node runs',
      '[queues.bags]\nstate = "paused"',
      'line 3: queues.bags.state: no such key; there are limit, reserve, label, whenFull, remoteWhenFull, ordering, journal, replay, deadLetterQueue, timeToBeReceivedMs, deliveriesMax, retryMs, retryFactor, retryMsMax, retryJitterPercent',
    ],
    ['an ingress without a rule', '[ingress]', 'line 2: ingress.rules: there is none: no topic leads to a queue'],
    [
      'an ingress for other machines',
      '[queues.a]\n[ingress]\nlisten = "0.0.0.0:1883"\nrules = [{ topic = "a", queue = "a" }]',
      'line 4: ingress.listen: other machines reach 0.0.0.0, and what they say is not encrypted; write allowRemote = true if that is meant',
    ],
    [
      'a rule with a wildcard in a level',
      '[queues.a]\n[ingress]\nrules = [{ topic = "a/b+", queue = "a" }]',
      "line 4: ingress.rules[0].topic: 'a/b+': + stands for one whole level, and # for all that are left, at the end",
    ],
    [
      'a rule to a queue that is not there',
      '[ingress]\nrules = [{ topic = "a", queue = "a" }]',
      'line 3: ingress.rules[0].queue: there is no [queues.a] here',
    ],
    [
      'a rule to a system queue',
      '[ingress]\nrules = [{ topic = "a", queue = "$dead" }]',
      'line 3: ingress.rules[0].queue: nobody sends to $dead: its node fills it',
    ],
    [
      'a rule to a node that no uplink leads to',
      '[ingress]\nrules = [{ topic = "a", queue = "central/a" }]',
      "line 3: ingress.rules[0].queue: no [uplink] leads from here to 'central'",
    ],
    [
      'a packet that no ring takes',
      '[queues.a]\n[ingress]\npacketLimit = "1 MiB"\nrules = [{ topic = "a", queue = "a" }]',
      'line 4: ingress.packetLimit: 1 MiB is not within 1 KiB to 512 KiB',
    ],
    [
      'an ingress where the broker is',
      '[queues.a]\n[broker]\n[ingress]\nrules = [{ topic = "a", queue = "a" }]',
      "line 4: ingress.listen: '127.0.0.1:1883' is taken by broker.listen (line 3)",
    ],
    [
      'a general limit above the ring',
      `queueLimit = "4 MiB"\n${RING}`,
      'line 2: queueLimit: 4 MiB do not fit: a ring of 8 MiB admits 3.19 MiB',
    ],
  ])('%s', (_name, text, issue) => expect(below(text)).toEqual([issue]));
});

test('limits may fill the ring to the last byte', () => {
  const admitted = liveBytesMaxOf(geometryFor(8 * 2 ** 20));
  const limits = (bytes: number) => `ring.size = "8 MiB"\nqueues.a.limit = ${bytes}\nqueues."$dead".limit = 4096`;
  expect(below(limits(admitted - 4096))).toEqual([]);
  expect(below(limits(admitted - 4095))).toHaveLength(1);
});

test('every key of the other kind is told', () => {
  expect(below(`${LINK}broker = "mqtt://h"\nprotocol = 4\ncentral = "c"`)).toHaveLength(3);
});

test('several are told at once, in the order of the lines', () => {
  const text = `# a gateway
nam = "g1"
unknownQueue = "maybe"

[api]
socket = "/run/g1.sock"
mode = 660

[uplink]
kind = "mqtt"
broker = "localhost"
line = "unix:/x"

[[links]]
listen = "unix:/run/g1.sock"

[[links]]
listen = "tcp:0.0.0.0:7001"
alowRemote = true

[[adapters]]
kind = "belt"

[ring]
size = "16MB"
`;
  expect(issuesOf(text)).toEqual([
    `line 1: name: missing; it is a name: ${NAME_RULE}`,
    "line 2: nam: no such key; did you mean 'name'?",
    "line 3: unknownQueue: 'maybe' is not one of refuse, create",
    'line 7: api.mode: expected a mode, like "660", not a number',
    "line 11: uplink.broker: 'localhost' is not mqtt://<host>:<port> or mqtts://<host>:<port>",
    'line 12: uplink.line: belongs to kind = "link"; an uplink is one or the other',
    "line 15: links[0].listen: '/run/g1.sock' is taken by api.socket (line 6)",
    'line 18: links[1].listen: other machines reach 0.0.0.0, and nobody asks who they are; write allowRemote = true if that is meant',
    "line 19: links[1].alowRemote: no such key; did you mean 'allowRemote'?",
    `line 21: adapters[0].name: missing; it is a name: ${NAME_RULE}`,
    'line 21: adapters[0].port: missing; it is a line, like "serial:/dev/ttyUSB0?baud=115200", "unix:/run/x.sock" or "tcp:127.0.0.1:7001"',
    'line 21: adapters[0].destination: missing; it is an address, like "central/bags"',
    `line 25: ring.size: '16MB' is not a size: ${SIZE_FORMS}`,
  ]);
});

describe('a mistake keeps the checks that rest on it quiet', () => {
  test.each<[string, string, number]>([
    ['the name: nobody is compared with it', 'name = "N"\n[central]\n', 1],
    ['the name: no queue is local', `name = "N"\n${BELT}destination = "n1/q"`, 1],
    ['the size: no limit is added up', 'name = "n"\nring.size = "1 MiB"\nqueues.a.limit = "1 GiB"', 1],
    ['the ring: no limit is added up', 'name = "n"\nring = 5\nqueues.a.limit = "1 GiB"', 1],
    ['the name: it may be that of the central', `name = "N"\n${MQTT}central = "unnamed"`, 1],
    ['a limit: the others are not added up', 'name = "n"\n[queues.a]\nlimit = "much"\n[queues.b]\nlimit = "1 GiB"', 1],
    ['the kind: no key of either is refused', 'name = "n"\n[uplink]\nkind = "lnk"\nline = "unix:/x"\nbroker = "mqtt://h"', 1],
    ['the kind: destinations may be beyond', `name = "n"\n[uplink]\nkind = "lnk"\n${BELT}destination = "c/q"`, 1],
    ['the queues: destinations may be among them', `name = "n"\n${BELT}destination = "q"\n[queues]\nq = 5`, 1],
    ['two wrong lines: they are not the same place', 'name = "n"\n[[links]]\nlisten = "x"\n[[links]]\nlisten = "x"', 2],
    ['allowRemote: the host is not refused too', 'name = "n"\n[[links]]\nlisten = "tcp:0.0.0.0:1"\nallowRemote = 1', 1],
    ['the user: the password is not refused too', `name = "n"\n${MQTT}username = 5\npasswordFile = "x"`, 1],
  ])('%s', (_name, text, count) => expect(issuesOf(text)).toHaveLength(count));
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLineAddress, isLoopback, type LineAddress, parseHostPort, parseLineAddress } from './line-address.ts';
import { SERIAL_DEFAULTS } from './serial-options.ts';

const DEFAULTS = { directory: '/etc/ringmail', baudRate: 115_200 };

const OPTIONS = 'vid, pid, serial, byPath, baud, dataBits, parity, stopBits, rtscts, dtrRts';

function reasonOf(text: string): string {
  const parsed = parseLineAddress(text, DEFAULTS);
  return parsed.kind === 'wrong' ? parsed.reason : 'nothing wrong';
}

describe('a line address', () => {
  test.each<[string, LineAddress]>([
    ['serial:/dev/ttyUSB0?baud=9600', { kind: 'serial', path: '/dev/ttyUSB0', baudRate: 9600, ...SERIAL_DEFAULTS }],
    ['serial:/dev/ttyUSB0', { kind: 'serial', path: '/dev/ttyUSB0', baudRate: 115_200, ...SERIAL_DEFAULTS }],
    ['serial:hall/belt-1', { kind: 'serial', path: '/etc/ringmail/hall/belt-1', baudRate: 115_200, ...SERIAL_DEFAULTS }],
    [
      'serial:/dev/serial/by-path/usb-0:1:1.0?baud=50',
      { kind: 'serial', path: '/dev/serial/by-path/usb-0:1:1.0', baudRate: 50, ...SERIAL_DEFAULTS },
    ],
    ['serial:/dev/x?baud=4000000', { kind: 'serial', path: '/dev/x', baudRate: 4_000_000, ...SERIAL_DEFAULTS }],
    [
      'serial:/dev/x?parity=even&dataBits=7&stopBits=2&rtscts=true&dtrRts=off',
      {
        ...{ kind: 'serial', path: '/dev/x', baudRate: 115_200 },
        ...{ dataBits: 7, parity: 'even', stopBits: 2, rtscts: true, dtrRts: 'off' },
      },
    ],
    [
      'serial:?vid=0403&pid=6015&baud=9600',
      { kind: 'serial-match', match: { vid: '0403', pid: '6015' }, baudRate: 9600, ...SERIAL_DEFAULTS },
    ],
    [
      'serial:?serial=A%261%20B&vid=0ABC',
      { kind: 'serial-match', match: { vid: '0abc', serialNumber: 'A&1 B' }, baudRate: 115_200, ...SERIAL_DEFAULTS },
    ],
    [
      'serial:?byPath=pci-0000:00:14.0-usb-0:1:1.0-port0',
      { kind: 'serial-match', match: { byPath: 'pci-0000:00:14.0-usb-0:1:1.0-port0' }, baudRate: 115_200, ...SERIAL_DEFAULTS },
    ],
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['unix:x.sock', { kind: 'unix', path: '/etc/ringmail/x.sock' }],
    ['unix:../x:y.sock', { kind: 'unix', path: '/etc/x:y.sock' }],
    ['tcp:127.0.0.1:7001', { kind: 'tcp', host: '127.0.0.1', port: 7001 }],
    ['tcp:localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['tcp:[::1]:65535', { kind: 'tcp', host: '::1', port: 65_535 }],
    ['tcp:terminal-server.example:4001', { kind: 'tcp', host: 'terminal-server.example', port: 4001 }],
  ])('%s', (text, address) => {
    expect(parseLineAddress(text, DEFAULTS)).toEqual({ kind: 'ok', value: address });
    expect(parseLineAddress(formatLineAddress(address), DEFAULTS)).toEqual({ kind: 'ok', value: address });
  });

  test.each<[string, string]>([
    ['', "'' is not serial:<path>?baud=<n>, unix:<path> or tcp:<host>:<port>"],
    ['/dev/ttyUSB0', "'/dev/ttyUSB0' is not serial:<path>?baud=<n>, unix:<path> or tcp:<host>:<port>"],
    ['COM3:', "'COM3:' is not serial:<path>?baud=<n>, unix:<path> or tcp:<host>:<port>"],
    ['serial:', 'the path is empty'],
    ['serial:?baud=9600', 'the path is empty'],
    ['serial:/dev/x?', `'' is not <option>=<value>; the options of a serial port are ${OPTIONS}`],
    ['serial:/dev/x?speed=1', `'speed=1' is not <option>=<value>; the options of a serial port are ${OPTIONS}`],
    ['serial:/dev/x?toString=1', `'toString=1' is not <option>=<value>; the options of a serial port are ${OPTIONS}`],
    ['serial:/dev/x?parity=mark', "parity 'mark' is not one of none, even, odd"],
    ['serial:/dev/x?parity=toString', "parity 'toString' is not one of none, even, odd"],
    ['serial:/dev/x?stopBits=3', "stopBits '3' is not one of 1, 2"],
    ['serial:/dev/x?dataBits=9', "dataBits '9' is not one of 5, 6, 7, 8"],
    ['serial:/dev/x?rtscts=yes', "rtscts 'yes' is not one of true, false"],
    ['serial:/dev/x?dtrRts=low', "dtrRts 'low' is not one of leave, on, off"],
    ['serial:/dev/x?baud=9600&baud=9600', 'baud stands there twice'],
    ['serial:/dev/x?baud=', 'baud is empty'],
    ['serial:/dev/x?serial=%zz', "'serial=%zz' has no value that can be read"],
    ['serial:?vid=403', "vid '403' is not four hexadecimal digits"],
    ['serial:?pid=0x6001', "pid '0x6001' is not four hexadecimal digits"],
    ['serial:?byPath=/dev/x', "byPath '/dev/x' is not a name of /dev/serial/by-path: it has no /"],
    ['serial:/dev/x?vid=0403', "'/dev/x': a port has a path or a match (vid=0403), not both"],
    ['serial:/dev/x?baud=fast', "baud 'fast' is not a number"],
    ['serial:/dev/x?baud=49', 'baud 49 is not within 50 to 4000000'],
    ['serial:/dev/x?baud=4000001', 'baud 4000001 is not within 50 to 4000000'],
    ['unix:', 'the path is empty'],
    ['unix:a\0b', "'a\\u{0}b' has a zero character, which no path can have"],
    ['unix:~/x.sock', "'~/x.sock': ~ is not expanded here, write the whole path"],
    ['tcp:7001', "'7001' is not <host>:<port>"],
    ['tcp::7001', "'' is not a host name or an address"],
    ['tcp:host:', "'host:' is not <host>:<port>"],
    ['tcp:::1:7001', "'::1:7001' is not <host>:<port>"],
    ['tcp:[127.0.0.1]:1', "'127.0.0.1' is not a host name or an address"],
    ['tcp:a b:1', "'a b' is not a host name or an address"],
    ['tcp:host:65536', '65536 is not a port: 65535 is the last one'],
    ['tcp:host:-1', "'host:-1' is not <host>:<port>"],
  ])('%j is refused with its reason', (text, reason) => expect(reasonOf(text)).toBe(reason));

  test('never throws, and what it takes it can write', () => {
    const texts = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom('serial:', 'serial:?serial=', 'serial:/x?baud=9600&byPath=', 'unix:', 'tcp:'), fc.string())
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = parseLineAddress(text, DEFAULTS);
        if (parsed.kind === 'ok') expect(parseLineAddress(formatLineAddress(parsed.value), DEFAULTS)).toEqual(parsed);
        else expect(parsed.reason).toMatch(/^[^\p{Cc}]+$/u);
      }),
      { numRuns: 2000 },
    );
  });
});

test('a host and its port', () => {
  expect(parseHostPort('127.0.0.1:1883')).toEqual({ kind: 'ok', value: { host: '127.0.0.1', port: 1883 } });
  expect(parseHostPort('[::]:1883')).toEqual({ kind: 'ok', value: { host: '::', port: 1883 } });
});

test.each(['127.0.0.1', '127.8.9.10', 'localhost', 'LOCALHOST', '::1', '::ffff:127.0.0.1'])(
  '%s is reached by this machine only',
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);

test.each([
  '0.0.0.0',
  '::',
  '192.168.1.1',
  '12.7.0.1',
  '128.0.0.1',
  '127.0.0.1.example',
  '127.example',
  'localhost.example',
  '::ffff:10.0.0.1',
  '',
])('%s is reached by others', (host) => expect(isLoopback(host)).toBe(false));

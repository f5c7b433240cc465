/** How a configured serial port is found and opened, with a stand-in for the package and lists of our own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSerialPort } from '../../hardware-sim/fake-serialport.ts';
import { type LineAddress, parseLineAddress } from './config/line-address.ts';
import { baudOf, openLine, waitMsMaxOf } from './open-line.ts';
import type { PortListing } from './port-match.ts';
import { listSerialPorts } from './serial-package.ts';

vi.mock('serialport', () => ({ SerialPort: FakeSerialPort }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-open-'));
});
afterEach(() => {
  FakeSerialPort.reset();
  rmSync(folder, { recursive: true });
});

function address(text: string): LineAddress {
  const parsed = parseLineAddress(text, { directory: folder, baudRate: 9600 });
  if (parsed.kind === 'wrong') throw new Error(parsed.reason);
  return parsed.value;
}

function device(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  return path;
}

test('the settings of the configuration are those of the port', async () => {
  const path = device('tty');
  (await openLine(address(`serial:${path}?baud=19200&dataBits=7&parity=even&stopBits=2&rtscts=true`))).close();
  (await openLine(address(`serial:${path}`))).close();
  const common = { path, hupcl: false, lock: true, autoOpen: false, xon: false, xoff: false, xany: false };
  expect(FakeSerialPort.made.map(({ settings }) => settings)).toMatchObject([
    { ...common, baudRate: 19_200, dataBits: 7, parity: 'even', stopBits: 2, rtscts: true },
    { ...common, baudRate: 9_600, dataBits: 8, parity: 'none', stopBits: 1, rtscts: false },
  ]);
});

describe('a port that is found by a match', () => {
  const by = address;
  const listing = (name: string, serialNumber: string): PortListing => ({
    ...{ path: join(folder, name), vendorId: '0403', productId: '6015', serialNumber, byPath: [`usb-${name}`] },
  });

  test('is looked for at every opening: renumbered, it is opened under its new name', async () => {
    const [first, second] = [device('ttyUSB0'), device('ttyUSB1')];
    let ports = [listing('ttyUSB0', 'A'), listing('ttyUSB1', 'B')];
    const options = { listPorts: async () => ports };
    const line = by('serial:?vid=0403&serial=A');
    (await openLine(line, options)).close();
    ports = [listing('ttyUSB0', 'B'), listing('ttyUSB1', 'A')];
    (await openLine(line, options)).close();
    expect(FakeSerialPort.made.map(({ settings }) => settings.path)).toEqual([first, second]);
  });

  test('is opened only when it is one', async () => {
    const ports = [listing('ttyUSB0', 'A'), listing('ttyUSB1', 'B')];
    const options = { listPorts: async () => ports };
    await expect(openLine(by('serial:?vid=0403&pid=6015'), options)).rejects.toMatchObject({ code: 'PORT_AMBIGUOUS' });
    await expect(openLine(by('serial:?vid=0403&serial=C'), options)).rejects.toMatchObject({ code: 'PORT_NOT_FOUND' });
    expect(FakeSerialPort.made).toEqual([]);
  });

  test('that is gone between the list and the opening: the same as any port that is not there', async () => {
    const options = { listPorts: async () => [listing('ttyUSB7', 'A')] };
    await expect(openLine(by('serial:?serial=A'), options)).rejects.toMatchObject({ code: 'LINE_UNAVAILABLE' });
  });

  test('where ports cannot be listed: a state that passes, with its reason', async () => {
    FakeSerialPort.list = () => Promise.reject(new Error('spawn udevadm ENOENT'));
    await expect(openLine(by('serial:?serial=A'))).rejects.toMatchObject({
      code: 'LINE_UNAVAILABLE',
      details: { line: 'serial:?serial=A&baud=9600', reason: 'the ports cannot be listed: spawn udevadm ENOENT' },
    });
  });

  test('is found in the list of the package', async () => {
    const path = device('ttyUSB3');
    FakeSerialPort.list = async () => [{ path, vendorId: '0403', productId: '6015', serialNumber: 'A', manufacturer: 'FTDI' }];
    expect(await listSerialPorts()).toEqual([{ path, vendorId: '0403', productId: '6015', serialNumber: 'A', byPath: [] }]);
    (await openLine(by('serial:?vid=0403&pid=6015&serial=A'))).close();
    expect(FakeSerialPort.of(path)).toHaveLength(1);
  });
});

test('a line is as fast as its bytes are: eleven bits for each are a tenth less', () => {
  expect(baudOf(address('serial:/dev/x?baud=115200'))).toBe(115_200);
  expect(baudOf(address('serial:/dev/x?baud=110000&parity=even'))).toBe(100_000);
  expect(baudOf(address('serial:?vid=0403&baud=9600'))).toBe(9_600);
  expect(baudOf(address('unix:/run/x.sock'))).toBeUndefined();
});

test('a port of this machine is looked for again within a second or two', () => {
  expect(waitMsMaxOf(address('serial:/dev/x'))).toEqual({ waitMsMax: 1_000 });
  expect(waitMsMaxOf(address('serial:?vid=0403'))).toEqual({ waitMsMax: 2_000 });
  expect(waitMsMaxOf(address('tcp:h:1'))).toEqual({});
});

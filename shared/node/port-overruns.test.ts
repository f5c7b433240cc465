/** The texts are of the form that uart_proc_show and show_tty_driver of Linux print. */
import { expect, test } from 'vitest';
import { overrunsIn, readOverruns } from './port-overruns.ts';

const DRIVERS = `/dev/tty             /dev/tty        5       0 system:/dev/tty
serial               /dev/ttyS       4 64-95 serial
ttyAMA               /dev/ttyAMA   204 64-77 serial
usbserial            /dev/ttyUSB   188 0-511 serial
pty_slave            /dev/pts      136 0-1048575 pty:slave
`;
const FILES: Readonly<Record<string, string>> = {
  '/proc/tty/drivers': DRIVERS,
  '/proc/tty/driver/serial': `serinfo:1.0 driver revision:
0: uart:16550A port:000003F8 irq:4 tx:218 rx:0 RTS|CTS|DTR|DSR|CD
1: uart:16550A port:000002F8 irq:3 tx:10 rx:99120 fe:2 pe:1 brk:4 oe:31 bo:7 RTS|DTR
11: uart:16550A port:000001F8 irq:3 tx:10 rx:5 oe:1
2: uart:unknown port:000003E8 irq:4
`,
  '/proc/tty/driver/ttyAMA': 'serinfo:1.0 driver revision:\n0: uart:PL011 rev3 mmio:0x3F201000 irq:81 tx:0 rx:12 oe:5\n',
  '/proc/tty/driver/usbserial': 'usbserinfo:1.0 driver:2.0\n0: module:ftdi_sio name:"FTDI" vendor:0403 num_ports:1 port:0\n',
};
const read = async (path: string): Promise<string> => FILES[path] ?? Promise.reject(new Error(`ENOENT ${path}`));

test.each([
  ['/dev/ttyS0', 0],
  ['/dev/ttyS1', 38],
  ['/dev/ttyS11', 1],
  ['/dev/ttyAMA0', 5],
])('%s lost %i', async (device, count) => expect(await readOverruns(device, read)).toBe(count));

test.each([
  ['of a port without hardware', '/dev/ttyS2'],
  ['of a port that the driver does not have', '/dev/ttyS9'],
  ['of USB adapters: their driver does not count', '/dev/ttyUSB0'],
  ['of a pseudo-terminal', '/dev/pts/3'],
  ['of a name without a number', '/dev/modem'],
])('nothing is known %s', async (_name, device) => expect(await readOverruns(device, read)).toBeUndefined());

test('nothing is known without the rights to read it', async () => {
  expect(await readOverruns('/dev/ttyS0', () => Promise.reject(new Error('EACCES')))).toBeUndefined();
});

test('a text that is no such table', () => expect(overrunsIn('\0\0\0', 0)).toBeUndefined());

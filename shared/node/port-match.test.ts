import { describe, expect, test } from 'vitest';
import { findPort, type PortListing } from './port-match.ts';

const PORTS: readonly PortListing[] = [
  { path: '/dev/ttyS0', byPath: [] },
  { path: '/dev/ttyUSB0', vendorId: '0403', productId: '6015', serialNumber: 'A10K', byPath: ['usb-1.1', 'usbv2-1.1'] },
  { path: '/dev/ttyUSB1', vendorId: '0403', productId: '6015', serialNumber: 'B20K', byPath: ['usb-1.2'] },
  // One adapter with two ports: what it is does not tell them apart, where it is does.
  { path: '/dev/ttyUSB2', vendorId: '10C4', productId: 'EA70', serialNumber: 'C', byPath: ['usb-1.3:1.0'] },
  { path: '/dev/ttyUSB3', vendorId: '10C4', productId: 'EA70', serialNumber: 'C', byPath: ['usb-1.3:1.1'] },
];

describe('finds the one port that is meant', () => {
  test.each([
    ['by its serial number', { serialNumber: 'B20K' }, '/dev/ttyUSB1'],
    ['by all fields together', { vid: '0403', pid: '6015', serialNumber: 'A10K', byPath: 'usb-1.1' }, '/dev/ttyUSB0'],
    ['by where it is plugged in, under any of its names', { byPath: 'usbv2-1.1' }, '/dev/ttyUSB0'],
    ['whatever case the system writes ids in', { vid: '10c4', byPath: 'usb-1.3:1.1' }, '/dev/ttyUSB3'],
  ])('%s', (_name, match, path) => expect(findPort(match, PORTS)).toBe(path));
});

describe('none, and says why', () => {
  const refused = (match: Parameters<typeof findPort>[0], ports = PORTS) => {
    try {
      return findPort(match, ports);
    } catch (error) {
      return error;
    }
  };

  test.each([
    ['a field that differs', { vid: '0403', serialNumber: 'C' }],
    ['a serial number in another case: it is text, not a number', { serialNumber: 'a10k' }],
    ['part of a name', { byPath: 'usb-1' }],
  ])('%s', (_name, match) => expect(refused(match)).toMatchObject({ code: 'PORT_NOT_FOUND' }));

  test('the ports there are, in words that can be written into the configuration', () => {
    expect(refused({ serialNumber: 'D' }, PORTS.slice(0, 2))).toMatchObject({
      details: { match: 'serial=D', present: ['/dev/ttyS0', '/dev/ttyUSB0 vid=0403&pid=6015&serial=A10K&byPath=usb-1.1'] },
    });
    expect(refused({ vid: '0403' }, [])).toMatchObject({ code: 'PORT_NOT_FOUND', details: { present: [] } });
  });

  test('several: none is taken, whichever comes first', () => {
    expect(refused({ vid: '0403', pid: '6015' })).toMatchObject({
      code: 'PORT_AMBIGUOUS',
      details: { match: 'vid=0403&pid=6015', paths: ['/dev/ttyUSB0', '/dev/ttyUSB1'] },
    });
  });

  test('a machine with many ports: an error names some', () => {
    const many = Array.from({ length: 500 }, (_, i) => ({ path: `/dev/tty${i}`, vendorId: '1234', byPath: [] }));
    expect(refused({ vid: '1234' }, many)).toMatchObject({ details: { paths: { length: 16 } } });
    expect(refused({ vid: '4321' }, many)).toMatchObject({ details: { present: { length: 16 } } });
  });
});

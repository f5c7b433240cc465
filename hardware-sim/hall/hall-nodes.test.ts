import { expect, test } from 'vitest';
import { parseConfig } from '../../shared/node/config/config.ts';
import { SERIAL_DEFAULTS } from '../../shared/node/config/serial-options.ts';
import { type HallPlaces, hallNodes } from './hall-nodes.ts';

const places: HallPlaces = {
  broker: 'mqtt://127.0.0.1:12345',
  beltPorts: [1, 2, 3, 4].map((i) => `serial:ports/belt-${i}?baud=115200`),
  cables: [1, 2].map((i) => ({
    deviceEnd: `serial:ports/cable-${i}-device?baud=115200`,
    gatewayEnd: `serial:ports/cable-${i}-gateway?baud=115200`,
  })),
  namePrefix: '',
};
const parsed = (shape: 'full' | 'compact', more: Partial<HallPlaces> = {}) =>
  hallNodes(shape, { ...places, ...more }).map(({ name, config }) => ({
    name,
    config: parseConfig(config, { directory: '/hall' }),
  }));

test('the full hall: two devices on cables, two on the socket where the gateway listens, every configuration valid', () => {
  const nodes = parsed('full');
  expect(nodes.map(({ name }) => name)).toEqual(['device-1', 'device-2', 'device-3', 'device-4', 'gateway', 'central']);
  const lines = nodes.flatMap(({ config }) => config.uplinks.flatMap((uplink) => (uplink.kind === 'link' ? [uplink.line] : [])));
  expect(lines.map(({ kind }) => kind)).toEqual(['serial', 'serial', 'unix', 'unix']);
  const gateway = nodes.find(({ name }) => name === 'gateway')?.config;
  expect(gateway?.links.map(({ listen }) => listen)).toEqual([
    { kind: 'serial', path: '/hall/ports/cable-1-gateway', baudRate: 115_200, ...SERIAL_DEFAULTS },
    { kind: 'serial', path: '/hall/ports/cable-2-gateway', baudRate: 115_200, ...SERIAL_DEFAULTS },
    lines[2],
  ]);
  expect(nodes.map(({ config }) => config.adapters.map(({ destination }) => destination))).toEqual([
    ...Array(4).fill(['central/bags']),
    [],
    [],
  ]);
});

test('the compact hall: one node has all belts and the uplink', () => {
  const nodes = parsed('compact');
  expect(nodes.map(({ name }) => name)).toEqual(['node', 'central']);
  expect(nodes[0]?.config.adapters.map(({ name }) => name)).toEqual(['belt-1', 'belt-2', 'belt-3', 'belt-4']);
  expect(nodes[0]?.config.uplinks[0]).toMatchObject({ kind: 'mqtt', broker: places.broker, central: 'central' });
});

test('at a broker of somebody else, nobody has a usual name', () => {
  const nodes = parsed('full', { namePrefix: 'demo-' });
  expect(nodes.at(-1)?.config).toMatchObject({
    name: 'demo-central',
    central: { name: 'demo-central' },
    queues: [{ name: 'bags' }],
  });
  expect(nodes.at(-2)?.config.uplinks[0]).toMatchObject({ central: 'demo-central' });
  expect(nodes[0]?.config.adapters[0]?.destination).toBe('demo-central/bags');
});

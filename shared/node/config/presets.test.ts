import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import { parseConfig } from './config.ts';
import { PRESETS, type PresetOptions, presetText } from './presets.ts';

const FROM = { directory: '/srv' };

test.each(PRESETS)('%s is a valid configuration without options', (preset) => {
  const text = presetText(preset, {});
  expect(text).toMatch(/^# .*[^\n]\n$/s);
  expect(parseConfig(text, FROM).name).not.toBe('');
});

test('what stands commented out is valid when it is switched on', () => {
  for (const preset of PRESETS) {
    const text = presetText(preset, {});
    const switched = text.replaceAll(/^# (?=\[|\w+ = )/gm, '');
    expect(parseConfig(switched, FROM), preset).toBeDefined();
    if (preset !== 'dev') expect(switched, preset).not.toBe(text);
  }
});

test('dev keeps everything below .ringmail, alone, and makes queues on demand', () => {
  expect(parseConfig(presetText('dev', {}), FROM)).toMatchObject({
    unknownQueue: 'create',
    ring: { path: '/srv/.ringmail/ringmail.ring', bytes: 16 * 2 ** 20, allowVolatile: false },
    api: { socket: '/srv/.ringmail/ringmail.sock' },
    uplinks: [],
    links: [],
  });
});

test('the presets of one directory meet each other', () => {
  const [device, gateway, central] = (['device', 'gateway', 'central'] as const).map((preset) =>
    parseConfig(presetText(preset, {}), FROM),
  );
  expect(device?.uplinks[0]).toMatchObject({ kind: 'link', line: gateway?.links[0]?.listen });
  expect(gateway?.uplinks[0]).toMatchObject({ kind: 'mqtt', central: central?.name, broker: central?.central?.broker });
});

describe('options', () => {
  test('of a device', () => {
    const options = {
      name: 'd7',
      folder: 'data/d7',
      ringSize: '2 MiB',
      line: 'serial:/dev/ttyS1?baud=57600',
      central: 'centre',
      belts: [
        { name: 'belt-1', port: 'serial:/dev/ttyUSB0' },
        { name: 'belt-2', port: 'tcp:h:1', destination: 'd7/local' },
      ],
      queues: ['local'],
    };
    expect(parseConfig(presetText('device', options), FROM)).toMatchObject({
      name: 'd7',
      ring: { path: '/srv/data/d7/d7.ring', bytes: 2 * 2 ** 20 },
      api: { socket: '/srv/data/d7/d7.sock' },
      queues: [{ name: 'local' }],
      uplinks: [{ kind: 'link', line: { kind: 'serial', path: '/dev/ttyS1', baudRate: 57_600 } }],
      adapters: [
        { kind: 'belt', name: 'belt-1', destination: 'centre/bags' },
        { kind: 'belt', name: 'belt-2', destination: 'd7/local' },
      ],
    });
  });

  test('of a device with an uplink of its own to the broker', () => {
    const [uplink] = parseConfig(presetText('device', { broker: 'mqtt://h:1', line: 'unix:/x' }), FROM).uplinks;
    expect(uplink).toMatchObject({ kind: 'mqtt', broker: 'mqtt://h:1', central: 'central' });
  });

  test('of a gateway', () => {
    const { links, uplinks } = parseConfig(
      presetText('gateway', { listen: ['unix:/a', 'serial:/b'], broker: 'mqtt://h:1', central: 'c' }),
      FROM,
    );
    expect(links.map(({ listen }) => listen.kind)).toEqual(['unix', 'serial']);
    expect(uplinks[0]).toMatchObject({ broker: 'mqtt://h:1', central: 'c' });
  });

  test('of a central', () => {
    const config = parseConfig(presetText('central', { central: 'c', broker: 'mqtt://h:1', queues: ['bags', 'alarms'] }), FROM);
    expect(config).toMatchObject({
      name: 'c',
      central: { name: 'c', broker: 'mqtt://h:1' },
      queues: [{ name: 'bags' }, { name: 'alarms' }],
    });
  });

  test('queues share any ring, whatever its size and their number', () => {
    const sizes = fc.integer({ min: 1_589_248, max: 2 ** 33 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 40 }), fc.constantFrom(...PRESETS), (bytes, count, preset) => {
        const queues = Array.from({ length: count }, (_, index) => `q${index}`);
        expect(parseConfig(presetText(preset, { ringSize: String(bytes), queues }), FROM).queues).toHaveLength(count);
      }),
    );
  });

  test('of any text: it stays in its place, and what is wrong is told when the text is parsed', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a"\n[broker]\nlisten = "0.0.0.0:1', '\x7f', "'''", '\\'),
    );
    const optional = fc.record(
      {
        name: text,
        folder: text,
        ringSize: text,
        line: text,
        broker: text,
        central: text,
        listen: fc.array(text, { maxLength: 3 }),
        belts: fc.array(fc.record({ name: text, port: text, destination: text }), { maxLength: 3 }),
        queues: fc.uniqueArray(text, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.constantFrom(...PRESETS), optional, (preset, options) => {
        for (const issue of issuesOf(presetText(preset, options as PresetOptions))) {
          expect(issue).not.toMatch(/column|no such key/);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function issuesOf(text: string): readonly string[] {
  try {
    parseConfig(text, FROM);
    return [];
  } catch (error) {
    if (hasCode(error, 'CONFIG_INVALID')) return error.details.issues;
    throw error;
  }
}

/** Goal: the page and the example files say what the code does. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../../errors.ts';
import {
  BLOCK_MS_MAX,
  BLOCKED_BYTES_MAX,
  BLOCKED_COUNT_MAX,
  HOLE_WAIT_MS,
  INGRESS_CLIENT_COUNT,
  INGRESS_CLIENT_COUNT_MAX,
  INGRESS_HOLD_MS,
  INGRESS_HOLD_MS_MAX,
  INGRESS_HOLD_MS_MIN,
  INGRESS_IN_FLIGHT_BYTES,
  INGRESS_PACKET_BYTES,
  INGRESS_RULE_COUNT_MAX,
  PUBLISH_BYTES_MAX,
  QUEUE_LABEL_LENGTH_MAX,
  RETRY_FACTOR_MAX,
  RETRY_MS_MAX,
  UPLINK_PATIENCE_MS_MAX,
} from '../../limits.ts';
import { APP_SPECIFIC_MAX, TEXT_LENGTH_MAX } from '../../message/message.ts';
import { DELIVERY_COUNT_MAX } from '../../ring/entry-layout.ts';
import { BLOCK_COUNT_MIN, geometryFor, liveBytesMaxOf, SUPERBLOCK_COPIES } from '../../ring/geometry.ts';
import { parseConfig } from './config.ts';
import {
  COMMIT_DELAY_MS_MAX,
  INTERVAL_MS_DEFAULT,
  INTERVAL_MS_MAX,
  PARTITION_COUNT_MAX,
  RING_BYTES_DEFAULT,
} from './config-schema.ts';
import { RING_BYTES_MAX } from './kinds.ts';
import { SOCKET_PATH_BYTES_MAX } from './line-address.ts';
import { PRESETS } from './presets.ts';
import { BAUD_MAX } from './serial-options.ts';
import { formatSize } from './sizes.ts';
import { TOML_LENGTH_MAX } from './toml.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
const EXAMPLES = join(ROOT, 'examples/config');
const FROM = { directory: '/etc/ringmail' };

/** Keys in the tables below a heading, in their order. */
function documentedKeys(heading: string): string[] {
  const section = PAGE.split(/^###? /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key ?? '');
}

/** Keys that stand in a table, as the refusal of another one lists them; the table of a kind is asked for each kind. */
function knownKeys(...texts: readonly string[]): string[] {
  const keys = new Set<string>();
  for (const text of texts) {
    for (const issue of issuesOf(text))
      for (const key of /no such key; there are (.*)$/.exec(issue)?.[1]?.split(', ') ?? []) keys.add(key);
  }
  return [...keys];
}

function issuesOf(text: string): readonly string[] {
  try {
    parseConfig(text, FROM);
    return [];
  } catch (error) {
    if (hasCode(error, 'CONFIG_INVALID')) return error.details.issues;
    throw error;
  }
}

describe('the tables of the page have the keys there are', () => {
  const alien = 'zzzzzzzzzzzz = 1';

  test.each<[string, string]>([
    ['`[ring]`', `[ring]\n${alien}`],
    ['`[api]`', `[api]\n${alien}`],
    ['`[queues.<queue>]`', `[queues.bags]\n${alien}`],
    ['`[[links]]`', `[[links]]\n${alien}`],
    ['`[central]`', `[central]\n${alien}`],
    ['`[[adapters]]`', `[[adapters]]\n${alien}`],
    ['`[[triggers]]`', `[[triggers]]\n${alien}\nwhere = { ${alien} }`],
    ['`[[routes]]`', `[[routes]]\n${alien}`],
    ['`[ingress]`', `[ingress]\n${alien}\nrules = [{ ${alien} }]`],
    ['`[broker]`', `[broker]\n${alien}`],
    ['`[log]`', `[log]\n${alien}`],
    ['`[uplink]`', `[uplink]\n${alien}`],
  ])('%s', (heading, text) => {
    const known = knownKeys(text);
    expect(known.length).toBeGreaterThan(0);
    expect(documentedKeys(heading).sort()).toEqual(known.sort());
  });

  test('`[[uplinks]]` has the keys of `[uplink]`', () => {
    expect(knownKeys(`[[uplinks]]\n${alien}`)).toEqual(knownKeys(`[uplink]\n${alien}`));
  });

  test('above the first table, and a heading for every table', () => {
    const tables = [...PAGE.matchAll(/^### `\[+(\w+)/gm)].map(([, name]) => name);
    expect([...documentedKeys('Above the first table'), ...tables].sort()).toEqual(knownKeys(alien).sort());
  });
});

test('the limits of the page are those of the code', () => {
  const grouped = (value: number) => value.toLocaleString('en-US');
  expect(PAGE).toContain(`at most ${grouped(TOML_LENGTH_MAX)} characters`);
  expect(PAGE).toContain(`from 50 to ${grouped(BAUD_MAX)}`);
  expect(PAGE).toContain(`at most ${SOCKET_PATH_BYTES_MAX} bytes`);
  expect(PAGE).toContain(`| 0 to ${grouped(COMMIT_DELAY_MS_MAX)} ms |`);
  expect(PAGE).toContain(`| 1 to ${PARTITION_COUNT_MAX} |`);
  expect(PAGE).toContain(`| \`intervalMs\` | 1 to ${grouped(INTERVAL_MS_MAX)} ms | \`${INTERVAL_MS_DEFAULT}\` |`);
  expect(PAGE).toContain(`| \`blockMs\` | 0 to ${grouped(BLOCK_MS_MAX)} ms | \`${BLOCK_MS_MAX}\` |`);
  expect(PAGE).toContain(`| \`holeWaitMs\` | 0 to ${grouped(UPLINK_PATIENCE_MS_MAX)} ms | \`${HOLE_WAIT_MS}\` |`);
  expect(PAGE).toContain(`| \`label\` | text of up to ${QUEUE_LABEL_LENGTH_MAX} characters |`);
  expect(PAGE).toContain(`| \`appSpecific\` | 0 to ${grouped(APP_SPECIFIC_MAX)} |`);
  expect(PAGE.split(`| text of up to ${TEXT_LENGTH_MAX} characters |`)).toHaveLength(5);
  expect(PAGE).toContain(`| \`deliveriesMax\` | 0 to ${grouped(DELIVERY_COUNT_MAX)} |`);
  expect(PAGE).toContain(`| \`retryMs\` | 0 to ${grouped(RETRY_MS_MAX)} ms |`);
  expect(PAGE).toContain(`| \`retryMsMax\` | 0 to ${grouped(RETRY_MS_MAX)} ms |`);
  expect(PAGE).toContain(`| \`retryFactor\` | 1 to ${RETRY_FACTOR_MAX}, fractions too |`);
  expect(PAGE).toContain(`${grouped(BLOCKED_COUNT_MAX)} senders and ${formatSize(BLOCKED_BYTES_MAX)} may wait`);
  const blocks = BLOCK_COUNT_MIN + SUPERBLOCK_COPIES;
  expect(PAGE).toContain(`${grouped(blocks * 4096)} bytes (${blocks} blocks of 4 KiB) to 1 TiB`);
  expect(RING_BYTES_MAX).toBe(2 ** 40);
  expect(PAGE).toContain(`| \`size\` | size | \`"${formatSize(RING_BYTES_DEFAULT)}"\` |`);
  expect(PAGE).toContain(`| \`clients\` | 1 to ${grouped(INGRESS_CLIENT_COUNT_MAX)} | \`${INGRESS_CLIENT_COUNT}\` |`);
  const upTo = formatSize(PUBLISH_BYTES_MAX);
  expect(PAGE).toContain(`| \`packetLimit\` | size, 1 to ${upTo} | \`"${formatSize(INGRESS_PACKET_BYTES)}"\` |`);
  expect(PAGE).toContain(`| \`inFlightLimit\` | size, 1 to ${upTo} | \`"${formatSize(INGRESS_IN_FLIGHT_BYTES)}"\` |`);
  const hold = `${INGRESS_HOLD_MS_MIN} to ${grouped(INGRESS_HOLD_MS_MAX)} ms`;
  expect(PAGE).toContain(`| \`holdMs\` | ${hold} | \`${INGRESS_HOLD_MS}\` |`);
  expect(PAGE).toContain(`1 to ${INGRESS_RULE_COUNT_MAX} rules`);
  const admits = (mebibytes: number) => liveBytesMaxOf(geometryFor(mebibytes * 2 ** 20)) / 2 ** 20;
  expect(PAGE).toContain(
    `A ring of 16 MiB admits about ${admits(16).toFixed(1)} MiB of messages, one of 64 MiB about ${admits(64).toFixed(0)} MiB`,
  );
});

test('the defaults of the page are those of the code', () => {
  const text = 'name = "central"\n[queues.bags]\n[central]\n[broker]\n';
  const written = `name = "central"
unknownQueue = "refuse"
blockMs = 30000
holeWaitMs = 60000
ring = { path = "central.ring", size = "16 MiB", allowVolatile = false, commitDelayMs = 0, durability = "sync" }
api = { socket = "central.sock", mode = "660" }
queues.bags = { reserve = 0, whenFull = "reject", remoteWhenFull = "wait", label = "", ordering = "parallel", journal = "off", deadLetterQueue = "$dead", timeToBeReceivedMs = 0, deliveriesMax = 0, retryMs = 0, retryFactor = 2, retryMsMax = 3600000, retryJitterPercent = 0 }
central = { name = "central", broker = "mqtt://127.0.0.1:1883", partitions = 1, protocol = 4 }
broker = { listen = "127.0.0.1:1883", allowRemote = false }
log.level = "info"
`;
  expect(parseConfig(written, FROM)).toEqual(parseConfig(text, FROM));
  for (const [, key, value] of written.slice(written.indexOf('\n')).matchAll(/(\w+) = ("[^"]*"|\d+|true|false)/g)) {
    const shown = value?.replace('central.', '<name>.').replaceAll(/[.$?]/g, '\\$&');
    expect(PAGE).toMatch(new RegExp(`^\\| \`${key}\` \\| .* \\| .*\`${shown}\`.* \\|`, 'm'));
  }
});

describe('every example of the page is valid', () => {
  const blocks = [...PAGE.matchAll(/^```toml\n([\s\S]*?)^```/gm)].map(([, text]) => text ?? '');
  test('there is one for each role', () => expect(blocks).toHaveLength(8));
  test.each(blocks)('%s', (text) => expect(issuesOf(text)).toEqual([]));
});

test('the refusals that the page shows are those of the code', () => {
  const shown = /^```text\n(line [\s\S]*?)^```/m.exec(PAGE)?.[1]?.trimEnd().split('\n');
  const text = `name = "d"\n[ring]\nsize = "16 MB"\n\n\n\n\n[uplink]\nkind = "lnk"\n\n[[adapters]]\nkind = "belt"\nname = "b"\nprot = "tcp:h:1"\n`;
  expect(issuesOf(text)).toEqual(expect.arrayContaining(shown ?? ['a block of refusals']));
});

describe('every file of examples/config is valid', () => {
  const files = readdirSync(EXAMPLES);
  test('there is one for each preset', () =>
    expect(files).toEqual(expect.arrayContaining(PRESETS.map((preset) => `${preset}.toml`))));
  test.each(files)('%s', (file) => {
    const text = readFileSync(join(EXAMPLES, file), 'utf8');
    expect(text.startsWith('# ')).toBe(true);
    expect(issuesOf(text)).toEqual([]);
  });
});

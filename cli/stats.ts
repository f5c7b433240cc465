/** `ringmail stats`: what a node holds and whether it moves. */
import type { Stats, UplinkStats } from '../shared/core/calls.ts';
import { streamText } from '../shared/message/identity.ts';
import { formatSize } from '../shared/node/config/sizes.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { lossNumbers } from './range-text.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { routeText } from './routes.ts';

export const stats = defineCommand(
  {
    name: 'stats',
    summary: 'show queues, what waits for other nodes, the ring, and whether the node is healthy',
    operands: '',
    operandCount: { min: 0, max: 0 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print all of it as one line of JSON' } },
    notes: ['Exit code 0 also when the node is not healthy; GET /v1/health of the local API tells by its status.'],
  },
  async ({ values }, world) => {
    const result = await withNode(placeOf(values, world), world, (node) => node.call({ verb: 'stats' }));
    if (result.kind === 'stats') await world.stdout(values.json ? `${JSON.stringify(result.stats)}\n` : statsText(result.stats));
    return EXIT.ok;
  },
);

/** For people. Sections without anything in them are left out. */
export function statsText(stats: Stats): string {
  const {
    health,
    ring,
    queues,
    outgoing,
    links,
    accounts,
    counters,
    adapters,
    ports = {},
    ingress,
    lines: lineStates = {},
  } = stats;
  const share = ring.bytesMax === 0 ? 0 : Math.round((100 * ring.bytesUsed) / ring.bytesMax);
  const lines = [
    `node     ${stats.node}, incarnation ${stats.incarnation}, epoch ${stats.epoch}`,
    `health   ${health.status}`,
    ...health.causes.map(({ code, detail }) => `         ${code}: ${detail}`),
    `ring     ${formatSize(ring.bytesUsed)} of ${formatSize(ring.bytesMax)} (${share} %), ${ring.freeBlocks} blocks free, ${ring.framesWritten} frames written`,
    ...damageText(ring),
    `disk     ${diskText(ring)}`,
    ...uplinkText(stats),
    ...Object.entries(lineStates).map(([line, state]) => `line     ${line}: ${state}`),
    ...links.map((link) => `link     ${link}`),
    ...section(
      ['queue', 'ready', 'leased', 'delayed', 'size', 'limit', 'reserve', 'when full', 'dropped', 'expired'],
      queues.map((q) => [
        q.name,
        ...[q.ready, q.leased, q.delayed].map(String),
        ...[q.bytes, q.bytesLimit, q.bytesReserved].map(formatSize),
        q.blocked > 0 ? `${q.whenFull}, ${q.blocked} wait` : q.whenFull,
        ...[q.dropped, q.expired].map(String),
      ]),
    ),
    ...section(
      ['outgoing', 'held', 'first', 'next'],
      outgoing.map((o) => [o.stream, String(o.held), String(o.lo), String(o.next)]),
    ),
    ...section(
      ['route', 'taken'],
      stats.routes.map((route) => [routeText(route), String(route.taken)]),
    ),
    ...section(
      ['losses', 'class', 'count', 'numbers'],
      accounts.map((a) => [streamText(a.stream), a.class, String(a.count), lossNumbers(a)]),
    ),
    ...section(
      ['counter', 'value'],
      Object.entries(counters).map(([name, value]) => [name, String(value)]),
    ),
    ...[
      ...Object.entries(adapters).map(([adapter, counts]) => [`adapter ${adapter}`, counts] as const),
      ...Object.entries(ports).map(([port, counts]) => [`port ${port}`, counts] as const),
      ...(ingress === undefined ? [] : [['ingress', ingress] as const]),
    ].flatMap(([title, counts]) =>
      section(
        [title, 'value'],
        Object.entries(counts).map(([name, value]) => [name, String(value)]),
      ),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function damageText({ gaps, corrupt, lost }: Stats['ring']): string[] {
  const now = gaps > 0 || corrupt > 0 ? [`         ${gaps} damaged places, ${corrupt} corrupt bodies`] : [];
  const ever = `         lost to damage since it was made: ${lost.frames} frames in ${lost.gaps} places, ${lost.ids} messages`;
  return lost.gaps > 0 ? [...now, ever] : now;
}

/** Several are a list, the preferred one first. */
function uplinkText({ uplink, uplinks = [] }: Partial<Pick<Stats, 'uplink' | 'uplinks'>>): string[] {
  if (uplinks.length < 2) return [`uplink   ${uplink ?? ''}${meteredText(uplinks[0]?.metered)}`];
  return uplinks.map(({ name, kind, state, node, use, sinceMs, metered }) => {
    const whither = node === '' ? '' : ` to ${node}`;
    const since = `${state} for ${Math.floor(sinceMs / 1000)} s${use === 'in-use' ? ', in use' : ''}`;
    return `uplink   ${name}: ${kind}${whither}, ${since}${meteredText(metered)}`;
  });
}

function meteredText(metered: UplinkStats['metered']): string {
  if (metered === undefined) return '';
  const { bytesPerSecond, sentBytes, waitMs } = metered;
  const waits = waitMs > 0 ? `, the next in ${Math.ceil(waitMs / 1000)} s` : '';
  return `, ${bytesPerSecond} bytes/s at the most: ${sentBytes} sent${waits}`;
}

function diskText({ durability, intervalMs, ioMode }: Stats['ring']): string {
  const lost = durability === 'interval' ? `: a power cut may take back the last ${intervalMs} ms of what was sent` : '';
  const warning = durability === 'volatile' ? ': a power cut empties the ring' : lost;
  return `${ioMode === '' ? durability : `${durability}, ${ioMode}`}${warning}`;
}

/** A table: the first column to the left, numbers to the right. */
function section(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return [
    '',
    ...all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')),
  ];
}

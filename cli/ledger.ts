/** `ringmail ledger`: what became of all that a node sent. */
import type { Ledger, LedgerLoss, LedgerStream } from '../shared/core/calls.ts';
import { countOf } from '../shared/custody/holes.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import { defineCommand } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { lossNumbers, rangesText } from './range-text.ts';
import { placeOf, REACH_OPTIONS, withNode } from './reach-node.ts';
import { tableLines } from './table.ts';

export const ledger = defineCommand(
  {
    name: 'ledger',
    summary: 'what became of all that a node sent, as far as this one knows',
    operands: '<node>',
    operandCount: { min: 1, max: 1 },
    options: { ...REACH_OPTIONS, json: { type: 'boolean', help: 'print all of it as one line of JSON' } },
    notes: ['Exit code 1: this node knows nothing of that one.'],
  },
  async ({ values, operands: [node = ''] }, world) => {
    const known = await withNode(placeOf(values, world), world, (calls) => new RingmailClient(calls).ledger(node));
    await world.stdout(values.json ? `${JSON.stringify(known)}\n` : ledgerText(known));
    return known.streams.length === 0 && known.digest === undefined ? EXIT.nothing : EXIT.ok;
  },
);

/** For people. */
export function ledgerText({ node, streams, streamsLeftOut, digest }: Ledger): string {
  const lines = streams.length === 0 ? [`nothing of ${node} ends here or passes`] : streamLines(streams);
  if (streamsLeftOut > 0) lines.push(`and ${streamsLeftOut} older streams`);
  for (const { stream, at, holes, missing, others } of streams) {
    const waited = at === 'ends' ? 'waited for' : 'gone another way';
    if (holes.length > 0) lines.push(`${stream}: numbers ${rangesText(holes)} ${waited}`);
    for (const loss of missing) lines.push(`${stream}: ${lossText(loss)}`);
    for (const loss of others) lines.push(`${stream}: ${lossText(loss)}, of another message's number`);
  }
  return `${[...lines, ...digestLines(node, digest)].join('\n')}\n`;
}

function streamLines(streams: readonly LedgerStream[]): string[] {
  const rows = streams.map(({ stream, at, numbers, received, waiting, holes, missing }) => {
    const here = Object.values(waiting).reduce((sum, count) => sum + count, 0);
    const lost = missing.reduce((sum, { count }) => sum + count, 0);
    return [stream, at, ...[numbers, received, here, countOf(holes), lost].map(String)];
  });
  const counts = ['numbers', 'received', 'waiting', 'open', 'missing'].map((head) => ({ head, align: 'right' as const }));
  return tableLines([{ head: 'stream', cut: 'long' }, { head: 'here' }, ...counts], rows);
}

function lossText(loss: LedgerLoss): string {
  return `${loss.class} ${loss.count}, numbers ${lossNumbers(loss)}`;
}

function digestLines(node: string, digest: Ledger['digest']): string[] {
  if (digest === undefined) return [`${node} never said what it has`];
  const { state, agoMs, agreedAgoMs, streams, losses, lossesLeftOut } = digest;
  const numbers = streams.reduce((sum, stream) => sum + stream.numbers, 0);
  const told = `${numbers} numbers of ${streams.length} streams, ${agoText(agoMs)} ago`;
  const agreed = agreedAgoMs === undefined ? 'never equal before' : `equal ${agoText(agreedAgoMs)} ago`;
  return [
    state === 'equal' ? `verified equal: ${told}` : `behind: ${told}; ${agreed}`,
    ...losses.map((loss) => `${node} says: ${loss.stream}: ${loss.class} ${loss.count}`),
    ...(lossesLeftOut > 0 ? [`${node} says: ${lossesLeftOut} more`] : []),
  ];
}

function agoText(ms: number): string {
  const [amount, unit] =
    ms < 120_000 ? [1_000, 's'] : ms < 7_200_000 ? [60_000, 'min'] : ms < 172_800_000 ? [3_600_000, 'h'] : [86_400_000, 'd'];
  return `${Math.round(ms / amount)} ${unit}`;
}

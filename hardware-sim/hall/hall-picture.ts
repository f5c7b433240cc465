/** A hall as text: the living picture, its one-line form, and what is shown at the end. Pure. */

import { type HallLedger, ledgerProblems } from './hall-ledger.ts';
import type { HallView, NodeView } from './hall-view.ts';

type Cell = string | number;

/** Redrawn in place: as many lines every time. */
export function pictureOf(view: HallView): string[] {
  const { application, out, outages } = view;
  const belts = view.belts.map(({ label, acknowledged, repeats }) => [label, acknowledged, repeats]);
  const nodes = view.nodes.map((node) => [
    node.name,
    stateOf(node),
    node.forNextNode,
    node.forApplication,
    percent(node.ringShare),
    healthOf(node),
  ]);
  const { received, dead, redelivered } = application;
  return [
    `${clock(view.seconds)}  ${sum(view.belts.map(({ acknowledged }) => acknowledged))} telegrams acknowledged to the belts`,
    '',
    ...table(['belt', 'acknowledged', 'repeated'], belts),
    '',
    ...table(['node', 'state', 'to hand on', 'to receive', 'ring', 'health'], nodes),
    '',
    `the application has ${received} received, ${dead} dead letters, and skipped ${redelivered} that came again`,
    `out now: ${out.join(', ') || '-'}   outages so far: ${outages}`,
  ];
}

/** For a log. */
export function lineOf(view: HallView): string {
  const acknowledged = sum(view.belts.map((belt) => belt.acknowledged));
  const { received, dead } = view.application;
  const waiting = view.nodes.filter((node) => waitingAt(node) > 0 || node.state !== 'up');
  const where = waiting.map((node) => `${node.name} ${node.state === 'up' ? waitingAt(node) : node.state}`).join(', ');
  return `${clock(view.seconds)}  acknowledged ${acknowledged}, received ${received}, dead ${dead}; queued: ${where || 'nothing'}`;
}

/** What happened to everything that the belts were told is safe. */
export function ledgerText(ledger: HallLedger): string[] {
  const problems = ledgerProblems(ledger);
  const { seconds, messagesPerSecond, neighbours } = ledger;
  return [
    'The ledger: what the belts were told is safe, against what the application wrote down. No node was asked.',
    '',
    ...rows([
      ['acknowledged to the belts', ledger.accepted, ''],
      ['received', ledger.received, ''],
      ['dead-lettered', ledger.deadLettered, 'well framed, but not a valid telegram: kept, with the reason'],
      ['expired', ledger.expired, ''],
      ['lost', ledger.lost, 'acknowledged, and nowhere'],
      ['duplicates', ledger.duplicates, 'written down twice'],
      ['out of order', ledger.outOfOrder, 'within a belt and a priority'],
      ['redelivered', ledger.redelivered, 'came again between effect and acknowledgement; the application skipped them'],
      ['outages', ledger.outages, ''],
    ]),
    '',
    `${seconds} s, ${messagesPerSecond} telegrams a second`,
    ...(neighbours === undefined
      ? []
      : [`${neighbours} went from belt 1 to the device of belt 2 while broker and central were away`]),
    problems.length === 0 ? 'Every acknowledged telegram is accounted for.' : `NOT CLEAN: ${problems.join('; ')}`,
  ];
}

/** What the nodes say of themselves. Beside the ledger, not part of it. */
export function nodesText(nodes: readonly NodeView[]): string[] {
  const head = ['node', 'stored', 'durable writes', 'openings', 'to hand on', 'to receive', 'health'];
  const body = nodes.map((node) => {
    const { name, stored, framesWritten, openings, forNextNode, forApplication } = node;
    return [name, stored, framesWritten, openings, forNextNode, forApplication, healthOf(node)];
  });
  return ['The nodes, in their own words (writes of all openings, as last seen):', '', ...table(head, body)];
}

function stateOf(node: NodeView): string {
  return node.state === 'down' ? 'DOWN' : node.state;
}

function healthOf(node: NodeView): string {
  return node.state === 'up' ? node.health : '-';
}

function waitingAt({ forNextNode, forApplication }: NodeView): number {
  return forNextNode + forApplication;
}

/** Numbers to the right, words to the left. */
function table(head: readonly string[], body: readonly (readonly Cell[])[]): string[] {
  const lines = [head, ...body];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => String(line[i]).length)));
  const isNumber = head.map((_, i) => body.length > 0 && body.every((line) => typeof line[i] === 'number'));
  return lines.map((line) => {
    const cells = line.map((cell, i) => (isNumber[i] ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!)));
    return `  ${cells.join('   ').trimEnd()}`;
  });
}

function rows(body: readonly (readonly [string, number, string])[]): string[] {
  const nameWidth = Math.max(...body.map(([name]) => name.length));
  const countWidth = Math.max(...body.map(([, count]) => String(count).length));
  return body.map(([name, count, note]) =>
    `  ${name.padEnd(nameWidth)}   ${String(count).padStart(countWidth)}   ${note}`.trimEnd(),
  );
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** `npm run brokers`: every broker under every fault, and the table of it. */
import { type Cell, cellsOf, play } from './cells.ts';
import { FAULTS } from './faults.ts';
import { brokerKinds } from './kinds.ts';

export interface Options {
  /** Of the tree, where `dist` is. */
  readonly root: string;
  readonly broker: RegExp | undefined;
  readonly fault: RegExp | undefined;
  readonly output: 'table' | 'json';
}

/** Cells at once: most of them mostly wait. */
const AT_ONCE = 4;

/** Returns the exit code: 0 when no cell failed. */
export async function main({ root, broker, fault, output }: Options): Promise<number> {
  const kinds = brokerKinds(root).filter(({ name }) => broker?.test(name) ?? true);
  const todo = cellsOf(kinds).filter((one) => fault?.test(one.fault.name) ?? true);
  const cells: Cell[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let at = next++; at < todo.length; at = next++) {
      const { kind, fault: played } = todo[at] as (typeof todo)[number];
      const cell = await play(kind, played);
      cells.push(cell);
      process.stderr.write(`[${cells.length}/${todo.length}] ${cell.broker}, ${cell.fault}: ${cell.verdict} (${cell.detail})\n`);
      if (output === 'json') process.stdout.write(`${JSON.stringify(cell)}\n`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  const names = kinds.map(({ name }) => name);
  if (output === 'table') process.stdout.write(`${tableOf(cells, names)}\n`);
  const count = (verdict: Cell['verdict']) => cells.filter((cell) => cell.verdict === verdict).length;
  const [arrives, red, not, skipped, failed] = (['all arrives', 'red', 'n/a', 'skipped', 'FAILED'] as const).map(count);
  const verdict = `brokers: ${arrives} cells where all arrives, ${red} red with the cause, ${not} n/a, ${skipped} skipped, ${failed} failed`;
  if (output === 'table') process.stdout.write(`${verdict}\n`);
  else process.stdout.write(`${JSON.stringify({ verdict, arrives, red, not, skipped, failed })}\n`);
  return failed === 0 && cells.length > 0 ? 0 : 1;
}

function tableOf(cells: readonly Cell[], brokers: readonly string[]): string {
  const of = (broker: string, fault: string) =>
    cells.find((cell) => cell.broker === broker && cell.fault === fault)?.verdict ?? '';
  const rows = FAULTS.filter(({ name }) => cells.some(({ fault }) => fault === name)).map(({ name }) => {
    return `| ${[name, ...brokers.map((broker) => of(broker, name))].join(' | ')} |`;
  });
  return [`| | ${brokers.join(' | ')} |`, `|---${'|---'.repeat(brokers.length)}|`, ...rows].join('\n');
}

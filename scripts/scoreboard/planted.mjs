/** Each planted bug: what it breaks, what caught it, and after how many seeds or seconds. */
import { table } from './tables.mjs';

/** @param {import('../records.mjs').Record[]} records the oldest first @returns {string} */
export function plantedPage(records) {
  const newest = records.filter(({ name }) => name === 'mutants').at(-1);
  if (newest === undefined) return 'None was recorded yet.';
  const { sets, rows } = newest.figures;
  const parts = Object.keys(sets).map((set) => {
    const lines = rows.filter(({ area }) => area === set).map((row) => [row.name, row.breaks, caughtBy(row), after(row)]);
    return `## ${set}\n\n${table(['bug', 'breaks', 'caught by', 'after'], lines)}`;
  });
  return parts.join('\n\n');
}

function caughtBy({ caught, test, by }) {
  return caught ? `${test}: ${by}` : `**survived** ${by}`;
}

function after({ seeds, seconds }) {
  return seeds === undefined ? `${seconds} s` : `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`;
}

/** Each planted bug: what it breaks, what caught it, and after how many seeds or seconds. */
import { newestOfMutants } from '../records.mjs';
import { table } from './tables.mjs';

/** @param {import('../records.mjs').Record[]} records the oldest first @returns {string} */
export function plantedPage(records) {
  const sets = newestOfMutants(records);
  if (sets.length === 0) return 'None was recorded yet.';
  const parts = sets.map(({ set, commit, date, rows }) => {
    const lines = rows.map((row) => [row.name, row.breaks, caughtBy(row), after(row)]);
    return `## ${set}\n\n${date.slice(0, 10)}, commit \`${commit}\`.\n\n${table(['bug', 'breaks', 'caught by', 'after'], lines)}`;
  });
  return parts.join('\n\n');
}

function caughtBy({ caught, test, by }) {
  return caught ? `${test}: ${by}` : `**survived** ${by}`;
}

function after({ seeds, seconds }) {
  return seeds === undefined ? `${seconds} s` : `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`;
}

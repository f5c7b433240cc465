/** The figures of records as tables of Markdown. Nothing is rounded up, and nothing that no record has is said. */

import { newestOfMutants } from '../records.mjs';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365.25 * DAY_MS;

/** @typedef {import('../records.mjs').Record} Record */

/** @param {Record[]} records the oldest first @returns {string} */
export function scoreboard(records) {
  const of = (...names) => records.filter(({ name }) => names.includes(name));
  const parts = [
    totals(of),
    yardTable(of('sim', 'soak')),
    exploreTable(of('explore').at(-1)),
    fuzzTable(of('fuzz')),
    mutantsTable(newestOfMutants(records)),
    runsTable(records),
  ];
  return parts.filter((part) => part !== undefined).join('\n\n');
}

function totals(of) {
  const rows = [];
  const yard = of('sim', 'soak');
  if (yard.length > 0) {
    const faults = yard.reduce((all, { figures }) => all + sumOf(figures.faults), 0);
    const wrong = `${many(sum(yard, 'violations'))} violations, ${many(sum(yard, 'crashes'))} crashes of the yard`;
    rows.push(['seeds of the yard', many(sum(yard, 'seeds')), wrong]);
    rows.push(['virtual time', duration(sum(yard, 'virtualMs')), `${many(sum(yard, 'delivered'))} messages delivered`]);
    rows.push(['faults in the yard', many(faults), 'by kind below']);
  }
  const torture = of('torture');
  if (torture.length > 0) {
    const rest = `${many(sum(torture, 'syncFailures'))} failed syncs, ${many(sum(torture, 'rottedBlocks'))} rotted blocks, ${many(sum(torture, 'violations'))} violations`;
    rows.push([
      'crashes of a ring, each recovery judged',
      many(sum(torture, 'crashes')),
      `${many(sum(torture, 'histories'))} lives; ${rest}`,
    ]);
  }
  const states = of('crash-states');
  if (states.length > 0)
    rows.push(['crash states enumerated', many(sum(states, 'states')), `${many(sum(states, 'violations'))} violations`]);
  const explored = of('explore');
  if (explored.length > 0)
    rows.push(['states explored', many(sum(explored, 'states')), `${many(sum(explored, 'violations'))} violations`]);
  const fuzz = of('fuzz');
  if (fuzz.length > 0) rows.push(['inputs of fuzzing', many(sum(fuzz, 'executions')), `${many(sum(fuzz, 'findings'))} findings`]);
  const mutants = newestOfMutants(of('mutants'));
  if (mutants.length > 0) {
    const [planted, caught] = [sum2(mutants, 'planted'), sum2(mutants, 'caught')];
    rows.push([
      `planted bugs (${mutants.map(({ set }) => set).join(', ')})`,
      many(planted),
      `${many(caught)} caught, ${many(planted - caught)} survived`,
    ]);
  }
  const kills = of('kills');
  if (kills.length > 0)
    rows.push(['kills of real processes', many(sum(kills, 'kills')), `${many(sum(kills, 'failed'))} tests failed`]);
  return table(['what', 'how much', 'and'], rows);
}

function yardTable(runs) {
  if (runs.length === 0) return undefined;
  const faults = new Map();
  for (const { figures } of runs)
    for (const [kind, count] of Object.entries(figures.faults)) faults.set(kind, (faults.get(kind) ?? 0) + count);
  const sorted = [...faults].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const listed = sorted.map(([kind, count]) => `${kind} ${many(count)}`).join(', ');
  return `**Faults of the yard by kind.** ${listed}.`;
}

function exploreTable(run) {
  if (run === undefined) return undefined;
  const rows = run.figures.configs.map(({ name, states, extent }) => [
    `\`${name}\``,
    many(states),
    extent === 'all' ? 'all there are' : `complete to ${extent} steps`,
  ]);
  return `**Exploration**, the newest run.\n\n${table(['configuration', 'states', 'extent'], rows.sort())}`;
}

function fuzzTable(runs) {
  if (runs.length === 0) return undefined;
  const targets = new Map();
  for (const { figures } of runs) {
    for (const { target, executions, behaviours, slowestMs } of figures.targets) {
      const known = targets.get(target) ?? { executions: 0, behaviours: 0, slowestMs: 0 };
      known.executions += executions;
      known.behaviours = Math.max(known.behaviours, behaviours);
      known.slowestMs = Math.max(known.slowestMs, slowestMs);
      targets.set(target, known);
    }
  }
  const rows = [...targets].sort().map(([target, { executions, behaviours, slowestMs }]) => {
    return [`\`${target}\``, many(executions), many(behaviours), `${slowestMs} ms`];
  });
  return `**Fuzzing by target**, all runs.\n\n${table(['target', 'inputs', 'behaviours', 'slowest input'], rows)}`;
}

function mutantsTable(sets) {
  if (sets.length === 0) return undefined;
  const lines = sets.map(({ set, planted, caught, rows: here }) => {
    const slowest = here.reduce((most, row) => (row.seconds > most.seconds ? row : most));
    const seeds = here.filter((row) => row.seeds !== undefined).map((row) => row.seeds);
    const seedsText = seeds.length === 0 ? '' : `${seeds.length} by the yard, half of them within ${many(median(seeds))} seeds`;
    return [set, many(planted), many(caught), `${slowest.name}, ${slowest.seconds} s`, seedsText];
  });
  const head = ['set', 'planted', 'caught', 'longest to notice', 'found by seeds'];
  return `**Planted bugs by set**, of each the newest run; each of them in [planted-bugs.md](planted-bugs.md).\n\n${table(head, lines)}`;
}

function runsTable(records) {
  const rows = records.map(({ name, command, commit, date, seconds, node, machine }) => {
    return [name, date.replace('T', ' '), `\`${command}\``, `\`${commit}\``, `${seconds} s`, `Node ${node.slice(1)}, ${machine}`];
  });
  const head = ['record', 'when', 'command', 'commit', 'time', 'on'];
  return `**What was run** (\`docs/records\`; a commit with \`+\` had changes on top).\n\n${table(head, rows)}`;
}

/** @param {string[]} head @param {string[][]} rows */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function sum(records, figure) {
  return sum2(
    records.map(({ figures }) => figures),
    figure,
  );
}

function sum2(all, figure) {
  return all.reduce((total, one) => total + (one[figure] ?? 0), 0);
}

function sumOf(counts) {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function median(numbers) {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function many(count) {
  return count.toLocaleString('en');
}

function duration(ms) {
  if (ms >= YEAR_MS) return `${(ms / YEAR_MS).toFixed(2)} years`;
  return ms >= DAY_MS ? `${(ms / DAY_MS).toFixed(1)} days` : `${(ms / HOUR_MS).toFixed(1)} hours`;
}

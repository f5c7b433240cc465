/** The scoreboard says what the records say, and nothing that none of them does: see scripts/scoreboard.mjs. */
import { expect, test } from 'vitest';

const load = (file: string) => import(new URL(`../scripts/${file}`, import.meta.url).href);
const { scoreboard } = await load('scoreboard/tables.mjs');
const { plantedPage } = await load('scoreboard/planted.mjs');

const RUN = { commit: 'abc', date: '2026-01-02T03:04:05Z', seconds: 1, node: 'v20.0.0', machine: 'm', command: 'npm run x' };
const record = (name: string, figures: object) => ({ ...RUN, name, figures });
const yard = (seeds: number, faults: object) => ({
  seeds,
  faults,
  virtualMs: 36e5,
  accepted: 3,
  delivered: 3,
  violations: 1,
  crashes: 0,
});
const planted = (set: string, name: string, caught: boolean) =>
  record('mutants', {
    sets: { [set]: { planted: 1, caught: caught ? 1 : 0 } },
    rows: [{ area: set, name, breaks: 'a | b', caught, test: 'the yard', by: 'S1', seconds: 2, seeds: 7 }],
  });

test('without records nothing is claimed', () => {
  expect(scoreboard([])).not.toMatch(/\d/);
  expect(plantedPage([])).toBe('None was recorded yet.');
});

test('runs are summed, faults kind by kind, violations too', () => {
  const text = scoreboard([record('sim', yard(10, { kill: 1 })), record('soak', yard(1_000, { kill: 2, rot: 5 }))]);
  expect(text).toContain('| seeds of the yard | 1,010 | 2 violations, 0 crashes of the yard |');
  expect(text).toContain('| virtual time | 2.0 hours | 6 messages delivered |');
  expect(text).toContain('| faults in the yard | 8 | by kind below |');
  expect(text).toContain('rot 5, kill 3.');
});

test('of a set of planted bugs the newest run counts; a survivor is seen', () => {
  const records = [planted('ring', 'old', true), planted('link', 'other', true), planted('ring', 'new', false)];
  expect(scoreboard(records)).toContain('| planted bugs (link, ring) | 2 | 1 caught, 1 survived |');
  const page = plantedPage(records);
  expect(page).toContain('| new | a \\| b | **survived** S1 | 7 seeds |');
  expect(page).not.toContain('| old |');
});

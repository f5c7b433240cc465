/**
 * Runs the system tests that kill real processes, and counts the kills that they survived: `node scripts/kills.mjs [--record]`. A test
 * says in its title how many it makes. The last line of stdout is the verdict.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './bundle-module.mjs';
import { writeRecord } from './records.mjs';

/** "200 kills of …", and "10 kills each of gateway, device: …". */
const KILLS = /(\d+) kills(?: each of (?<kinds>[^:]+):)?/;

const { values } = parseArgs({ options: { record: { type: 'boolean', default: false } } });
const startMs = Date.now();
const folder = mkdtempSync(join(tmpdir(), 'ringmail-kills-'));
try {
  const report = join(folder, 'report.json');
  run(['scripts/build.mjs', '--fast']);
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.system.config.ts', 'kill'];
  run([...vitest, '--reporter', 'default', '--reporter', 'json', `--outputFile.json=${report}`]);
  const tests = JSON.parse(readFileSync(report, 'utf8')).testResults.flatMap(({ assertionResults }) => assertionResults);
  const of = (status) => tests.filter((test) => test.status === status);
  const kills = of('passed').reduce((sum, { title }) => sum + killsIn(title), 0);
  const figures = { kills, tests: of('passed').length, failed: of('failed').length, skipped: of('skipped').length };
  if (values.record) writeRecord('kills', { startMs, figures });
  console.log(`kills: ${kills} in ${figures.tests} tests, ${figures.failed} failed, ${figures.skipped} skipped`);
  process.exitCode = figures.failed > 0 || kills === 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(args) {
  spawnSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
}

function killsIn(title) {
  const [, count = '0'] = KILLS.exec(title) ?? [];
  const kinds = KILLS.exec(title)?.groups?.kinds?.split(', ').length ?? 1;
  return Number(count) * kinds;
}

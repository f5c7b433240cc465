/**
 * Prints `PASSED FAILED` for a JSON report of vitest. A file that could not be loaded counts as one failure, and so does a run that
 * ended badly without a failed test or without a report.
 *
 *   node scripts/count-tests.mjs REPORT EXIT_STATUS
 */
import { existsSync, readFileSync } from 'node:fs';

const [path, status] = process.argv.slice(2);
let passed = 0;
let failed = 0;
if (existsSync(path)) {
  for (const { status: fileStatus, assertionResults } of JSON.parse(readFileSync(path, 'utf8')).testResults) {
    const failedHere = assertionResults.filter((result) => result.status === 'failed').length;
    passed += assertionResults.filter((result) => result.status === 'passed').length;
    failed += failedHere === 0 && fileStatus === 'failed' ? 1 : failedHere;
  }
}
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1;
console.log(`${passed} ${failed}`);

/** Fuzzes one target: told by the first message, answered by the last one. */
import { pathToFileURL } from 'node:url';

const { TARGETS, fuzz } = await import(pathToFileURL(process.argv[2]).href);
const SAY_MS = 1_000;

process.on('disconnect', () => process.exit());
process.once('message', ({ name, seed, msMax, executionsMax }) => {
  const target = TARGETS.find((one) => one.name === name);
  let saidMs = 0;
  const onProgress = (report) => {
    if (performance.now() - saidMs < SAY_MS) return;
    saidMs = performance.now();
    process.send({ kind: 'progress', report: told(report) });
  };
  const report = fuzz(target, { seed, msMax, executionsMax, nowUs: () => performance.now() * 1_000, cpuUs, onProgress });
  process.send({ kind: 'result', report: told(report) }, () => process.disconnect());
});

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function told(report) {
  return {
    ...report,
    findings: report.findings.map(({ target, what, input }) => ({ target, what, hex: Buffer.from(input).toString('hex') })),
  };
}

/** A process that answers jobs (jobs.mjs) one at a time. Ends with the one that started it, and leaves Ctrl-C to that one. */
import { answer, loadYard } from './jobs.mjs';

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});
process.on('disconnect', () => process.exit());

const yard = loadYard(process.argv[2]);
process.on('message', async (job) => {
  const result = await answer(await yard, job, (progress) => process.send({ progress }));
  process.send({ result });
});

/** A process that explores one configuration (jobs.mjs). Ends with the one that started it, and leaves Ctrl-C to that one. */
import { pathToFileURL } from 'node:url';

const parent = process.ppid;
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});
process.setSourceMapsEnabled(true);
const { CONFIGS, WEAKENINGS, search } = await import(pathToFileURL(process.argv[2]).href);

process.once('message', ({ name, states, weaken, stallsEvery }) => {
  const started = Date.now();
  const config = CONFIGS.find((one) => one.name === name);
  const world = config.make(weaken === undefined ? undefined : WEAKENINGS[weaken]);
  const onProgress = (count, depth) => {
    if (process.ppid !== parent) process.exit(); // a search listens to nobody
    process.send({ kind: 'progress', name, states: count, depth });
  };
  let answer;
  try {
    const result = search(world, { statesMax: states, stallsEvery, onProgress });
    answer = { kind: 'config', name, ...result, ...world.cost, seconds: (Date.now() - started) / 1000 };
  } catch (error) {
    answer = { kind: 'crash', text: error.stack };
  }
  process.send(answer, () => process.exit());
});

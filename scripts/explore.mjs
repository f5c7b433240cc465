/**
 * Explores custody and the link (hardware-sim/explore): every state that can be reached within small bounds, each judged.
 *
 *   node scripts/explore.mjs [--states N] [--config NAME …] [--replay SCHEDULE] [--weaken NAME] [--json] [--record] [--help]
 *
 * Builds what it needs. Progress on stderr; the last line of stdout is the verdict. Exit code 0: no promise was broken.
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleExploration } from './explore/bundle.mjs';
import { explore } from './explore/jobs.mjs';
import { writeRecord } from './records.mjs';

const STATES = 3_000_000;
const PROCESSES = 2;
const PROGRESS_MS = 5_000;

const HELP = `npm run explore [-- options]

The real code of custody and of the link, between two to four nodes with small bounds: whatever can happen to them is tried in every
order, breadth first, and each state is judged. Stops at the first broken promise, with the shortest schedule that breaks it.

  --states N         distinct states in all (${STATES.toLocaleString('en')}); configurations that have fewer are explored whole
  --config NAME      only this one; may be given several times
  --replay SCHEDULE  plays one schedule step by step; as a violation prints it
  --weaken NAME      with a core that is spoilt on purpose: something must be found
  --json             one JSON object a line
  --record           keeps the figures in docs/records
  --help             this`;

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const { file, remove } = await bundleExploration();
process.on('exit', remove);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
process.setSourceMapsEnabled(true);
const { CONFIGS, WEAKENINGS } = await import(pathToFileURL(file).href);
checkNames();
if (options.replay === undefined) await run();
else replay(options.replay);
process.exit();

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        states: { type: 'string' },
        config: { type: 'string', multiple: true },
        replay: { type: 'string' },
        weaken: { type: 'string' },
        json: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.states !== undefined && !/^[1-9]\d{0,8}$/.test(values.states)) {
      throw new Error(`--states ${values.states}: a whole number from 1 to 999,999,999 is needed`);
    }
    return { ...values, states: Number(values.states ?? STATES) };
  } catch (error) {
    return refuse(error.message);
  }
}

function checkNames() {
  const known = CONFIGS.map(({ name }) => name);
  for (const name of options.config ?? []) if (!known.includes(name)) refuse(`--config ${name}: one of ${known.join(', ')}`);
  const weak = Object.keys(WEAKENINGS);
  if (options.weaken !== undefined && !weak.includes(options.weaken))
    refuse(`--weaken ${options.weaken}: one of ${weak.join(', ')}`);
}

function refuse(message) {
  console.error(`${message}\n\n${HELP}`);
  process.exit(64);
}

async function run() {
  const chosen = CONFIGS.filter(({ name }) => options.config?.includes(name) ?? true);
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  const jobs = chosen.map(({ name, share }) => {
    return { name, states: Math.ceil((options.states * share) / shares), weaken: options.weaken };
  });
  const counts = new Map();
  const total = () => [...counts.values()].reduce((sum, states) => sum + states, 0);
  const startMs = Date.now();
  let saidMs = startMs;
  let broken;
  const configs = [];
  await explore(file, jobs, {
    processes: PROCESSES,
    onProgress: ({ name, states, depth }) => {
      counts.set(name, states);
      if (Date.now() - saidMs < PROGRESS_MS) return;
      saidMs = Date.now();
      const seconds = Math.round((saidMs - startMs) / 1000);
      console.error(`${total().toLocaleString('en')} states in ${seconds} s, ${name} at depth ${depth}`);
    },
    onResult: (result) => {
      counts.set(result.name, result.states);
      tell(result);
      const { name, states, depth, reached } = result;
      configs.push({ name, states, extent: reached === 'all' ? 'all' : depth - 1 });
      if (result.violation === undefined) return 'go on';
      broken ??= result;
      return 'stop';
    },
  });
  if (broken !== undefined) tellBroken(broken);
  const violations = broken === undefined ? 0 : 1;
  const seconds = Math.round((Date.now() - startMs) / 1000);
  if (options.record) writeRecord('explore', { startMs, figures: { states: total(), violations, configs } });
  if (options.json) console.log(JSON.stringify({ kind: 'verdict', states: total(), violations, seconds }));
  else console.log(`${total()} states, ${violations} violations`);
  process.exitCode = violations === 0 ? 0 : 1;
}

function tell(result) {
  if (options.json) return console.log(JSON.stringify(result));
  const { name, states, depth, reached, ended, localStates, coreSteps, seconds } = result;
  const extent = reached === 'all' ? 'all there are' : `all within ${depth - 1} steps`;
  const what = CONFIGS.find((one) => one.name === name).what;
  console.log(
    `${name.padEnd(18)} ${String(states).padStart(8)} states, ${extent}; ${ended} led to their end; ` +
      `${localStates} states of nodes, ${coreSteps} steps of the core, ${Math.round(seconds)} s: ${what}`,
  );
}

function tellBroken({ name, violation }) {
  const schedule = `${name}: ${violation.schedule.join(', ')}`;
  const weaken = options.weaken === undefined ? '' : ` --weaken ${options.weaken}`;
  if (options.json) return console.log(JSON.stringify({ kind: 'violation', name, ...violation, replay: schedule }));
  console.log(`\n${name}: ${violation.text}\n  npm run explore --${weaken} --replay '${schedule}'\n`);
}

function replay(text) {
  const [, name = '', schedule = ''] = /^([a-z0-9-]+): ?(.*)$/.exec(text) ?? [];
  const config = CONFIGS.find((one) => one.name === name);
  if (config === undefined) return refuse(`--replay ${text}: CONFIG: STEP, STEP, …`);
  const steps = schedule.split(',').map((step) => step.trim());
  const world = config.make(options.weaken === undefined ? undefined : WEAKENINGS[options.weaken]);
  let [count, broken, stalls] = [0, undefined, () => undefined];
  for (const { text: told, wrong, stalls: end } of world.play(steps.filter((step) => step !== ''))) {
    console.log(count === 0 ? `at the start\n${told}` : `${count}: ${told}`);
    if (wrong !== undefined) console.log(`  BROKEN: ${wrong}`);
    broken ??= wrong;
    count += 1;
    stalls = end;
  }
  broken ??= stalls();
  console.log(`\n${name}: ${count - 1} steps, ${broken ?? 'nothing is broken'}`);
  process.exitCode = broken === undefined ? 0 : 1;
}

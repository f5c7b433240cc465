/**
 * Runs a gateway and a central over real brokers, and does to these what happens to brokers (test/brokers).
 *
 *   node scripts/brokers.mjs [--broker PATTERN] [--fault PATTERN] [--json] [--help]
 *
 * Builds what it needs. Progress on stderr; the last line of stdout is the verdict. Exit code 0: nothing was lost, doubled, or stood still
 * without a word.
 */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleModule, ROOT } from './bundle-module.mjs';

const HELP = `npm run brokers -- [options]

The embedded broker, mosquitto (MQTT 3.1.1 and 5), RabbitMQ with its MQTT plugin and NATS with JetStream, each under each fault: killed,
restarted, out of disk, slow, without rights … What is not installed is skipped, and said. About four minutes.

  --broker PATTERN   only brokers that match, a regular expression: embedded, mosquitto, mosquitto-5, rabbitmq, nats
  --fault PATTERN    only faults that match: kill, disk, denied, slow, session, takeover, Receive, tiny, restart, half-open
  --json             one JSON object a line, and nothing else, on stdout
  --help             this`;

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const built = spawnSync(process.execPath, ['scripts/build.mjs', '--fast'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
if (built.status !== 0) process.exit(1);
const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
const { file, remove } = await bundleModule('brokers', {
  entryPoints: ['test/brokers/main.ts'],
  external: ['serialport'],
  banner,
});
process.on('exit', remove);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
const { main } = await import(pathToFileURL(file).href);
process.exit(await main({ ...options, root: ROOT }));

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        broker: { type: 'string' },
        fault: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const pattern = (text) => (text === undefined ? undefined : new RegExp(text));
    return {
      broker: pattern(values.broker),
      fault: pattern(values.fault),
      output: values.json ? 'json' : 'table',
      help: values.help,
    };
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    return process.exit(2);
  }
}

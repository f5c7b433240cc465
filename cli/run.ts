/** From a command line to an exit code. */
import { RingmailError } from '../shared/errors.ts';
import { ownVersion } from '../shared/node/api/version.ts';
import { type CommandTable, usage, usageOf } from './args.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { generalHelp } from './help.ts';
import type { World } from './world.ts';

/** Runs one command line, says what went wrong on stderr. Rejects only for a bug. */
export async function runCommandLine(commands: CommandTable, argv: readonly string[], world: World): Promise<number> {
  try {
    return await dispatch(commands, argv, world);
  } catch (error) {
    const refusal = error instanceof RingmailError ? error : usageOf(error);
    if (refusal === undefined) throw error;
    await world.stderr(`ringmail: ${describe(refusal)}\n`);
    if (refusal.code === 'USAGE_INVALID') await world.stderr(`Try: ${helpLine(commands, argv)}\n`);
    return exitCodeOf(refusal);
  }
}

async function dispatch(commands: CommandTable, argv: readonly string[], world: World): Promise<number> {
  const [first, ...rest] = argv;
  switch (first) {
    case undefined:
      await world.stderr(await helpOf(commands));
      return EXIT.usage;
    case '--help':
    case '-h':
      await world.stdout(await helpOf(commands));
      return EXIT.ok;
    case 'help':
      return dispatch(commands, rest[0] === undefined ? ['--help'] : [rest[0], '--help'], world);
    case '--version':
    case '-V':
      await world.stdout(`${ownVersion()}\n`);
      return EXIT.ok;
  }
  const load = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (load === undefined) throw usage(`there is no command ${first}; there are ${Object.keys(commands).join(', ')}`);
  const command = await load();
  return command.run(rest, world);
}

async function helpOf(commands: CommandTable): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((load) => load()));
  return generalHelp(all.filter(({ listed }) => listed !== 'no'));
}

function helpLine(commands: CommandTable, argv: readonly string[]): string {
  const [first = ''] = argv;
  return Object.hasOwn(commands, first) ? `ringmail ${first} --help` : 'ringmail --help';
}

/** The code first: it is what a script may look for. A list of problems has a line each. */
function describe({ code, details }: RingmailError): string {
  if ('issues' in details) return [code, ...details.issues].join('\n  ');
  const facts = Object.entries(details).map(([name, value]) => `${name}: ${String(value)}`);
  return [code, ...facts].join('\n  ');
}

/** The command line of this process: its world, its exit code, and what a bug looks like from outside. */

import type { CommandTable } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './run.ts';
import { processWorld } from './world.ts';

/** Runs what this process was started with, then ends it. */
export async function runProcess(commands: CommandTable): Promise<never> {
  // Also what nobody awaited. Its own exit code, so that nobody takes it for "nothing there".
  process.on('uncaughtException', (error) => {
    process.stderr.write(`ringmail: a bug: ${error.stack ?? error}\n`, () => process.exit(EXIT.bug));
  });
  const world = processWorld();
  const code = await runCommandLine(commands, process.argv.slice(2), world);
  // Everything that was written before is out when the last empty write is.
  await Promise.all([world.stdout(''), world.stderr('')]);
  process.exit(code);
}

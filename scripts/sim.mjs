/**
 * Runs seeds of the yard (hardware-sim/yard): `node scripts/sim.mjs --help`. Builds what it needs. Progress on stderr; the last line of
 * stdout is the verdict. Exit code 0: no promise was broken, and enough was tried to say so.
 */
import { YARD } from './sim/bundle.mjs';
import { sim } from './sim/command.mjs';

await sim(process.argv.slice(2), YARD);

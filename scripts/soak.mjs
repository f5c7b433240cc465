/**
 * Runs fresh seeds of the yard until the time is up: `node scripts/soak.mjs --help`. Builds what it needs. Progress on stderr; the last
 * line of stdout is the verdict. Exit code 0: no promise was broken, and enough was tried to say so.
 */
import { YARD } from './sim/bundle.mjs';
import { soak } from './sim/soak.mjs';

await soak(process.argv.slice(2), YARD);

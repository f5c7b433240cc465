/** `npm run sim` and `npm run soak` over the toy yard: node test/toy-sim.mjs sim|soak [options] */
import { sim } from '../scripts/sim/command.mjs';
import { soak } from '../scripts/sim/soak.mjs';

const TOY = { './hardware-sim/yard/toy-yard.ts': 'drawPlan, runPlan, FAULT_NAMES, MARKS, SEEDS_THAT_FAILED' };
const [command, ...argv] = process.argv.slice(2);
await { sim, soak }[command](argv, TOY);

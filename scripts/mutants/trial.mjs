/**
 * One planted bug in a copy: what noticed it the last time is asked first, then everything that must notice it, in order.
 */
import { plant } from './copies.mjs';
import { runTest, runYard } from './detectors.mjs';
import { noticersOf, YARD } from './sets.mjs';

/** A mutant may take so many times what the unmutated tests need, and this much more, before it counts as never ending. */
const PATIENCE_FACTOR = 5;
const PATIENCE_MS_MIN = 20_000;

/**
 * @param {import('./sets.mjs').Mutant} mutant
 * @param {string} copy
 * @param {Map<string, { ms: number }>} controls what each noticer needs without a bug: a whole file, one seed of the yard
 */
export async function tryMutant(mutant, copy, controls) {
  const restore = plant(mutant, copy);
  try {
    return await search(mutant, copy, controls);
  } finally {
    restore();
  }
}

async function search(mutant, copy, controls) {
  let ms = 0;
  let excuse = '';
  for (const detector of detectorsOf(mutant)) {
    const isYard = detector.name === YARD;
    const enoughMs = controls.get(detector.name).ms * (isYard ? (detector.what.seeds ?? 1) : 1);
    const patienceMs = PATIENCE_MS_MIN + PATIENCE_FACTOR * enoughMs;
    const result = await (isYard ? runYard : runTest)(detector.what, copy, patienceMs);
    ms += result.ms;
    if (result.outcome === 'passed') continue;
    if (result.outcome === 'broken') throw new Error(`${mutant.name} is no bug but nonsense: ${detector.name}: ${result.detail}`);
    const never = `does not end within ${seconds(patienceMs)}; without the bug ${seconds(enoughMs)} are enough`;
    const by = result.outcome === 'endless' ? never : result.detail;
    if (isYard && result.outcome !== 'failed') {
      excuse = `${YARD} found no broken promise, but ${by}`;
      continue;
    }
    const seeds = isYard ? (detector.known?.seeds ?? result.noticed.seeds) : undefined;
    const noticed = detector.known ?? result.noticed;
    return { ...of(mutant), caught: true, test: detector.name, by, ms: result.ms, allMs: ms, seeds, noticed };
  }
  return { ...of(mutant), caught: false, test: '', by: excuse, ms, allMs: ms };
}

/** @param {import('./sets.mjs').Mutant} mutant */
function detectorsOf(mutant) {
  const { noticed, sim } = mutant;
  const names = noticersOf(mutant);
  const whole = names.map((name) => ({ name, what: name === YARD ? sim : { test: name } }));
  if (noticed === undefined) return whole;
  if (noticed.seed !== undefined)
    return names.includes(YARD) ? [{ name: YARD, what: { seed: [noticed.seed] }, known: noticed }, ...whole] : whole;
  return names.includes(noticed.test) ? [{ name: noticed.test, what: noticed, known: noticed }, ...whole] : whole;
}

function of({ area, name, breaks }) {
  return { area, name, breaks };
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

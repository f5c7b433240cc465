/** How a campaign speaks: in words, or in lines of JSON. Results go to stdout, whatever tells how far it is to stderr. */

/** Violations of one seed that are told. */
const VIOLATIONS_SHOWN_MAX = 8;

/** @param {'words' | 'json'} manner */
export function makeVoice(manner) {
  const say = (text) => console.error(text);
  return manner === 'json' ? { say, ...JSON_VOICE } : { say, ...WORDS };
}

const JSON_VOICE = {
  event: (event) => line({ kind: 'event', event }),
  failure: ({ job, violations, crash, replay }) =>
    crash === undefined
      ? line({ kind: 'failure', seed: job.seed, ...violations[0], violations, replay })
      : line({ kind: 'crash', seed: job.seed, text: crash, replay }),
  story: ({ job, shrunk }) => {
    if (shrunk === undefined) return;
    const { words: _, ...rest } = shrunk;
    line({ kind: 'shrunk', seed: job.seed, ...rest, replay: replayOf(shrunk) });
  },
  totals: (coverage) => line({ kind: 'totals', ...coverage }),
  verdict: ({ words: _, ...verdict }) => line({ kind: 'verdict', ...verdict }),
};

const WORDS = {
  event: ({ atMs, kind, ...rest }) => console.log(`${atMs.toFixed(3).padStart(14)}  ${kind.padEnd(11)} ${text(rest)}`),
  failure: ({ job, violations, crash }) => {
    const [first] = violations;
    console.error(
      `seed ${job.seed}: ${crash === undefined ? `${first.check}: ${first.text}` : `the yard crashed: ${crash.split('\n')[0]}`}`,
    );
  },
  story: ({ job, violations, crash, replay, shrunk }) => {
    console.log(`\nFAILED seed ${job.seed}`);
    for (const { check, text: what } of violations.slice(0, VIOLATIONS_SHOWN_MAX)) console.log(`  ${check}: ${what}`);
    if (violations.length > VIOLATIONS_SHOWN_MAX) console.log(`  and ${violations.length - VIOLATIONS_SHOWN_MAX} more`);
    if (crash !== undefined) console.log(`  the yard crashed: ${crash.trimEnd()}`);
    if (shrunk === undefined) {
      console.log(`  ${replay}`);
      return;
    }
    const end = shrunk.ended === 'smallest' ? 'nothing more can be left out' : 'perhaps not the smallest';
    console.log(`  made smaller in ${shrunk.runs} runs: ${shrunk.words}; ${end}`);
    console.log(`  ${shrunk.check}: ${shrunk.text}`);
    console.log(`  ${replay}   # made smaller: ${replayOf(shrunk)}`);
  },
  totals: (_coverage, table) => console.log(`\n${table().join('\n')}`),
  verdict: ({ name, words, ok, endedEarly, why }) =>
    console.log(`${name}: ${words}${endedEarly ? '; ended early' : ''}${ok ? '' : `; FAILED: ${why.join('; ')}`}`),
};

function replayOf({ file }) {
  return `npm run sim -- --plan ${file}`;
}

function line(object) {
  console.log(text(object));
}

/** JSON also of what JSON has no word for. */
function text(object) {
  return JSON.stringify(object, (_key, value) => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof Map) return Object.fromEntries(value);
    if (value instanceof Set) return [...value];
    return value;
  });
}

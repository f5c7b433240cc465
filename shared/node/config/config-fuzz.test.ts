/** Goal: whatever the text, a configuration or CONFIG_INVALID comes out, soon, and every issue is one line that names a line there is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RingmailError } from '../../errors.ts';
import { isName } from '../../message/address.ts';
import { parseConfig } from './config.ts';
import { PRESETS, presetText } from './presets.ts';
import { TOML_LENGTH_MAX } from './toml.ts';

const RUNS = { numRuns: 1000 };
const ISSUE = /^line (\d+)(?:, column [1-9]\d*)?: [^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+$/u;

function outcome(text: string): 'valid' | readonly string[] {
  try {
    const config = parseConfig(text, { directory: '/etc/ringmail' });
    expect(isName(config.name)).toBe(true);
    return 'valid';
  } catch (error) {
    if (!(error instanceof RingmailError) || error.code !== 'CONFIG_INVALID') throw error;
    return (error as RingmailError<'CONFIG_INVALID'>).details.issues;
  }
}

function check(text: string): void {
  const issues = outcome(text);
  expect(outcome(text)).toEqual(issues);
  expect(Object.keys(Object.prototype)).toEqual([]);
  if (issues === 'valid') return;
  expect(issues.length).toBeGreaterThan(0);
  const lineCount = text.split('\n').length;
  for (const issue of issues) {
    const line = Number(ISSUE.exec(issue)?.[1]);
    expect(line, issue).toBeGreaterThan(0);
    expect(line, issue).toBeLessThanOrEqual(lineCount);
  }
}

const WORDS =
  `name unknownQueue queueLimit ring path size allowVolatile commitDelayMs durability intervalMs blockMs holeWaitMs reserve whenFull remoteWhenFull label ordering journal deadLetterQueue
  timeToBeReceivedMs deliveriesMax retryMs retryFactor retryMsMax retryJitterPercent api socket mode queues limit uplink uplinks to failoverMs failbackMs kind line
  broker central partitions protocol username passwordFile links listen allowRemote adapters port destination log level
  __proto__ constructor prototype toString hasOwnProperty then length bags "$dead" "a.b" ''`.split(/\s+/);
const VALUES =
  `"link" "mqtt" "belt" "interval" "block" "dead-letter" "strict" "on" 1.5 "refuse" "create" "16 MiB" "0" 0 -0 1 4 5 -1 0.5 1e400 nan inf 9007199254740993 0xffffffffffffffffff true
  false "n1" "central" "central/bags" "bags" "$dead" "unix:/x" "unix:" "tcp:127.0.0.1:1" "tcp:[::]:0" "serial:/x?baud=9600" "mqtt://h"
  "660" "\\u0000" "\\ud800" "__proto__" 1979-05-27 07:32:00 [] [[]] {} {a=1} {__proto__={a=1}} [{}] """x""" '''`
    .split(/\s+/)
    .concat('1979-05-27T07:32:00Z', '"a b"', '"\u202e"');

const key = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.'));
const statement = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(key, fc.constantFrom(...VALUES)).map(([name, value]) => `${name} = ${value}`) },
  { weight: 3, arbitrary: key.map((name) => `[${name}]`) },
  { weight: 2, arbitrary: key.map((name) => `[[${name}]]`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
);
const statements = fc.array(statement, { maxLength: 12 }).map((lines) => lines.join('\n'));

/** A valid text with a few pieces cut out, doubled or replaced. */
const damaged = fc
  .tuple(
    fc.constantFrom(...PRESETS).map((preset) => presetText(preset, { queues: ['bags'] })),
    fc.array(
      fc.tuple(fc.nat(), fc.nat({ max: 20 }), fc.oneof(fc.constant(''), fc.string({ unit: 'binary', maxLength: 4 }), statement)),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((edited, [at, length, piece]) => {
      const start = at % (edited.length + 1);
      return edited.slice(0, start) + piece + edited.slice(start + length);
    }, text),
  );

describe('any text gives a configuration or CONFIG_INVALID', () => {
  test('random characters', () => fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), RUNS));

  test('statements of our words in any order', () => fc.assert(fc.property(statements, check), RUNS));

  test('the same below a name', () => {
    let valid = 0;
    const property = fc.property(statements, (text) => {
      check(`name = "n1"\n${text}`);
      if (outcome(`name = "n1"\n${text}`) === 'valid') valid += 1;
    });
    fc.assert(property, RUNS);
    expect(valid).toBeGreaterThan(0);
  });

  test('a valid text with damage', () => fc.assert(fc.property(damaged, check), RUNS));
});

test.each<[string, string]>([
  ['empty headers', '[[links]]\n'],
  ['unknown keys', '[__proto__]\n'],
  ['adapters', '[[adapters]]\n'],
  ['dots', 'a.'],
  ['brackets', '['],
  ['quotes', '"'],
  ['digits', '9'],
  ['lines', '\n'],
  ['carriage returns', '\r'],
  ['dashes', '-'],
])('a whole file of %s ends soon', (_name, piece) => {
  const text = piece.repeat(TOML_LENGTH_MAX / piece.length);
  // Of the processor's time: how busy the machine is makes no difference.
  const before = process.cpuUsage();
  check(text);
  check(`name = "n1"\na${text}`.slice(0, TOML_LENGTH_MAX));
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(10_000);
});

test('a whole file of different wrong keys ends soon, and tells each', () => {
  const text = `name = "n1"\n${Array.from({ length: 4000 }, (_, index) => `unknown${index} = 1`).join('\n')}`;
  expect(outcome(text)).toHaveLength(4000);
});

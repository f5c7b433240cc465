/** What a command line of the demo asks for, checked as a whole before anything starts. */

import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { telegramProblem } from '../device/adapters/stx-etx.ts';
import type { HallTelegrams } from '../hardware-sim/hall/hall-belt.ts';
import type { HallShape, Neighbours } from '../hardware-sim/hall/hall-nodes.ts';
import { OUTAGE_RUN_MS_MIN } from '../hardware-sim/hall/hall-outages.ts';
import { type CommandLine, durationMs, type OptionSpecs, usage, wholeNumber } from './args.ts';

/** Where nobody watches, in ms. */
const FOR_MS_DEFAULT = 20_000;
/** Longest run, in ms, asked for or not: the account of every telegram is kept in memory until the end, about 1 KB each. */
export const FOR_MS_MAX = 4 * 3_600_000;
/** Outages of a run without an end happen within this, in ms. */
const OUTAGE_RUN_MS = 30_000;
const SEED_MAX = 1_000_000;
/** One packet in two is lost at it, of the largest. */
const BIT_ERROR_RATE_MAX = 1e-3;

export const DEMO_OPTIONS = {
  for: { type: 'string', value: 'time', help: 'how long the belts run; default: until Ctrl-C on a terminal, else 20s' },
  outage: { type: 'boolean', help: 'kill -9 of broker, gateway, one device and central, and one cable unplugged, once each' },
  noise: {
    type: 'string',
    value: 'rate',
    help: 'share of wrong bits on the cables between devices and gateway, such as 1e-4; default: none',
  },
  neighbours: {
    type: 'boolean',
    help: 'belt 1 tells the device of belt 2, under the same gateway; broker and central are away all the while',
  },
  compact: { type: 'boolean', help: 'the belts straight into one node with an MQTT uplink' },
  broker: {
    type: 'string',
    value: 'url',
    help: 'a broker that runs already, mqtt://<host>:<port>, for one demo at a time; default: one of its own',
  },
  from: {
    type: 'string',
    value: 'file ...',
    multiple: true,
    help: 'sends exactly these telegrams, each once, and ends when they arrived',
  },
  seed: { type: 'string', value: 'n', help: 'the same telegrams and the same outages again' },
  keep: {
    type: 'boolean',
    help: 'keeps configurations, rings, logs and the file of the application; kept anyway after a failure',
  },
  json: { type: 'boolean', help: 'stdout holds the ledger and nothing else, as one line of JSON' },
} as const satisfies OptionSpecs;

export interface DemoPlan {
  readonly shape: HallShape;
  readonly telegrams: HallTelegrams;
  readonly neighbours: Neighbours;
  /** The end of the belts; `told`: when everything given was told. */
  readonly end: { readonly kind: 'told' } | { readonly kind: 'time'; readonly forMs: number };
  /** Outages happen within this many ms. Undefined: there are none. */
  readonly outageMs: number | undefined;
  /** Probability that a bit on a cable is wrong. */
  readonly bitErrorRate: number;
  /** Undefined: one of our own. */
  readonly broker: string | undefined;
  readonly seed: number;
  readonly output: 'people' | 'json';
  /** What becomes of the directory of a run that went well. */
  readonly afterwards: 'remove' | 'keep';
}

/** @throws USAGE_INVALID */
export async function planOf(line: CommandLine<typeof DEMO_OPTIONS>, world: { cwd: string; isTty: boolean }): Promise<DemoPlan> {
  const { values, operands } = line;
  const { outage, compact, broker, from, json, keep, neighbours } = values;
  const seed = values.seed === undefined ? randomInt(SEED_MAX) : wholeNumber('seed', values.seed);
  if (from === undefined && operands[0] !== undefined) throw usage(`${operands[0]}: files stand behind --from`);
  if (from !== undefined && (values.for !== undefined || outage === true)) {
    throw usage('--from ends when its telegrams arrived: it takes no --for and no --outage');
  }
  const forMs = forMsOf(values.for, world);
  if (outage === true && values.for !== undefined && forMs < OUTAGE_RUN_MS_MIN) {
    throw usage(`--outage needs a run of at least ${OUTAGE_RUN_MS_MIN / 1000}s`);
  }
  if (neighbours === true && (outage === true || compact === true || broker !== undefined || from !== undefined))
    throw usage('--neighbours is a run of its own: it takes no --outage, --compact, --broker or --from');
  if (broker !== undefined) checkBroker(broker, outage === true ? 'interruptible' : 'direct');
  return {
    shape: compact === true ? 'compact' : 'full',
    neighbours: neighbours === true ? 'reached' : 'alone',
    telegrams:
      from === undefined
        ? { kind: 'generated', seed }
        : { kind: 'given', telegrams: await readAll([...from, ...operands], world.cwd) },
    end: from === undefined ? { kind: 'time', forMs } : { kind: 'told' },
    bitErrorRate: bitErrorRateOf(values.noise, compact === true ? 'compact' : 'full'),
    outageMs: outage === true ? (forMs === FOR_MS_MAX ? OUTAGE_RUN_MS : forMs) : undefined,
    broker,
    seed,
    output: json === true ? 'json' : 'people',
    afterwards: keep === true ? 'keep' : 'remove',
  };
}

function forMsOf(text: string | undefined, world: { isTty: boolean }): number {
  if (text === undefined) return world.isTty ? FOR_MS_MAX : FOR_MS_DEFAULT;
  const forMs = durationMs('for', text);
  if (forMs === 0 || forMs > FOR_MS_MAX) throw usage(`--for ${text}: from 1ms to ${FOR_MS_MAX / 3_600_000}h`);
  return forMs;
}

function bitErrorRateOf(text: string | undefined, shape: HallShape): number {
  if (text === undefined) return 0;
  const rate = Number(text);
  if (text.trim() === '' || !(rate >= 0 && rate <= BIT_ERROR_RATE_MAX))
    throw usage(`--noise ${text}: a share of bits, from 0 to ${BIT_ERROR_RATE_MAX}`);
  if (rate > 0 && shape === 'compact') throw usage('--noise is for the cables between nodes: --compact has none');
  return rate;
}

/** What the nodes would refuse is refused before they start. TLS through a proxy finds another name than it looks for. */
function checkBroker(url: string, use: 'interruptible' | 'direct'): void {
  if (!/^mqtts?:\/\/[^/?#@]+\/?$/.test(url) || !URL.canParse(url)) throw usage(`--broker ${url}: not mqtt://<host>:<port>`);
  if (use === 'interruptible' && !url.startsWith('mqtt:')) throw usage('--outage cuts off a broker at mqtt:// only');
}

/** Bytes as they are in the files. Says everything that is wrong with them at once. */
async function readAll(paths: readonly string[], directory: string): Promise<Uint8Array[]> {
  const problems: string[] = [];
  const telegrams: Uint8Array[] = [];
  for (const path of paths) {
    try {
      const telegram = new Uint8Array(await readFile(resolve(directory, path)));
      const problem = telegramProblem(telegram);
      if (problem === undefined) telegrams.push(telegram);
      else problems.push(`${path} cannot be a telegram of a belt: ${problem}`);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  if (problems.length > 0) throw usage(problems.join('\n  '));
  return telegrams;
}

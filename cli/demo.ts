/**
 * `ringmail demo`: the main job on one machine, real processes and real lines, and a witness who asks none of them. The exit code is
 * the ledger's.
 *
 *   open the hall ─▶ belts tell ─▶ time is up, Ctrl-C, or all is told ─▶ drain ─▶ end every process ─▶ ledger
 */

import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hall, HallNotReady } from '../hardware-sim/hall/hall.ts';
import { type HallDirectory, makeHallDirectory } from '../hardware-sim/hall/hall-directory.ts';
import { ledgerProblems } from '../hardware-sim/hall/hall-ledger.ts';
import { serialLinesAvailable } from '../hardware-sim/hall/hall-lines.ts';
import { ledgerText, nodesText } from '../hardware-sim/hall/hall-picture.ts';
import type { PlantOptions } from '../hardware-sim/hall/hall-plant.ts';
import { writeProblems } from '../hardware-sim/hall/hall-writes.ts';
import { volatileFileSystem } from '../shared/node/volatile.ts';
import { defineCommand } from './args.ts';
import { DEMO_OPTIONS, type DemoPlan, planOf } from './demo-plan.ts';
import { lineScreen, pictureScreen, type Screen } from './demo-screen.ts';
import { EXIT } from './exit-codes.ts';
import type { World } from './world.ts';

/** The ledger is not clean, or something happened that must not. */
const EXIT_NOT_CLEAN = 1;
/** Stopped by Ctrl-C before anything was told. */
const EXIT_STOPPED = 130;
/** Files behind --from, at most. */
const FILE_COUNT_MAX = 10_000;
/** What a broker of somebody else may take to accept a connection, in ms. */
const CONNECT_MS_MAX = 5_000;

export const demo = defineCommand(
  {
    name: 'demo',
    summary: 'a baggage hall on this machine: belts, devices, gateway, broker, central, application',
    operands: '',
    operandCount: { min: 0, max: FILE_COUNT_MAX },
    options: DEMO_OPTIONS,
    notes: [
      'Four belt controllers send baggage telegrams over serial lines (pseudo-terminals) to four devices, these over links to a ' +
        'gateway, that over MQTT to a central, and an application receives them there. All are processes of their own.',
      'At the end, or at Ctrl-C, everything that was acknowledged to a belt must have arrived: once, in order, or dead-lettered with a ' +
        'reason. The ledger is drawn from what the belts were told and what the application wrote down. Exit code 0 only if it is clean.',
    ],
  },
  async (line, world) => {
    const plan = await planOf(line, world);
    const screen = screenFor(plan, world);
    if (plan.broker !== undefined && !(await answers(plan.broker))) {
      screen.say(`no broker answers at ${plan.broker}`);
      return EXIT.unreachable;
    }
    const directory = await makeHallDirectory(join(world.cwd, '.ringmail'));
    let code: number = EXIT_NOT_CLEAN;
    try {
      code = await runDemo(plan, { world, screen, directory });
      return code;
    } finally {
      const wentWell = code === EXIT.ok || code === EXIT_STOPPED;
      if (wentWell && plan.afterwards === 'remove') await directory.remove();
      else {
        await directory.keep();
        screen.say(`logs, rings and the application's file are kept in ${directory.place}`);
      }
    }
  },
);

interface Stage {
  readonly world: World;
  readonly screen: Screen;
  readonly directory: HallDirectory;
}

async function runDemo(plan: DemoPlan, stage: Stage): Promise<number> {
  const { world, screen, directory } = stage;
  const { signal } = world;
  screen.say(`seed ${plan.seed}; everything of this run is in ${directory.place}`);
  let hall: Hall;
  try {
    const found = await surroundings(directory, screen);
    const broker = brokerOf(plan);
    const { shape, telegrams, seed, bitErrorRate, neighbours } = plan;
    const commandLine = process.argv[1] ?? '';
    const onEvent = (text: string): void => screen.say(text);
    hall = await Hall.open(
      { shape, neighbours, directory: directory.path, commandLine, telegrams, seed, bitErrorRate, broker, onEvent, ...found },
      signal,
    );
    if (bitErrorRate > 0 && found.lines === 'tcp') screen.say('TCP lines carry no noise: there is none');
  } catch (error) {
    if (!(error instanceof HallNotReady)) throw error;
    screen.say(error.message);
    return signal.aborted ? EXIT_STOPPED : EXIT_NOT_CLEAN;
  }
  try {
    return await runHall(hall, plan, stage);
  } finally {
    await hall.close();
  }
}

async function runHall(hall: Hall, plan: DemoPlan, stage: Stage): Promise<number> {
  const { world, screen } = stage;
  screen.show(() => hall.view());
  if (plan.neighbours === 'reached' && !(await hall.part(world.signal))) screen.say('the gateway does not have both devices');
  hall.start(plan.outageMs === undefined ? undefined : { withinMs: plan.outageMs });
  if (plan.end.kind === 'told') await hall.allTold(world.signal);
  else await sleep(plan.end.forMs, undefined, { signal: world.signal }).catch(() => undefined); // aborted: the end comes early
  screen.say('draining: no new telegrams, everything acknowledged must arrive (Ctrl-C leaves at once)');
  const isDrained = await hall.drain();
  const { nodes } = hall.view();
  await hall.close();
  screen.close();
  const ledger = hall.ledger();
  const problems = [
    ...(isDrained ? [] : ['not drained in time']),
    ...ledgerProblems(ledger),
    ...hall.troubles,
    ...(plan.shape === 'compact' ? writeProblems(nodes, ledger) : []),
  ];
  const print = (text: string): Promise<boolean> => (plan.output === 'json' ? world.stderr(text) : world.stdout(text));
  await print(`\n${[...ledgerText(ledger), '', ...nodesText(nodes)].join('\n')}\n`);
  if (plan.bitErrorRate > 0) await print(`noise damaged ${hall.damagedCount} bytes on the cables\n`);
  for (const problem of problems) await print(`PROBLEM: ${problem}\n`);
  if (plan.output === 'json') await world.stdout(`${JSON.stringify(ledger)}\n`);
  return problems.length === 0 ? EXIT.ok : EXIT_NOT_CLEAN;
}

/** What this machine has, and what is done without what it has not. */
async function surroundings(directory: HallDirectory, screen: Screen): Promise<Pick<PlantOptions, 'lines' | 'volatile'>> {
  const [noSerial, inMemory] = await Promise.all([serialLinesAvailable(), volatileFileSystem(directory.place)]);
  if (noSerial !== undefined) screen.say(`${noSerial}; TCP lines stand in for the serial ones`);
  if (inMemory !== undefined)
    screen.say(`${directory.place} is in memory (${inMemory}): these rings would not survive a power cut`);
  return { lines: noSerial === undefined ? 'pty' : 'tcp', volatile: inMemory === undefined ? 'refuse' : 'allow' };
}

function brokerOf({ broker, outageMs }: DemoPlan): PlantOptions['broker'] {
  if (broker === undefined) return { kind: 'own' };
  return { kind: outageMs === undefined ? 'direct' : 'interruptible', url: broker };
}

/** The picture belongs to a terminal that nothing else is printed on. */
function screenFor({ output }: DemoPlan, world: World): Screen {
  if (output === 'json' || !world.isTty) return lineScreen((text) => void world.stderr(text));
  return pictureScreen({
    write: (text) => void world.stdout(text),
    get columns() {
      return process.stdout.columns;
    },
    get rows() {
      return process.stdout.rows;
    },
  });
}

function answers(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'mqtts:' ? 8883 : 1883;
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? usual : Number(port),
    timeout: CONNECT_MS_MAX,
  });
  return new Promise((resolve) => {
    const settle = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}

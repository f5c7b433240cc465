/**
 * What the yard does to lines and brokers. Each strike draws its strength, and its victim where there are several, and gives back what
 * ends it; one that is over in a moment gives back nothing to do. Two strikes at the same knob end with the first of them, so that
 * at the end of all, all is off. A line to a socket is harmed like a cable: there may be a serial server in between.
 */
import { toUtf8 } from '../../shared/bytes.ts';
import { NO_LINE_FAULTS, type SimLineFaults } from '../line-faults.ts';
import type { Prng } from '../random.ts';
import { type BrokerFaults, NO_FAULTS, type SimBroker } from '../sim-broker.ts';
import type { LineWay, SimLinePair } from '../sim-line.ts';

/** Ends a strike, and any other at the same knob. */
export type EndStrike = () => void;

export interface LineFault {
  readonly name: string;
  strike(target: SimLinePair, random: Prng): EndStrike;
}

/** A simulated broker, or one that has the first half of its means: then only faults that suit any broker do anything. */
export type StruckBroker = Pick<SimBroker, 'faults' | 'cut' | 'restart'> &
  Partial<Pick<SimBroker, 'stop' | 'halfOpen' | 'rival'>>;

/** The names are those under which clients connected. */
export interface BrokerTarget {
  readonly broker: StruckBroker;
  readonly clients: readonly [string, ...string[]];
}

export interface BrokerFault {
  readonly name: string;
  readonly suits: 'any broker' | 'the simulated one';
  strike(target: BrokerTarget, random: Prng): EndStrike;
}

const OVER: EndStrike = () => {};
const WAYS: readonly [LineWay, ...LineWay[]] = ['aToB', 'bToA', 'both'];
/** What a reset device says before it is itself: boot loaders, kernels, a panic, a chip that starts with zeros. */
const BANNERS: readonly [string, ...string[]] = [
  'ets Jun  8 2016 00:22:57\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n',
  '\r\nU-Boot 2024.01 (Jan 08 2024)\r\nHit any key to stop autoboot:  3 \b\b\b 2 \b\b\b 1 \b\b\b 0 \r\n',
  '[    0.000000] Booting Linux on physical CPU 0x0\r\n',
  'printf: belt 3 is slow\n',
  '\0\0\0ready\0',
  '\0',
];

/** Done by `cut`, `restart` and the first four faults: what happens where a client hears and speaks, whoever the broker is. */
const SUITS_ANY: readonly string[] = [
  'broker restart',
  'broker cut',
  'broker forgets',
  'broker disk full',
  'broker delivers twice',
  'broker straggles',
];

export const LINE_FAULTS: readonly LineFault[] = [
  momentary('line cut', (pair) => pair.cut()),
  bytes('line noise', (random) => ({ flipRate: random.pick([1e-4, 1e-3, 1e-2]) })),
  bytes('line loses bytes', (random) => ({ dropRate: random.pick([1e-4, 1e-3, 1e-2]) })),
  bytes('line inserts bytes', (random) => ({ insertRate: random.pick([1e-4, 1e-3, 1e-2]) })),
  bytes('line bursts', (random) => ({
    burstRate: random.pick([2e-4, 1e-3, 5e-3]),
    burstBytesMean: random.pick([4, 30, 300]),
  })),
  bytes('line doubles bytes', (random) => ({ duplicateRate: random.pick([1e-4, 1e-3, 1e-2]) })),
  bytes('line overruns', (random) => ({ overrunRate: random.pick([0.01, 0.1, 0.5]) })),
  bytes('line breaks', (random) => ({ breakRate: random.pick([1e-3, 1e-2]) })),
  bytes('line swallows XON and XOFF', () => ({ xonXoff: 'swallowed' })),
  bytes('line turns CR into LF', () => ({ carriageReturn: 'lf' })),
  bytes('line doubles FF', () => ({ ff: 'doubled' })),
  bytes('line at another speed', () => ({ baud: 'other' })),
  bytes('line echoes', () => ({ echo: 'local' })),
  bytes('line in pieces', (random) => ({ pieceBytesMax: random.pick([1, 2, 7]) })),
  momentary('line says a banner', (pair, random) => pair.say(random.pick(WAYS), toUtf8(random.pick(BANNERS)))),
  between('line half-open', {
    on: (pair, way) => pair.silence(way),
    off: (pair, way) => pair.restore(way),
  }),
  between('line gone untold', {
    on: (pair, way) => pair.freeze(way),
    off: (pair, way) => pair.thaw(way),
  }),
  between('line stalls', {
    on: (pair, way) => pair.stall(way),
    off: (pair, way) => pair.release(way),
  }),
];

export const BROKER_FAULTS: readonly BrokerFault[] = [
  once('broker restart', ({ broker }, random) => broker.restart(random.int(2000))),
  once('broker restart, the newest forgotten', ({ broker }, random) =>
    broker.restart(random.int(2000), { newest: random.pick([0, 1, 3, 20]) }),
  ),
  once('broker stop', ({ broker }, random) => broker.stop?.(random.int(2000))),
  once('broker cut', ({ broker, clients }, random) => broker.cut(random.pick(clients))),
  once('broker half-open', ({ broker, clients }, random) => broker.halfOpen?.(random.pick(clients), 500 + random.int(30_000))),
  knob('broker forgets', (random) => ({ forget: random.pick([0.02, 0.1, 0.5]) })),
  knob('broker disk full', () => ({ forget: 1 })),
  knob('broker delivers twice', (random) => ({ duplicate: random.pick([0.05, 0.3, 1]) })),
  knob('broker drops for the slow', (random) => ({ waitingMax: 1 + random.int(8), lagMsMax: random.pick([50, 500]) })),
  knob('broker lags', (random) => ({ lagMsMax: random.pick([200, 2_000, 20_000]) })),
  knob('broker refuses publishes', () => ({ publishes: 'refused' })),
  knob('broker limits sizes', (random) => ({ publishBytesMax: random.pick([64, 512, 4_096]) })),
  knob('broker leaks', (random) => ({ leak: random.pick([0.02, 0.3, 1]) })),
  knob('broker breaks between packets', (random) => ({ breakRate: random.pick([0.01, 0.05, 0.2]) })),
  // These show when a client comes back: one is sent away, the others go as they will.
  knobAndCut('broker straggles', (random) => ({ straggle: random.pick([0.3, 1]) })),
  knobAndCut('broker delivers late, shuffled', (random) => ({ redeliver: random.pick([0.3, 1]) })),
  knobAndCut('broker refuses subscriptions', () => ({ subscriptions: 'refused' })),
  knobAndCut('broker leaves subscriptions unanswered', () => ({ subscriptions: 'unanswered' })),
  knobAndCut('broker shows ghosts', (random) => ({ ghost: random.pick([0.2, 1]) })),
  {
    name: 'broker rival of the same name',
    suits: 'the simulated one',
    strike: ({ broker, clients }, random) => {
      broker.faults.sameName = 'newest';
      const rival = broker.rival?.(random.pick(clients));
      return () => {
        broker.faults.sameName = NO_FAULTS.sameName;
        void rival?.close();
      };
    },
  },
];

function momentary(name: string, act: (pair: SimLinePair, random: Prng) => void): LineFault {
  return {
    name,
    strike: (pair, random) => {
      act(pair, random);
      return OVER;
    },
  };
}

/** Does something to the bytes of one way, or of both. */
function bytes(name: string, draw: (random: Prng) => Partial<SimLineFaults>): LineFault {
  return {
    name,
    strike: ({ faults }, random) => {
      const worse = draw(random);
      const way = random.pick(WAYS);
      const struck = way === 'both' ? [faults.aToB, faults.bToA] : [faults[way]];
      for (const one of struck) Object.assign(one, worse);
      return () => {
        for (const one of struck) Object.assign(one, calm(worse, NO_LINE_FAULTS));
      };
    },
  };
}

type Switch = (pair: SimLinePair, way: LineWay) => void;

function between(name: string, { on, off }: { readonly on: Switch; readonly off: Switch }): LineFault {
  return {
    name,
    strike: (pair, random) => {
      const way = random.pick(WAYS);
      on(pair, way);
      return () => off(pair, way);
    },
  };
}

function once(name: string, act: (target: BrokerTarget, random: Prng) => void): BrokerFault {
  return {
    name,
    suits: suits(name),
    strike: (target, random) => {
      act(target, random);
      return OVER;
    },
  };
}

function knob(name: string, draw: (random: Prng) => Partial<BrokerFaults>): BrokerFault {
  return {
    name,
    suits: suits(name),
    strike: ({ broker }, random) => {
      const worse = draw(random);
      Object.assign(broker.faults, worse);
      return () => Object.assign(broker.faults, calm(worse, NO_FAULTS));
    },
  };
}

function knobAndCut(name: string, draw: (random: Prng) => Partial<BrokerFaults>): BrokerFault {
  const { strike } = knob(name, draw);
  return {
    name,
    suits: suits(name),
    strike: (target, random) => {
      const end = strike(target, random);
      target.broker.cut(random.pick(target.clients));
      return end;
    },
  };
}

function suits(name: string): BrokerFault['suits'] {
  return SUITS_ANY.includes(name) ? 'any broker' : 'the simulated one';
}

/** The fields of `worse` as they are when nothing is wrong. */
function calm<T extends object>(worse: Partial<T>, all: T): Partial<T> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in worse)) as Partial<T>;
}

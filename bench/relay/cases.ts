/** Everything that is measured, in order. */
import { backlog } from './backlog.ts';
import { missing } from './brokers.ts';
import { type Harm, LOSS_SUBJECTS, loss } from './loss.ts';
import type { Row, Subject } from './rows.ts';
import type { Stage } from './stage.ts';
import { clientLatency, clients, latency, relayed } from './through.ts';

export interface Case {
  readonly name: string;
  readonly subject: Subject;
  readonly run: (stage: Stage, progress: (text: string) => void) => Promise<readonly Row[]>;
}

interface Lengths {
  readonly seconds: number;
  readonly messages: number;
  readonly backlog: { readonly devices: number; readonly messagesEach: number; readonly msMax: number };
}

const LENGTHS: Readonly<Record<'full' | 'quick', Lengths>> = {
  full: { seconds: 8, messages: 60_000, backlog: { devices: 200, messagesEach: 10_000, msMax: 240_000 } },
  quick: { seconds: 4, messages: 20_000, backlog: { devices: 50, messagesEach: 1_000, msMax: 60_000 } },
};
const BODY_BYTES = [128, 1024] as const;
const DEVICES = [1, 50] as const;
const LATENCY_PER_SECOND = 1_000;
const WAYS = ['one-broker', 'bridge'] as const;

export function casesOf(length: 'full' | 'quick'): Case[] {
  const { seconds, messages, backlog: back } = LENGTHS[length];
  const subjectOf = (way: (typeof WAYS)[number]): Subject => (way === 'bridge' ? 'mosquitto-bridge' : 'mqtt-client');
  const through = BODY_BYTES.flatMap((bodyBytes): Case[] => [
    ...WAYS.map((way): Case => {
      const name = `relay/${bodyBytes}`;
      return { name, subject: subjectOf(way), run: async (stage) => [await clients(stage, { name, bodyBytes, seconds, way })] };
    }),
    ...DEVICES.flatMap((devices) =>
      (['relay', 'relay-batched'] as const).map((kind): Case => {
        const name = `${kind}/${bodyBytes}/${devices}`;
        const publishes = kind === 'relay' ? 'one-message' : 'what-waits';
        const given = { name, bodyBytes, devices, messages, publishes } as const;
        return { name, subject: 'ringmail', run: async (stage) => [await relayed(stage, given)] };
      }),
    ),
  ]);
  const late = { name: 'latency/128', bodyBytes: 128, perSecond: LATENCY_PER_SECOND, seconds };
  return [
    ...through,
    ...WAYS.map((way): Case => {
      return { name: late.name, subject: subjectOf(way), run: async (stage) => [await clientLatency(stage, { ...late, way })] };
    }),
    { name: late.name, subject: 'ringmail', run: async (stage) => [await latency(stage, late)] },
    { name: 'backlog', subject: 'ringmail', run: (stage, progress) => backlog(stage, { ...back, bodyBytes: 128, progress }) },
    ...(['kill', 'powercut'] as const).flatMap((harm) => LOSS_SUBJECTS.map((subject) => lossCase(harm, subject))),
  ];
}

function lossCase(harm: Harm, subject: Subject): Case {
  return { name: harm, subject, run: async (stage) => [await loss(stage, harm, subject)] };
}

/** Why a case cannot be measured here; undefined where it can. */
export function missingFor({ name, subject }: Case): string | undefined {
  if (name === 'powercut' && process.getuid?.() !== 0) return 'no loop-mounted ext4: not root';
  return missing('mosquitto') ?? (subject === 'nats' ? missing('nats-server') : undefined);
}

/** Everything that is measured, in order. Cases of one group are set up together and measured in turn, stretch by stretch. */
import type { Job, SubjectName } from './job.ts';

export interface Case {
  readonly name: string;
  readonly subject: SubjectName;
  readonly job: (place: { readonly directory: string }) => Job;
}
export interface Group {
  readonly name: string;
  readonly cases: readonly Case[];
  /** Stretches per case. */
  readonly rounds: number;
}

const MEBIBYTE = 1024 * 1024;
export const RING_BYTES = 128 * MEBIBYTE;
const BODY_BYTES = 128;
/** Receivers, senders, connections: what a group commit can gather. */
const AT_ONCE = 64;

interface Lengths {
  readonly receive: { readonly rounds: number; readonly turns: number };
  readonly send: { readonly rounds: number; readonly warmMs: number; readonly ms: number };
  readonly api: { readonly rounds: number; readonly warmMs: number; readonly ms: number };
}

const LENGTHS: Readonly<Record<'full' | 'quick', Lengths>> = {
  full: {
    receive: { rounds: 15, turns: 10 },
    send: { rounds: 15, warmMs: 1_500, ms: 400 },
    api: { rounds: 9, warmMs: 3_000, ms: 1_500 },
  },
  quick: {
    receive: { rounds: 5, turns: 8 },
    send: { rounds: 5, warmMs: 800, ms: 300 },
    api: { rounds: 3, warmMs: 1_500, ms: 1_000 },
  },
};
const RECEIVE_MESSAGES = [1_000, 100_000] as const;

export function groupsOf(length: 'full' | 'quick'): Group[] {
  const { receive, send, api } = LENGTHS[length];
  const load = { ringBytes: RING_BYTES, bodyBytes: BODY_BYTES };
  return [
    {
      name: 'receive',
      rounds: receive.rounds,
      cases: RECEIVE_MESSAGES.map((messages) => ({
        name: `receive/${messages}`,
        subject: 'ringmail',
        job: (place) => ({ ...place, ...load, kind: 'receive', messages, receivers: AT_ONCE, turns: receive.turns }),
      })),
    },
    {
      name: 'send',
      rounds: send.rounds,
      cases: (['ringmail', 'ring'] as const).map((subject) => ({
        name: `send/${AT_ONCE}`,
        subject,
        job: (place) => ({ ...place, ...load, kind: 'send', subject, senders: AT_ONCE, warmMs: send.warmMs, ms: send.ms }),
      })),
    },
    {
      name: 'api',
      rounds: api.rounds,
      cases: [
        {
          name: `api/${AT_ONCE}`,
          subject: 'ringmail',
          job: (place) => ({ ...place, ...load, kind: 'api', connections: AT_ONCE, warmMs: api.warmMs, ms: api.ms }),
        },
      ],
    },
  ];
}
